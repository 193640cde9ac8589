"""Zip files that readers understand in two ways, or that harm: each with the code that refuses it.

``attacks()`` gives them by name; both verifiers must refuse all of them, for the same reason.
"""

from __future__ import annotations

import io
import struct
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any


def info(name: str, **changes: Any) -> zipfile.ZipInfo:
    """Return what Python's writer takes for a plain file."""
    found = zipfile.ZipInfo(name, (2026, 11, 23, 10, 2, 8))
    found.create_system = 3
    found.external_attr = 0o100644 << 16
    for key, value in changes.items():
        setattr(found, key, value)
    return found


def zipped(*entries: tuple[zipfile.ZipInfo | str, bytes]) -> bytes:
    """Return a zip file by Python's own writer."""
    out = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(out, "w") as file:
        warnings.simplefilter("ignore", UserWarning)  # of names that are there twice
        for name, data in entries:
            file.writestr(info(name) if isinstance(name, str) else name, data)
    return out.getvalue()


def named(*names: str) -> bytes:
    """Return a zip file of empty files."""
    return zipped(*((name, b"") for name in names))


def patched(data: bytes, *changes: tuple[int, str, int]) -> bytes:
    """Return the bytes with numbers put at places."""
    out = bytearray(data)
    for place, form, value in changes:
        struct.pack_into(form, out, place, value)
    return bytes(out)


def central(data: bytes, number: int = 0) -> int:
    """Return where a row of the directory begins."""
    place = -1
    for _ in range(number + 1):
        place = data.index(b"PK\x01\x02", place + 1)
    return place


def end(data: bytes) -> int:
    """Return where the end of the directory begins."""
    return data.rindex(b"PK\x05\x06")


GOOD = zipped(("x.exhibit/b", b"two"), ("x.exhibit/a/c", b""))


def attacks() -> Iterator[tuple[str, bytes, str]]:
    """Yield what is done, the bytes, and the code."""
    yield from _names()
    yield from _kinds()
    yield from _directories()
    yield from _sizes()
    yield from _two_faces()
    yield from _streams()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for number in range(100_000):
            file.writestr(info(f"x.exhibit/{number}"), b"")
    yield "a hundred thousand entries", out.getvalue(), "exhibit.entries"


def _names() -> Iterator[tuple[str, bytes, str]]:
    for name in (
        "/etc/passwd", "x.exhibit/../../etc/passwd", "x.exhibit/./a", "x.exhibit//a",
        "x.exhibit/a\\b", "x.exhibit/C:a", "x.exhibit/a\nb", "x.exhibit/\x1b[31m",
        "x.exhibit/\u202egnp.exe", "x.exhibit/a.", "x.exhibit/a ", "x.exhibit/cafe\u0301",
        f"x.exhibit/{'n' * 250}", "x.exhibit/a*", "x.exhibit/..", "x.exhibit/a\x7f",
        "x.exhibit/a\u200bb", "x.exhibit/a\u00a0b", "x.exhibit/\ud7ff\ue000", "x.exhibit/a\u2028b",
        "x.exhibit/水", "x.exhibit/\u1c89", "x.exhibit/\U0001fae9", "x.exhibit/ä",
    ):  # fmt: skip
        yield f"name {name!a}", named("x.exhibit/b", name), "exhibit.name"
    for names in (
        ("a", "a"), ("Data/x", "data/x"), ("a", "a/b"), ("A", "a/b"), ("a/b/c", "a/b"),
    ):  # fmt: skip
        data = named(*(f"x.exhibit/{name}" for name in names))
        yield f"names {names!a}", data, "exhibit.duplicate"
    for names in (("a", "b"), ("x/a",), ("x.exhibit/a", "y.exhibit/a"), ("x.exhibit",), ()):
        yield f"folders {names}", named(*names), "exhibit.folder"
    extra = struct.pack("<HHBI", 0x7075, 6, 1, 0) + b"z"
    yield "a second name", zipped((info("x.exhibit/a", extra=extra), b"")), "exhibit.name"
    odd = named("x.exhibit/a~").replace(b"a~", b"a\xe9")
    yield "a name in Latin-1", odd, "exhibit.name"
    broken = named("x.exhibit/ä").replace(b"\xc3\xa4", b"\xc3\x28")
    yield "a name that is no UTF-8", broken, "exhibit.name"


