"""Recursive Length Prefix (RLP), the encoding that EVM chains hash: strict reader, and writer.

Specification: Ethereum Yellow Paper, appendix B.

Rules: one encoding a value. Refused are a single byte below 0x80 behind a prefix, a long form
where the short one would do, a length with leading zeros, bytes after the end, nesting past
``limits.MAX_RLP_DEPTH``, and anything longer than the caller's limit. A value is ``bytes`` or a
list of values; integers are the caller's business (:func:`parse_rlp_integer`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from anchor import limits
from anchor.errors import (
    FormatError,
    LimitExceededError,
    NonCanonicalError,
    TrailingDataError,
    TruncatedError,
)

RlpValue: TypeAlias = "bytes | list[RlpValue]"
RlpInput: TypeAlias = "bytes | Sequence[RlpInput]"

_STRING = 0x80
_LIST = 0xC0
_SHORT_MAX = 55


def rlp_encode(value: RlpInput) -> bytes:
    """Return the one RLP encoding of bytes, or of a sequence nested to any depth."""
    if isinstance(value, bytes):
        if len(value) == 1 and value[0] < _STRING:
            return value
        return _length_prefix(len(value), _STRING) + value
    body = b"".join(rlp_encode(item) for item in value)
    return _length_prefix(len(body), _LIST) + body


def rlp_integer(number: int) -> bytes:
    """Return a non-negative integer as RLP wants it: big-endian, no leading zero, 0 is empty."""
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def rlp_decode(data: bytes, *, max_bytes: int) -> RlpValue:
    """Return the value that ``data`` is the encoding of, all of it.

    Raises:
        FormatError: not the canonical encoding of one value, or over a limit.
    """
    if len(data) > max_bytes:
        raise LimitExceededError(
            f"RLP of {len(data)} bytes, at most {max_bytes} wanted", code="format.rlp.limit"
        )
    value, end = _decode_at(data, 0, len(data), 0)
    if end != len(data):
        raise TrailingDataError(
            f"{len(data) - end} bytes after the RLP value", code="format.rlp.trailing_data"
        )
    return value


def parse_rlp_list(value: RlpValue, what: str) -> list[RlpValue]:
    """Return ``value`` if it is a list; FormatError otherwise."""
    if isinstance(value, bytes):
        raise FormatError(f"{what} is a byte string, a list wanted", code="format.rlp.kind")
    return value


def parse_rlp_bytes(
    value: RlpValue, what: str, *, n_bytes: int | None = None, max_bytes: int | None = None
) -> bytes:
    """Return ``value`` if it is a byte string of the length wanted; FormatError otherwise."""
    if not isinstance(value, bytes):
        raise FormatError(f"{what} is a list, a byte string wanted", code="format.rlp.kind")
    if n_bytes is not None and len(value) != n_bytes:
        raise FormatError(
            f"{what} has {len(value)} bytes, {n_bytes} wanted", code="format.rlp.length"
        )
    if max_bytes is not None and len(value) > max_bytes:
        raise FormatError(
            f"{what} has {len(value)} bytes, at most {max_bytes} wanted", code="format.rlp.length"
        )
    return value


def parse_rlp_integer(value: RlpValue, what: str, *, max_bytes: int) -> int:
    """Return the non-negative integer of at most ``max_bytes`` bytes; FormatError otherwise."""
    digits = parse_rlp_bytes(value, what, max_bytes=max_bytes)
    if digits[:1] == b"\0":
        raise NonCanonicalError(f"{what} has a leading zero", code="format.rlp.leading_zero")
    return int.from_bytes(digits, "big")


def _length_prefix(length: int, offset: int) -> bytes:
    if length <= _SHORT_MAX:
        return bytes((offset + length,))
    digits = rlp_integer(length)
    return bytes((offset + _SHORT_MAX + len(digits),)) + digits


def _decode_at(data: bytes, start: int, limit: int, depth: int) -> tuple[RlpValue, int]:
    """Return the value that starts at ``start`` and where it ends, never past ``limit``."""
    if start >= limit:
        raise TruncatedError("RLP ends before a value", code="format.rlp.truncated")
    prefix = data[start]
    if prefix < _STRING:
        return data[start : start + 1], start + 1
    offset = _STRING if prefix < _LIST else _LIST
    length, body = _read_length(data, start, limit, prefix - offset)
    end = body + length
    if end > limit:
        raise TruncatedError(
            f"RLP value of {length} bytes with {limit - body} left", code="format.rlp.truncated"
        )
    if offset == _STRING:
        text = data[body:end]
        if length == 1 and text[0] < _STRING:
            raise NonCanonicalError(
                f"RLP byte {text[0]:#04x} has a prefix it does not need",
                code="format.rlp.single_byte",
            )
        return text, end
    if depth >= limits.MAX_RLP_DEPTH:
        raise LimitExceededError(
            f"RLP nested more than {limits.MAX_RLP_DEPTH} deep", code="format.rlp.depth"
        )
    items: list[RlpValue] = []
    while body < end:
        item, body = _decode_at(data, body, end, depth + 1)
        items.append(item)
    return items, end


def _read_length(data: bytes, start: int, limit: int, short: int) -> tuple[int, int]:
    """Return the length of the body and where it starts; ``short`` is prefix minus offset."""
    if short <= _SHORT_MAX:
        return short, start + 1
    n_digits = short - _SHORT_MAX
    body = start + 1 + n_digits
    if body > limit:
        raise TruncatedError("RLP ends within a length", code="format.rlp.truncated")
    digits = data[start + 1 : body]
    length = int.from_bytes(digits, "big")
    if digits[0] == 0 or length <= _SHORT_MAX:
        raise NonCanonicalError(
            f"RLP length {length} is written in {n_digits} bytes, fewer wanted",
            code="format.rlp.length_form",
        )
    return length, body
