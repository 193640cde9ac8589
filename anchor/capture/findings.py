"""What the container readers collect, and the generators' readers look through.

The collection has limits of its own, so that a file with a hundred thousand texts costs what a
thousand do. Whatever a limit keeps out is noted once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from anchor.capture.capture_limits import CaptureLimits
from anchor.capture.metadata import RawItem
from anchor.capture.text import printable
from anchor.errors import quote_peer

_MAX_NOTE_CHARACTERS = 400


@dataclass(frozen=True, slots=True)
class Text:
    """A text found in a file.

    Attributes:
        key: what it is called: a PNG keyword as it stands, ``exif.UserComment``, ``xmp.dc:title``,
            ``jpeg.COM``, ``app.AIGC``.
        value: the text.
        location: of the raw item it was read from.
    """

    key: str
    value: str
    location: str


class Findings:
    """Everything found in one file so far.

    Attributes:
        media_type, width, height: of the image, as far as known.
        raw, notes: see :class:`~anchor.capture.metadata.Metadata`.
        manifests: C2PA manifest stores, whole.
    """

    def __init__(self, limits: CaptureLimits) -> None:
        self.limits = limits
        self.media_type = "application/octet-stream"
        self.width: int | None = None
        self.height: int | None = None
        self.raw: list[RawItem] = []
        self.notes: list[str] = []
        self.manifests: list[bytes] = []
        self._texts: dict[str, list[Text]] = {}
        self._n_texts = 0
        self._text_characters = 0
        self._raw_bytes = 0

    def note(self, text: str) -> None:
        """Remember one sentence about the file; the same one is remembered once."""
        cleaned = printable(text, max_characters=_MAX_NOTE_CHARACTERS)
        if cleaned in self.notes or len(self.notes) > self.limits.notes:
            return
        if len(self.notes) == self.limits.notes:
            cleaned = "there was more to note; it is left out"
        self.notes.append(cleaned)

    def keep(self, location: str, data: bytes, offset: int | None = None) -> None:
        """Keep a piece of metadata byte for byte, as far as the limit allows."""
        if len(self.raw) >= self.limits.texts or (
            self._raw_bytes + len(data) > self.limits.raw_bytes
        ):
            self.note("not all metadata is kept beside the file: there is too much of it")
            return
        self._raw_bytes += len(data)
        location = printable(location, max_characters=_MAX_NOTE_CHARACTERS)
        self.raw.append(RawItem(location, data, offset))

    def add_text(self, key: str, value: str, location: str) -> None:
        """Add a text for the generators' readers; texts of one key keep their order."""
        if self._n_texts >= self.limits.texts or (
            self._text_characters + len(value) > self.limits.raw_bytes
        ):
            self.note_full()
            return
        self._n_texts += 1
        self._text_characters += len(value)
        known = self._texts.setdefault(key, [])
        if any(text.value != value for text in known):
            self.note(f"different texts are called {quote_peer(key)!r}; the first is read")
        known.append(Text(key, value, location))

    @property
    def is_full(self) -> bool:
        """Return whether no further text would be taken, so that none need be read."""
        return self._n_texts >= self.limits.texts or self.text_room <= 0

    @property
    def text_room(self) -> int:
        """Return how long one more text may be, in bytes."""
        return min(self.limits.text_bytes, self.limits.raw_bytes - self._text_characters)

    def note_full(self) -> None:
        """Note that texts were left out."""
        self.note("not all texts were read: there are too many, or they are too long together")

    def text(self, key: str) -> str | None:
        """Return the first text of that key."""
        texts = self._texts.get(key)
        return texts[0].value if texts else None

    def texts(self, key: str | None = None) -> Iterator[Text]:
        """Return all texts, or those of one key, in the order they were found."""
        if key is not None:
            yield from self._texts.get(key, ())
            return
        for texts in self._texts.values():
            yield from texts

    def first_text(self, *keys: str) -> Text | None:
        """Return the first text of the first of these keys that is there."""
        return next((self._texts[key][0] for key in keys if key in self._texts), None)