def _kinds() -> Iterator[tuple[str, bytes, str]]:
    for mode in (0o120777, 0o010644, 0o060644, 0o040755, 0o140644):
        entry = info("x.exhibit/a", external_attr=mode << 16)
        yield f"mode {mode:o}", zipped((entry, b"target")), "exhibit.kind"
    entry = info("x.exhibit/data/", external_attr=0o40755 << 16 | 0x10)
    yield "an entry for a folder", zipped((entry, b"")), "exhibit.kind"
    row = central(GOOD)
    yield "encrypted", patched(GOOD, (row + 8, "<H", 1), (6, "<H", 1)), "exhibit.method"
    for method in (1, 9, 12, 14, 93):
        changed = patched(GOOD, (row + 10, "<H", method), (8, "<H", method))
        yield f"method {method}", changed, "exhibit.method"
    yield "a data descriptor", patched(GOOD, (row + 8, "<H", 8), (6, "<H", 8)), "exhibit.method"


def _directories() -> Iterator[tuple[str, bytes, str]]:
    for place, form, value in (
        (6, "<H", 2), (14, "<I", 1), (18, "<I", 2), (22, "<I", 4), (30, "<B", ord("y")),
    ):  # fmt: skip
        changed = patched(GOOD, (place, form, value))
        yield f"another local header at {place}", changed, "exhibit.header"
    two = zipped(("x.exhibit/a", b"1" * 60), ("x.exhibit/b", b"2" * 60))
    yield "two rows of one entry", patched(two, (central(two, 1) + 42, "<I", 0)), "exhibit.overlap"
    row = central(two)
    places = (row + 20, row + 24, 18, 22)
    quoted = patched(two, *((place, "<I", 130) for place in places))
    yield "an entry inside another one", quoted, "exhibit.overlap"
    start = central(GOOD)
    gap = GOOD[:start] + b"hidden" + GOOD[start:]
    gap = patched(gap, (end(gap) + 16, "<I", start + 6))
    yield "bytes before the directory", gap, "exhibit.overlap"
    prefix = b"#!/bin/sh\n"
    moved = prefix + GOOD
    rows = [central(moved, number) + 42 for number in range(2)]
    offsets = [struct.unpack_from("<I", moved, place)[0] + len(prefix) for place in rows]
    moved = patched(
        moved,
        *((place, "<I", offset) for place, offset in zip(rows, offsets, strict=True)),
        (end(moved) + 16, "<I", start + len(prefix)),
    )
    yield "bytes before the first entry", moved, "exhibit.overlap"
    yield "bytes before all", prefix + GOOD, "exhibit.zip"
    yield "bytes behind all", GOOD + b"tail", "exhibit.zip"
    comment = patched(GOOD, (end(GOOD) + 20, "<H", 4)) + b"tail"
    yield "a comment", comment, "exhibit.zip"
    for name, data in (
        ("nothing", b""), ("two letters", b"PK"), ("zeros", b"\0" * 100), ("cut", GOOD[:-1]),
        ("without its head", GOOD[30:]), ("without its end", GOOD[: end(GOOD)]),
    ):  # fmt: skip
        yield name, data, "exhibit.zip"
    three = named(*(f"x.exhibit/{number}" for number in range(3)))
    few = patched(three, (end(three) + 8, "<H", 2), (end(three) + 10, "<H", 2))
    yield "a directory of more rows than it states", few, "exhibit.zip"


def with_ends(data: bytes, *, plain: tuple[int, ...], more: bytes = b"") -> bytes:
    """Return a zip file with a Zip64 end, true but for ``more`` in it, and a plain one that says.

    Args:
        data: with a plain end only.
        plain: entries of this part, entries, size and start of the directory, as the plain end
            has them.
        more: put at the end of the Zip64 end, which counts it.
    """
    at = end(data)
    count, size, start = struct.unpack_from("<HII", data, at + 10)
    numbers = (45, 45, 0, 0, count, count, size, start)
    wide = struct.pack("<4sQHHIIQQQQ", b"PK\x06\x06", 44 + len(more), *numbers) + more
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, at, 1)
    return data[:at] + wide + locator + struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, *plain, 0)


def with_row(data: bytes, *, extra: bytes = b"", comment: bytes = b"") -> bytes:
    """Return a zip file with an extra field or a comment behind the last row of its directory."""
    number = data.count(b"PK\x01\x02") - 1
    row, at = central(data, number), end(data)
    out = data[:at] + extra + comment + data[at:]
    size = struct.unpack_from("<I", data, at + 12)[0]
    return patched(
        out,
        (row + 30, "<H", len(extra)), (row + 32, "<H", len(comment)),
        (end(out) + 12, "<I", size + len(extra) + len(comment)),
    )  # fmt: skip


