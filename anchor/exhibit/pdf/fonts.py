"""Which fonts the printed exhibit is set in, and where they are.

Libertinus Serif and DejaVu Sans Mono come with the typesetter. Chinese needs Noto Serif CJK SC, as
Debian has it, or another font of the user's that holds it; nothing else of the system is used, so
that a page does not change with what happens to be installed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import typst

from anchor.errors import ConfigError

LATIN: Final = ("Libertinus Serif", "DejaVu Sans Mono")
# By preference; the second name is the one of the font as its makers publish it for one region.
CHINESE: Final = ("Noto Serif CJK SC", "Noto Serif SC", "Source Han Serif SC")
_SYSTEM_FOLDERS: Final = (
    Path("/usr/share/fonts/opentype/noto"),
    Path("/usr/local/share/fonts"),
    Path.home() / ".local/share/fonts",
    Path.home() / ".fonts",
)


def font_folders(named: Sequence[Path] = ()) -> list[Path]:
    """Return the folders that are searched: those named by the user, then the usual ones."""
    return [folder for folder in (*named, *_SYSTEM_FOLDERS) if folder.is_dir()]


def font_families(folders: Sequence[Path], *, chinese: bool) -> list[str]:
    """Return the families to set text in, in the order in which a character is looked for.

    Args:
        folders: of fonts besides those of the typesetter.
        chinese: a language of the document is Chinese, so that such a font must be there.

    Raises:
        ConfigError: it is not.
    """
    known = set(
        typst.Fonts(
            include_system_fonts=False, font_paths=[str(each) for each in folders]
        ).families()
    )
    found = next((name for name in CHINESE if name in known), None)
    if found is None and chinese:
        raise ConfigError(
            f"no font for Chinese was found; wanted: {', '.join(CHINESE)}",
            code="exhibit.font",
            hint="Debian: apt install fonts-noto-cjk; or name a folder with --fonts",
        )
    return [LATIN[0], *([found] if found else []), LATIN[1]]
