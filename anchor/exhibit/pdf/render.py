"""Sets the document with Typst: PDF/A-3a and PDF/UA-1, proofs attached, the same bytes each time.

The template reads nothing but what is put into one folder of its own: no file, font or package from
elsewhere. Characters that no font of ours has are found by the typesetter itself, which refuses
them in an archival document; they are written out and the document is set again.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Sequence
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, Final

import typst

from anchor.errors import BackendError
from anchor.exhibit.pdf.contents import read_contents
from anchor.exhibit.pdf.document import attachments_of, document, replaced
from anchor.exhibit.pdf.fonts import font_families, font_folders
from anchor.exhibit.pdf.pictures import Draws, Pictures
from anchor.exhibit.pdf.text import undisplayable, written_out
from anchor.exhibit.pdf.words import words_of

STANDARDS: Final = ("a-3a", "ua-1")
# Each round finds every character that is still missing; a second one is for what replaced them.
_ROUNDS: Final = 4
_TEMPLATE: Final = "exhibit.typ"


def render_pdf(
    payload: Path,
    out: Path,
    *,
    bundle: bytes,
    signed: bool,
    languages: Sequence[str] = ("en",),
    font_paths: Sequence[Path] = (),
    draws: Draws,
) -> None:
    """Write the printed exhibit of a payload folder.

    Args:
        payload: the bag's ``data/``, whole but for the PDF itself.
        out: the file to write; what is there is replaced at once or not at all.
        bundle: the digest that each page carries, 32 bytes.
        signed: whether a key of the project signs the list of files.
        languages: one part for each, in this order; ``en``, ``zh``.
        font_paths: folders of fonts besides the usual ones.
        draws: draws the pictures (:class:`FilePictures`); a name stands where there is none.

    Raises:
        UsageError: a language is not known.
        ConfigError: a font that a language needs is missing.
        BackendError: the typesetter refused the document.
    """
    contents = read_contents(payload, bundle, signed=signed)
    folders = font_folders(font_paths)
    families = font_families(folders, chinese="zh" in languages)
    with tempfile.TemporaryDirectory(prefix="vestige-pdf-") as name:
        root = Path(name)
        for each in ("pictures", "attachments"):
            (root / each).mkdir()
        pictures = Pictures(contents, root / "pictures", draws)
        words = [words_of(language) for language in languages]
        value = document(contents, words, pictures, families)
        for attachment in attachments_of(contents):
            (root / "attachments" / attachment.name).symlink_to(attachment.path.resolve())
        with as_file(files("anchor.exhibit.pdf") / "template" / _TEMPLATE) as template:
            (root / _TEMPLATE).write_bytes(template.read_bytes())
        data = _set(root, value, folders)
    scratch = out.with_name(f".{out.name}.{os.getpid()}")
    scratch.write_bytes(data)
    scratch.replace(out)


def _set(root: Path, value: dict[str, Any], folders: Sequence[Path]) -> bytes:
    """Return the PDF, with what no font has written out."""
    for _ in range(_ROUNDS):
        (root / "document.json").write_text(json.dumps(value, ensure_ascii=False), "utf-8")
        try:
            return _compiled(root, folders)
        except typst.TypstError as error:
            missing = undisplayable(_messages(error))
            if not missing:
                raise BackendError(
                    f"the typesetter refused the document: {error}", code="exhibit.typst"
                ) from error
        pattern = re.compile("[" + "".join(map(re.escape, sorted(missing))) + "]")
        value = replaced(value, pattern, lambda match: written_out(match[0]))
    raise BackendError("the typesetter refuses what was written out", code="exhibit.typst")


def _messages(error: typst.TypstError) -> str:
    return f"{error}\n{getattr(error, 'diagnostic', '')}"


def _compiled(root: Path, folders: Sequence[Path]) -> bytes:
    data: bytes = typst.compile(
        str(root / _TEMPLATE),
        root=str(root),
        font_paths=[str(each) for each in folders],
        ignore_system_fonts=True,
        format="pdf",
        pdf_standards=list(STANDARDS),
    )
    return data