def _two_faces() -> Iterator[tuple[str, bytes, str]]:
    """Yield files that show one reader these bytes, and another one those."""
    at = end(GOOD)
    count, size, start = struct.unpack_from("<HII", GOOD, at + 10)
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, start, 1)
    second = GOOD[start:at] + with_ends(GOOD, plain=(0xFFFF,) * 2 + (0xFFFFFFFF,) * 2)[at:-22]
    yield "a directory in a comment of a row", with_row(GOOD, comment=second), "exhibit.zip"
    yield "a comment of a row", with_row(GOOD, comment=b"hello"), "exhibit.zip"
    yield "a locator before a plain end", with_row(GOOD, comment=locator), "exhibit.zip"
    hidden = patched(GOOD[:at] + locator + GOOD[at:], (at + 20 + 12, "<I", size + 20))
    yield "a locator behind the directory", hidden, "exhibit.zip"
    for name, plain in (
        ("another place", (0xFFFF, 0xFFFF, size, 0)),
        ("another size", (count, count, size + 76, 0xFFFFFFFF)),
        ("another count", (count - 1, count - 1, size, 0xFFFFFFFF)),
        ("another count here", (count - 1, 0xFFFF, size, 0xFFFFFFFF)),
    ):
        yield f"two ends, {name}", with_ends(GOOD, plain=plain), "exhibit.zip"
    fill = (0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF)
    yield "a Zip64 end with more", with_ends(GOOD, plain=fill, more=b"more"), "exhibit.zip"
    several = with_ends(GOOD, plain=fill)
    several = patched(several, (end(several) - 4, "<I", 2))
    yield "a locator of several parts", several, "exhibit.zip"
    unasked = with_ends(GOOD, plain=(count, count, size, start))
    yield "a Zip64 end that no number asks for", unasked, "exhibit.zip"
    wide = struct.pack("<HHQ", 1, 8, 77)
    for name, extra in (
        ("a Zip64 field that nothing needs", wide), ("two Zip64 fields", wide + wide),
        ("another extra field", struct.pack("<HH", 0x9999, 4) + b"abcd"),
        ("half an extra field", b"\x01\x00"),
    ):  # fmt: skip
        yield name, with_row(GOOD, extra=extra), "exhibit.zip"
    row = central(GOOD, 1)
    found = struct.unpack_from("<I", GOOD, row + 42)[0]
    longer = struct.pack("<HHQQ", 1, 16, found, 0)
    moved = patched(with_row(GOOD, extra=longer), (row + 42, "<I", 0xFFFFFFFF))
    yield "a Zip64 field with more than is needed", moved, "exhibit.zip"


def deflated(body: bytes, data: bytes) -> bytes:
    """Return a zip file of one entry that states to hold ``data`` in ``body``."""
    out = zipped((info("x.exhibit/a"), body))
    crc = zlib.crc32(data)
    row = central(out)
    return patched(
        out,
        *((place, "<H", 8) for place in (8, row + 10)),
        *((place, "<I", crc) for place in (14, row + 16)),
        *((place, "<I", len(data)) for place in (22, row + 24)),
    )


def _streams() -> Iterator[tuple[str, bytes, str]]:
    """Yield deflated entries, whole and not: two readers may unpack them differently."""
    data = b"the same again and again " * 50
    packer = zlib.compressobj(9, wbits=-15)
    body = packer.compress(data) + packer.flush()
    yield "a deflated entry", deflated(body, data), "exhibit.method"
    yield "bytes behind a stream", deflated(body + b"GARBAGE", data), "exhibit.method"
    wrong = b"\x01" + struct.pack("<HH", 4, 0xFFFF) + b"four"
    yield "a stored block of two lengths", deflated(wrong, b"four"), "exhibit.method"
    yield "nothing, deflated", deflated(b"\x03\x00", b""), "exhibit.method"


def _sizes() -> Iterator[tuple[str, bytes, str]]:
    entry = info("x.exhibit/bomb", compress_type=zipfile.ZIP_DEFLATED)
    yield "a bomb", zipped((entry, bytes(50_000_000))), "exhibit.method"
    changed = patched(GOOD, (central(GOOD) + 24, "<I", 4), (22, "<I", 4))
    yield "stored in another size", changed, "exhibit.size"
    entry = info("x.exhibit/signature.json")
    yield "a text above its limit", zipped((entry, b"%d" * 40_000)), "exhibit.too_large"
