"""How this program was called, for commands that a person is told to type next."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path
from typing import Final

_NAME: Final = "vestige"


def called_as() -> str:
    """Return the words that start this program: ``vestige`` where that is what they would find."""
    program = Path(sys.argv[0])
    if program.name == "__main__.py":
        return f"{shlex.quote(sys.executable)} -m anchor.cli"
    if program.name != _NAME or not program.is_file():
        return _NAME
    found = shutil.which(_NAME)
    if found is not None and Path(found).resolve() == program.resolve():
        return _NAME
    return shlex.quote(sys.argv[0])
