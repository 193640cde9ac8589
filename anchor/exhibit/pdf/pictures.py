"""The pictures of the contact sheets: small JPEGs, drawn behind walls from the enclosed files.

A file that can not be drawn (too large, damaged, no image) has none, and its name is printed. The
originals are what is evidence; a picture here only helps to find them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, Self

from anchor.exhibit.pdf.contents import Contents
from anchor.vault.thumbnails import ThumbnailWorker


class Draws(Protocol):
    """Draws a small picture of a file."""

    def jpeg_of(self, path: Path) -> bytes | None:
        """Return a JPEG, or None where there can be none."""
        ...


class FilePictures:
    """Draws pictures of files in a process of its own; a context manager."""

    def __init__(self) -> None:
        self._worker: ThumbnailWorker | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._end()

    def jpeg_of(self, path: Path) -> bytes | None:
        """Return a JPEG of at most 256 by 256 pixels, or None where there can be none."""
        try:
            if self._worker is None:
                self._worker = ThumbnailWorker()
            with path.open("rb", buffering=0) as file:
                return self._worker.draw(file.fileno()) or None
        except OSError:
            self._end()  # it died of this image; the next one gets a new one
            return None

    def _end(self) -> None:
        if self._worker is not None:
            self._worker.close()
        self._worker = None


class Pictures:
    """The pictures of one exhibit, each drawn once."""

    def __init__(self, contents: Contents, folder: Path, draws: Draws) -> None:
        self._contents = contents
        self._folder = folder
        self._draws = draws
        self._drawn: dict[Path, str | None] = {}

    def of_file(self, path: Path | None) -> str | None:
        """Return the name in ``pictures/`` of a file's picture, or None."""
        if path is None:
            return None
        if path not in self._drawn:
            self._drawn[path] = self._draw(path)
        return self._drawn[path]

    def of_record(self, seq: int) -> str | None:
        """Return the name of the picture of the first file of a record that has one."""
        for number in self._contents.records[seq].files:
            name = self.of_file(self._contents.file_of(seq, number))
            if name is not None:
                return name
        return None

    def _draw(self, path: Path) -> str | None:
        data = self._draws.jpeg_of(path)
        if data is None:
            return None
        name = f"{path.stem}.jpg"
        (self._folder / name).write_bytes(data)
        return name
