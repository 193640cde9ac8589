"""Where what this machine remembers lies; a module of its own, as it costs nothing to load."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path


def state_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Return where what is remembered lies: ``$XDG_STATE_HOME/vestige``, else in the home."""
    base = environ.get("XDG_STATE_HOME") or ""
    root = Path(base) if base.startswith("/") else Path.home() / ".local" / "state"
    return root / "vestige"
