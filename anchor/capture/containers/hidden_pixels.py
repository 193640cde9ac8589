"""Read text hidden in the lowest bits of a PNG file's pixels, as NovelAI and some web UIs write it.

Layout: pixels column by column, downwards; one bit of each pixel's alpha, or one of each of red,
green and blue; 15 characters of signature (``stealth_pnginfo``, ``stealth_pngcomp``: alpha, plain
or gzip; ``stealth_rgbinfo``, ``stealth_rgbcomp``: colours), 32 bits with the payload's length in
bits, the payload.

A PNG filter works on a byte from those left of it, above it, and above left. So the first columns
of an image can be recovered without the rest of it, and one channel without the others: no image
library, and no more work than the text is long. A file without a signature costs its first rows.

Specification: PNG third edition, 7 and 9 (scanlines, filters); the layout as written by NovelAI.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from anchor.capture.file_bytes import FileBytes
from anchor.capture.findings import Findings
from anchor.capture.inflate import inflate
from anchor.capture.text import decode_text
from anchor.errors import FormatError, LimitExceededError, TruncatedError
from anchor.limits import MAX_HIDDEN_TEXT_BYTES

_SIGNATURE_BYTES: Final = 15
_SIGNATURES: Final = {
    b"stealth_pnginfo": False,
    b"stealth_pngcomp": True,
    b"stealth_rgbinfo": False,
    b"stealth_rgbcomp": True,
}
_BLOCK_BYTES: Final = 64 << 10
_MAX_ROW_BYTES: Final = 4 << 20


@dataclass(slots=True)
class PngPixels:
    """Where the pixels of a PNG file stand: 8 bits a channel, RGB or RGBA, not interlaced."""

    width: int
    height: int
    channels: int
    data: list[tuple[int, int]] = field(default_factory=list)


def read_hidden_text(file: FileBytes, pixels: PngPixels, found: Findings) -> None:
    """Add the texts hidden in the pixels, if there are any.

    A payload that is a JSON object (NovelAI) gives one text for each of its members, under the
    member's name; any other is one text called ``parameters``.
    """
    for name, channels in (("alpha", (3,)), ("colours", (0, 1, 2))):
        n_hidden_bits = pixels.width * pixels.height * len(channels)
        if channels[-1] >= pixels.channels or n_hidden_bits < 8 * (_SIGNATURE_BYTES + 4):
            continue
        try:
            _read_channels(
                _Bits(file, pixels, channels, found.limits.hidden_image_bytes),
                f"png:pixels:{name}",
                found,
            )
        except FormatError as error:
            found.note(str(error))


def _read_channels(bits: _Bits, location: str, found: Findings) -> None:
    signature = next((s for s in _SIGNATURES if bits.take(0, 1) == s[:1]), b"")
    if not signature:
        return
    signature = bits.take(0, _SIGNATURE_BYTES)
    if signature not in _SIGNATURES:
        return
    n_bits = int.from_bytes(bits.take(_SIGNATURE_BYTES, 4))
    n_bytes = n_bits // 8
    if n_bytes > MAX_HIDDEN_TEXT_BYTES:
        raise LimitExceededError(f"{location}: a hidden text of {n_bytes} bytes is not read")
    payload = bits.take(_SIGNATURE_BYTES + 4, n_bytes)
    found.keep(f"{location}:{signature.decode()}", payload)
    if _SIGNATURES[signature]:
        payload = inflate(payload, max_bytes=found.limits.text_bytes, what=location)
    for key, value in _texts(decode_text(payload)):
        found.add_text(key, value, location)


def _texts(text: str) -> Iterator[tuple[str, str]]:
    try:
        members = json.loads(text)
    except (ValueError, RecursionError):
        members = None
    names = ("Comment", "Description", "parameters", "prompt")
    if not isinstance(members, dict) or not any(isinstance(members.get(n), str) for n in names):
        yield "parameters", text
        return
    for key, value in members.items():
        if isinstance(value, str):
            yield key, value


class _Bits:
    """The hidden bits of an image, as bytes, inflated and unfiltered as far as they are wanted."""

    def __init__(
        self, file: FileBytes, pixels: PngPixels, channels: Sequence[int], max_bytes: int
    ) -> None:
        self._file = file
        self._pixels = pixels
        self._channels = channels
        self._max_bytes = max_bytes

    def take(self, start: int, n_bytes: int) -> bytes:
        """Return ``n_bytes`` from byte ``start`` of the hidden text.

        Raises:
            FormatError: the image is too small, too large, cut off or damaged.
        """
        n_bits = 8 * (start + n_bytes)
        height, channels = self._pixels.height, len(self._channels)
        n_pixels = -(-n_bits // channels)
        n_columns = -(-n_pixels // height)
        if n_columns > self._pixels.width:
            raise TruncatedError("png: the image has fewer pixels than the hidden text in it")
        rows = list(self._rows(n_columns, min(height, n_pixels)))
        bits = bytearray()
        for column in range(n_columns):
            for row in rows:
                bits += row[column * channels : (column + 1) * channels]
        digits = bits[8 * start : n_bits].translate(_LOWEST_BIT)
        return int(digits or b"0", 2).to_bytes(n_bytes)

    def _rows(self, n_columns: int, n_rows: int) -> Iterator[bytes]:
        """Yield the channels of the first columns of the first rows, unfiltered, interleaved."""
        above = [bytes(n_columns)] * len(self._channels)
        for scanline in self._scanlines(1 + n_columns * self._pixels.channels, n_rows):
            above = [
                _unfilter(scanline[0], scanline[1 + channel :: self._pixels.channels], before)
                for channel, before in zip(self._channels, above, strict=True)
            ]
            row = bytearray(n_columns * len(above))
            for index, values in enumerate(above):
                row[index :: len(above)] = values
            yield bytes(row)

    def _scanlines(self, n_kept: int, n_rows: int) -> Iterator[bytes]:
        """Inflate row after row, and yield the first bytes of each."""
        row_bytes = 1 + self._pixels.width * self._pixels.channels
        if row_bytes > _MAX_ROW_BYTES or row_bytes * n_rows > self._max_bytes:
            raise LimitExceededError(
                "png: the image is too large to look for text hidden in its pixels"
            )
        buffer = bytearray()
        n_yielded = 0
        for block in self._inflated():
            buffer += block
            start = 0
            while len(buffer) - start >= row_bytes and n_yielded < n_rows:
                yield bytes(buffer[start : start + n_kept])
                start += row_bytes
                n_yielded += 1
            if n_yielded == n_rows:
                return
            del buffer[:start]
        raise TruncatedError("png: the pixels end before the hidden text does")

    def _inflated(self) -> Iterator[bytes]:
        stream = zlib.decompressobj()
        try:
            for block in self._compressed():
                while block and not stream.eof:
                    yield stream.decompress(block, _BLOCK_BYTES)
                    block = stream.unconsumed_tail  # noqa: PLW2901 - the rest of the same block
        except zlib.error as error:
            raise FormatError("png: the pixels cannot be inflated") from error

    def _compressed(self) -> Iterator[bytes]:
        for offset, length in self._pixels.data:
            for start in range(offset, offset + length, _BLOCK_BYTES):
                n_bytes = min(_BLOCK_BYTES, offset + length - start)
                yield self._file.read(start, n_bytes, "png: pixels")


_LOWEST_BIT: Final = bytes(b"01"[value & 1] for value in range(256))


def _unfilter(kind: int, filtered: bytes, above: bytes) -> bytes:
    """Undo the filter of one channel of one scanline, given the one above it."""
    if kind == 0:
        return filtered
    if kind == 2:
        return bytes((value + up) & 0xFF for value, up in zip(filtered, above, strict=True))
    result = bytearray(len(filtered))
    left = up_left = 0
    for index, value in enumerate(filtered):
        up = above[index]
        if kind == 1:
            predicted = left
        elif kind == 3:
            predicted = (left + up) // 2
        elif kind == 4:
            predicted = _paeth(left, up, up_left)
        else:
            raise FormatError(f"png: no filter has the number {kind}", code="capture.png_filter")
        left, up_left = (value + predicted) & 0xFF, up
        result[index] = left
    return bytes(result)


def _paeth(left: int, up: int, up_left: int) -> int:
    """Return the neighbour that is nearest to left + up - up_left (PNG 9.4)."""
    estimate = left + up - up_left
    distances = (abs(estimate - left), abs(estimate - up), abs(estimate - up_left))
    return (left, up, up_left)[distances.index(min(distances))]
