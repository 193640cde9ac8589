"""Write BER again as DER (ITU-T X.690 8.1.3, 8.7, 10.1 to 10.2), for authorities that send BER.

RFC 3161 wants DER; some authorities send CMS with indefinite lengths or octet strings in pieces.
What leaves this module has definite lengths in their shortest form and whole octet strings, so that
the kernel, the proof and every later reader see DER only. Nothing signed is touched that was DER
before; whatever comes out is verified as if it had come so.

What this deliberately does not do: sort sets, or read anything but the outer form.
"""

from __future__ import annotations

from anchor.errors import FormatError, LimitExceededError, TrailingDataError, TruncatedError
from anchor.formats.der import OCTET_STRING, tlv
from anchor.limits import MAX_DER_DEPTH

_CONSTRUCTED = 0x20
_END = b"\x00\x00"


def der_from_ber(data: bytes) -> bytes:
    """Return the one BER value that ``data`` is as DER; FormatError if it is none."""
    encoded, end = _element(data, 0, 0)
    if end != len(data):
        raise TrailingDataError(f"BER: {len(data) - end} bytes after its end")
    return encoded


def _element(data: bytes, offset: int, depth: int) -> tuple[bytes, int]:
    """Return the DER of the element at ``offset`` and where it ends."""
    if depth > MAX_DER_DEPTH:
        raise LimitExceededError(f"BER: nested more than {MAX_DER_DEPTH} deep")
    if len(data) < offset + 2:
        raise TruncatedError("BER: ends inside an element")
    tag, first, start = data[offset], data[offset + 1], offset + 2
    if tag & 0x1F == 0x1F:
        raise FormatError("BER: a tag number over 30", code="ber.tag")
    end: int | None = start + first
    if first == 0x80:
        end = None
    elif first > 0x80:
        octets = data[start : start + (first & 0x7F)]
        start += first & 0x7F
        end = start + int.from_bytes(octets, "big")
    if max(start, end or 0) > len(data):
        raise TruncatedError("BER: ends inside an element")
    if tag & _CONSTRUCTED:
        members, end = _members(data, start, end, depth + 1)
        if tag == OCTET_STRING | _CONSTRUCTED:
            return tlv(OCTET_STRING, *(_piece(member) for member in members)), end
        return tlv(tag, *members), end
    if end is None:
        raise FormatError("BER: an indefinite length of a primitive value", code="ber.length")
    return tlv(tag, data[start:end]), end


def _members(data: bytes, offset: int, end: int | None, depth: int) -> tuple[list[bytes], int]:
    """Return the members up to ``end``, or up to the end marker where that is None."""
    members: list[bytes] = []
    while end is None or offset < end:
        if end is None and data[offset : offset + 2] == _END:
            return members, offset + 2
        member, offset = _element(data, offset, depth)
        members.append(member)
    if offset != end:
        raise FormatError("BER: a member is longer than what holds it", code="ber.length")
    return members, offset


def _piece(member: bytes) -> bytes:
    """Return the octets of one piece of an octet string, itself DER by now."""
    if member[0] != OCTET_STRING:
        raise FormatError("BER: a piece of an octet string is none", code="ber.octets")
    header = 2 if member[1] < 0x80 else 2 + (member[1] & 0x7F)
    return member[header:]
