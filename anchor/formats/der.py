"""Read and write the part of DER that time-stamp tokens need (ITU-T X.690).

Reading is strict where two readings could differ: definite lengths only, in the shortest form; one
octet identifiers; whole inputs; shortest integers; booleans 00 or FF. It is tolerant in one place,
because real authorities need it: the members of a SET may come in any order. Nothing is decoded
before it is asked for, and every element keeps its own bytes, so that signatures are checked over
what was sent and never over a re-encoding.

Not here: indefinite lengths, multi-octet identifiers, REAL, character sets other than the few that
names and status texts use.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

from anchor.errors import FormatError, LimitExceededError, TrailingDataError, TruncatedError
from anchor.limits import MAX_DER_DEPTH

BOOLEAN: Final = 0x01
INTEGER: Final = 0x02
BIT_STRING: Final = 0x03
OCTET_STRING: Final = 0x04
NULL: Final = 0x05
OID: Final = 0x06
UTF8_STRING: Final = 0x0C
GENERALIZED_TIME: Final = 0x18
SEQUENCE: Final = 0x30
SET: Final = 0x31

_MAX_INTEGER_BYTES: Final = 64
_MAX_OID_BYTES: Final = 64
_MAX_MEMBERS: Final = 1024


@dataclass(frozen=True, slots=True)
class Element:
    """One DER value.

    Attributes:
        tag: the identifier octet (class, constructed bit and number together).
        content: the content octets.
        raw: identifier, length and content, as they came.
        depth: how deep it lies in the input; the outermost is 0.
    """

    tag: int
    content: bytes
    raw: bytes
    depth: int = 0

    def expect(self, tag: int, what: str) -> Element:
        """Return this element if it has that tag."""
        if self.tag != tag:
            raise FormatError(f"{what}: tag {self.tag:02x}, expected {tag:02x}", code="der.tag")
        return self

    def members(self, tag: int, what: str) -> Members:
        """Return the members of a constructed element that has that tag, in the order sent."""
        self.expect(tag, what)
        if self.depth >= MAX_DER_DEPTH:
            raise LimitExceededError(f"{what}: nested more than {MAX_DER_DEPTH} deep")
        found: list[Element] = []
        offset = 0
        while offset < len(self.content):
            if len(found) >= _MAX_MEMBERS:
                raise LimitExceededError(f"{what}: more than {_MAX_MEMBERS} members")
            member = _read(self.content, offset, self.depth + 1, what)
            found.append(member)
            offset += len(member.raw)
        return Members(found, what)

    def inner(self, tag: int, what: str) -> Element:
        """Return the one element inside an explicitly tagged one."""
        members = self.members(tag, what)
        element = members.take()
        members.end()
        return element

    def integer(self, what: str) -> int:
        """Return an INTEGER of at most 64 octets."""
        data = self.expect(INTEGER, what).content
        if not 1 <= len(data) <= _MAX_INTEGER_BYTES:
            raise FormatError(f"{what}: an integer of {len(data)} octets", code="der.integer")
        if len(data) > 1 and (data[0], data[1] >> 7) in ((0x00, 0), (0xFF, 1)):
            raise FormatError(f"{what}: an integer that is longer than needed", code="der.integer")
        return int.from_bytes(data, "big", signed=True)

    def boolean(self, what: str) -> bool:
        """Return a BOOLEAN."""
        self.expect(BOOLEAN, what)
        if self.content not in (b"\x00", b"\xff"):
            raise FormatError(f"{what}: a boolean is 00 or ff", code="der.boolean")
        return self.content == b"\xff"

    def oid(self, what: str) -> str:
        """Return an OBJECT IDENTIFIER as dotted decimals."""
        dotted = _dotted(self.expect(OID, what).content)
        if dotted is None:
            raise FormatError(f"{what}: not an object identifier", code="der.oid")
        return dotted

    def octets(self, what: str) -> bytes:
        """Return the octets of a primitive OCTET STRING."""
        return self.expect(OCTET_STRING, what).content

    def bits(self, what: str) -> bytes:
        """Return the octets of a BIT STRING whose bits are whole octets, as signatures are."""
        data = self.expect(BIT_STRING, what).content
        if data[:1] != b"\x00":
            raise FormatError(f"{what}: not a bit string of whole octets", code="der.bit_string")
        return data[1:]

    def generalized_time(self, what: str) -> datetime:
        """Return a GeneralizedTime in UTC, seconds present (RFC 3161 2.4.2), as an aware datetime.

        A fraction finer than a microsecond is rounded up: the time serves as an upper bound.
        """
        text = self.expect(GENERALIZED_TIME, what).content
        whole, dot, fraction = text[:-1].partition(b".")
        digits = whole.isdigit() and len(whole) == 14 and text[-1:] == b"Z"
        if not digits or (dot and not (fraction.isdigit() and len(fraction) <= 12)):
            raise FormatError(f"{what}: not a time such as 20261123100208Z", code="der.time")
        try:
            month, day, hour, minute, second = (int(whole[i : i + 2]) for i in range(4, 14, 2))
            moment = datetime(int(whole[:4]), month, day, hour, minute, second, tzinfo=UTC)
            return moment + timedelta(microseconds=-(-int(fraction.ljust(12, b"0")) // 10**6))
        except (ValueError, OverflowError) as exc:
            raise FormatError(f"{what}: no such time", code="der.time") from exc


class Members:
    """The members of a constructed element, taken one after the other."""

    __slots__ = ("_found", "_next", "what")

    def __init__(self, found: list[Element], what: str) -> None:
        self._found = found
        self._next = 0
        self.what = what

    def take(self, tag: int | None = None) -> Element:
        """Return the next member, which must be there and have the tag if one is given."""
        if self._next >= len(self._found):
            raise TruncatedError(f"{self.what}: a member is missing", code="der.missing")
        element = self._found[self._next]
        if tag is not None:
            element.expect(tag, self.what)
        self._next += 1
        return element

    def take_if(self, tag: int) -> Element | None:
        """Return the next member if it has that tag, else None and nothing is taken."""
        if self._next < len(self._found) and self._found[self._next].tag == tag:
            return self.take()
        return None

    def rest(self) -> list[Element]:
        """Return all members that were not taken."""
        found, self._next = self._found[self._next :], len(self._found)
        return found

    def end(self) -> None:
        """Refuse members that nobody took."""
        if self._next < len(self._found):
            tag = self._found[self._next].tag
            raise TrailingDataError(f"{self.what}: a member too many (tag {tag:02x})")


def parse_der(data: bytes, *, max_bytes: int, what: str) -> Element:
    """Return the one element that ``data`` is, to its last byte.

    Raises:
        FormatError: it is not DER, is longer than ``max_bytes``, or something follows it.
    """
    if len(data) > max_bytes:
        raise LimitExceededError(f"{what}: {len(data)} bytes, at most {max_bytes} are read")
    element = _read(data, 0, 0, what)
    if len(element.raw) != len(data):
        raise TrailingDataError(f"{what}: {len(data) - len(element.raw)} bytes after its end")
    return element


@lru_cache(maxsize=256)
def _dotted(data: bytes) -> str | None:
    """Decode an object identifier; the few that tokens use come again and again."""
    if not 1 <= len(data) <= _MAX_OID_BYTES or data[-1] & 0x80:
        return None
    arcs, arc, fresh = [], 0, True
    for octet in data:
        if fresh and octet == 0x80:  # longer than needed
            return None
        arc = arc << 7 | octet & 0x7F
        fresh = not octet & 0x80
        if fresh:
            arcs.append(arc)
            arc = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(str(arc) for arc in (first, arcs[0] - 40 * first, *arcs[1:]))


def _read(data: bytes, offset: int, depth: int, what: str) -> Element:
    if len(data) < offset + 2:
        raise TruncatedError(f"{what}: ends inside an element")
    tag, length, start = data[offset], data[offset + 1], offset + 2
    if tag & 0x1F == 0x1F:
        raise FormatError(f"{what}: a tag number over 30", code="der.tag")
    if length >= 0x80:
        count = length & 0x7F
        if not 1 <= count <= 4:
            raise FormatError(f"{what}: an indefinite or huge length", code="der.length")
        length = int.from_bytes(data[start : start + count], "big")
        if length < 0x80 or length >> 8 * (count - 1) == 0:
            raise FormatError(f"{what}: a length in more octets than needed", code="der.length")
        start += count
    if length > len(data) - start:
        raise TruncatedError(f"{what}: ends {length - len(data) + start} bytes too early")
    end = start + length
    return Element(tag, data[start:end], data[offset:end], depth)


def tlv(tag: int, *contents: bytes) -> bytes:
    """Write one element around the concatenated contents."""
    content = b"".join(contents)
    if len(content) < 0x80:
        return bytes((tag, len(content))) + content
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def der_sequence(*members: bytes) -> bytes:
    """Write a SEQUENCE."""
    return tlv(SEQUENCE, *members)


def der_set(members: Iterable[bytes]) -> bytes:
    """Write a SET OF, its members sorted as DER wants them."""
    return tlv(SET, *sorted(members))


def der_integer(value: int) -> bytes:
    """Write an INTEGER."""
    octets = (value if value >= 0 else ~value).bit_length() // 8 + 1
    return tlv(INTEGER, value.to_bytes(octets, "big", signed=True))


def der_oid(dotted: str) -> bytes:
    """Write an OBJECT IDENTIFIER given as dotted decimals; ValueError if it is not one."""
    first, second, *rest = (int(arc) for arc in dotted.split("."))
    if first not in (0, 1, 2) or (first < 2 and second > 39) or min(second, *rest, 0) < 0:
        raise ValueError(f"not an object identifier: {dotted}")
    content = bytearray()
    for arc in (first * 40 + second, *rest):
        groups = range((max(arc.bit_length(), 1) - 1) // 7, -1, -1)
        content += bytes((arc >> 7 * group) & 0x7F | (0x80 if group else 0) for group in groups)
    return tlv(OID, bytes(content))
