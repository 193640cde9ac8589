"""Turn the bytes of a text into characters: what is declared first, then what fits.

Generators write UTF-8 where the format says Latin-1, and UTF-16 in either byte order where it says
one. The bytes are kept beside the text, so a wrong guess loses nothing.

Sources: PNG third edition 11.3.3 (Latin-1 in tEXt and zTXt, UTF-8 in iTXt); Exif 3.0 4.6.5.
(UserComment: eight bytes name the character code).
"""

from __future__ import annotations

from typing import Final, Literal

# Loaded now: the sandbox lets no module be loaded while a file is read.
"".encode("iso2022_jp")
"".encode("utf-16-be")
"".encode("utf-16-le")

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_UNICODE: Final = b"UNICODE\0"
_ASCII: Final = b"ASCII\0\0\0"
_JIS: Final = b"JIS\0\0\0\0\0"
_UNDEFINED: Final = bytes(8)


def decode_text(data: bytes) -> str:
    """Read UTF-8 (with or without byte order mark) or, where it is not that, Latin-1."""
    try:
        return data.removeprefix(_BYTE_ORDER_MARK).decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def decode_user_comment(data: bytes, byte_order: Literal["big", "little"]) -> str:
    """Read an Exif UserComment, whose first eight bytes may name its character code.

    Writers put UTF-16 in big-endian order whatever the order of the file is (A1111 and all that
    use piexif), or in the order of the file; which it was shows in where the zero bytes are.
    """
    code, body = data[:8], data[8:]
    if code == _UNICODE:
        return _decode_utf16(body, byte_order)
    if code == _JIS:
        return body.decode("iso2022_jp", "replace").rstrip("\0")
    if code in (_ASCII, _UNDEFINED):
        return decode_text(body.rstrip(b"\0"))
    return decode_text(data.rstrip(b"\0"))


def repair_surrogates(text: str) -> str:
    """Replace halves of surrogate pairs, which no UTF-8 can carry, by U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def printable(text: str, *, max_characters: int) -> str:
    """Return text cut to a length, with whatever is not printable replaced by a question mark.

    Names in files are strangers' text: no control or direction mark of theirs may reach a terminal.
    """
    return "".join(c if c.isprintable() else "?" for c in text[:max_characters])


def _decode_utf16(data: bytes, byte_order: Literal["big", "little"]) -> str:
    if data[:2] in (b"\xfe\xff", b"\xff\xfe"):
        encoding = "utf-16-be" if data[0] == 0xFE else "utf-16-le"
        return data[2:].decode(encoding, "replace").rstrip("\0")
    if len(data) % 2 and data.endswith(b"\0"):
        data = data[:-1]
    if len(data) % 2:
        return decode_text(data.rstrip(b"\0"))
    high, low = data[0::2].count(0), data[1::2].count(0)
    if not high and not low and (data.startswith(b"{") or b"Steps: " in data):
        return decode_text(data)  # the code is named and was not used
    if high != low:
        byte_order = "big" if high > low else "little"
    encoding = "utf-16-be" if byte_order == "big" else "utf-16-le"
    return data.decode(encoding, "replace").rstrip("\0")
