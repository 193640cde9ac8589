"""Read and write UTF-8, numbers, hexadecimal, base64, JSON and UTC times in the one way allowed.

Sources: RFC 4648 (sections 4, 5, 8), RFC 8259 with RFC 7493 (I-JSON), RFC 3339 restricted to UTC.

Rules of this module:

* A value has one spelling. What does not encode back to the same text is refused, so that two
  different texts can never stand for one proof. The exception is JSON as a whole, whose white space
  and member order are free: nothing here is ever hashed as JSON text.
* Readers take whatever a JSON document may hold in the place and raise only
  :class:`~anchor.errors.FormatError` subclasses; limits are checked before the work they bound.
* Messages name the value by the caller's ``what`` and do not repeat it: it may be long or private.

It deliberately knows no time zone but UTC, no floating-point number, and no JSON extension.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import accumulate
from typing import Any, Final, NoReturn, cast

from anchor import limits
from anchor.errors import FormatError, LimitExceededError, NonCanonicalError

_DECIMAL: Final = re.compile(r"0|[1-9][0-9]*", re.ASCII)
_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")
_STANDARD: Final = bytes.maketrans(b"-_", b"+/")
_UTC: Final = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,6}))?Z", re.ASCII
)
_JSON_ESCAPE: Final = re.compile(rb"\\.", re.DOTALL)
# A JSON string without escapes, closed or not: every quote starts a match, so the scan is linear.
_JSON_STRING: Final = re.compile(rb'"[^"]*"?')
_JSON_NOT_STRUCTURE: Final = bytes(set(range(256)) - set(b'[]{}"'))
_JSON_STEP: Final = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_JSON_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")
_JSON_INTEGER_CHARACTERS: Final = len(str(-limits.MAX_JSON_INTEGER))


def _text(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise FormatError(f"{what} is not a string", code="format.type")
    return value


# -- text and bytes --------------------------------------------------------------------------------


def parse_utf8(data: bytes | str, *, max_bytes: int, what: str) -> str:
    """Read UTF-8, or check that a str can be written as such; ``max_bytes`` is of UTF-8.

    Raises:
        LimitExceededError: longer than ``max_bytes``.
        FormatError: not UTF-8, or a str with half of a surrogate pair.
    """
    if len(data) <= max_bytes:
        try:
            raw = data.encode("utf-8") if isinstance(data, str) else data
            text = raw.decode("utf-8")
        except UnicodeError:
            raise FormatError(f"{what} is not UTF-8", code="format.utf8") from None
        if len(raw) <= max_bytes:
            return text
    raise LimitExceededError(f"{what} is longer than {max_bytes} bytes")


def parse_decimal(text: str, *, maximum: int, what: str) -> int:
    """Read an ASCII decimal without sign or leading zero.

    Raises:
        LimitExceededError: greater than ``maximum``.
        FormatError: not such a number.
    """
    if not _DECIMAL.fullmatch(text):
        raise FormatError(
            f"{what} is no decimal number without leading zeros", code="format.decimal"
        )
    if len(text) > len(str(maximum)) or int(text) > maximum:
        raise LimitExceededError(f"{what} of {len(text)} digits, wanted at most {maximum}")
    return int(text)


def parse_hex(
    text: object, *, n_bytes: int | None = None, max_bytes: int | None = None, what: str = "value"
) -> bytes:
    """Read lower-case hexadecimal without a prefix.

    Args:
        text: any value; only a string can be right.
        n_bytes: the exact number of bytes wanted, if it is fixed.
        max_bytes: the greatest number of bytes allowed, if it is not.
        what: how messages call the value.

    Raises:
        NonCanonicalError: upper-case digits.
        LimitExceededError: more than ``max_bytes``.
        FormatError: not hexadecimal, or not ``n_bytes`` long.
    """
    text = _text(text, what)
    if n_bytes is not None and len(text) != 2 * n_bytes:
        raise FormatError(
            f"{what} has {len(text)} characters, wanted {2 * n_bytes} hexadecimal digits",
            code="format.hex.length",
        )
    if max_bytes is not None and len(text) > 2 * max_bytes:
        raise LimitExceededError(f"{what} is longer than {max_bytes} bytes")
    try:
        data = bytes.fromhex(text)
    except ValueError:
        raise FormatError(f"{what} is not hexadecimal", code="format.hex") from None
    if data.hex() == text:
        return data
    if data.hex() == text.lower():
        raise NonCanonicalError(f"{what} has upper-case hexadecimal digits, wanted lower case")
    raise FormatError(f"{what} is not hexadecimal", code="format.hex")


def parse_hexes(items: Sequence[object], n_bytes: int) -> list[bytes]:
    """Read many hexadecimal strings of one length at once, each as :func:`parse_hex` would.

    Raises:
        FormatError: as there, for the first that is wrong.
    """
    if n_bytes and set(map(type, items)) == {str}:
        strings = cast("Sequence[str]", items)
        # Where each has its length, what encodes back as a whole does so item by item.
        if set(map(len, strings)) == {2 * n_bytes}:
            text = "".join(strings)
            with contextlib.suppress(ValueError):
                data = bytes.fromhex(text)
                if data.hex() == text:
                    return [data[at : at + n_bytes] for at in range(0, len(data), n_bytes)]
    return [parse_hex(item, n_bytes=n_bytes) for item in items]


def _parse_base(text: object, *, url: bool, max_bytes: int, what: str) -> bytes:
    """Decode either alphabet, and compare with what encoding gives."""
    text = _text(text, what)
    if len(text) > 4 * (max_bytes // 3 + 1):
        raise LimitExceededError(f"{what} is longer than {max_bytes} bytes")
    # What decodes, by whatever rules, to bytes that encode to this text is right; the rest of this
    # function only finds out what is wrong.
    with contextlib.suppress(ValueError):
        raw = text.encode("ascii")
        quick = binascii.a2b_base64(raw.translate(_STANDARD) + b"==" if url else raw)
        if len(quick) <= max_bytes and (base64url(quick) if url else base64_text(quick)) == text:
            return quick
    name = "base64url" if url else "base64"
    try:
        if url:
            data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        else:
            data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise FormatError(f"{what} is not {name}", code=f"format.{name}") from None
    if len(data) > max_bytes:
        raise LimitExceededError(f"{what} is longer than {max_bytes} bytes")
    if (base64url(data) if url else base64_text(data)) != text:
        raise NonCanonicalError(f"{what} is {name} that does not encode back to the same text")
    return data


def parse_base64(text: object, *, max_bytes: int, what: str) -> bytes:
    """Read padded standard base64 (RFC 4648 section 4).

    Raises:
        NonCanonicalError: spare bits set, or padding in another way than the canonical one.
        LimitExceededError: more than ``max_bytes``.
        FormatError: not base64.
    """
    return _parse_base(text, url=False, max_bytes=max_bytes, what=what)


def parse_base64url(text: object, *, max_bytes: int, what: str) -> bytes:
    """Read base64url without padding (RFC 4648 section 5, as JOSE writes it).

    Raises:
        NonCanonicalError: spare bits set, or padded.
        LimitExceededError: more than ``max_bytes``.
        FormatError: not base64url.
    """
    return _parse_base(text, url=True, max_bytes=max_bytes, what=what)


def base64_text(data: bytes) -> str:
    """Write padded standard base64."""
    return binascii.b2a_base64(data, newline=False).decode("ascii")


def base64url(data: bytes) -> str:
    """Write base64url without padding."""
    return (
        binascii.b2a_base64(data, newline=False).translate(_URL_SAFE).rstrip(b"=").decode("ascii")
    )


# -- JSON ------------------------------------------------------------------------------------------


def parse_json(
    data: bytes | str, *, max_bytes: int, what: str, max_values: int | None = None
) -> Any:
    """Read one JSON document: what every reader of it understands in the same way, or nothing.

    Returns dict, list, str, int, bool or None. At most ``limits.MAX_JSON_DEPTH`` arrays and objects
    are nested in each other; the depth is counted before the recursive reader sees the text. So is,
    where ``max_values`` is given, the number of commas and opening brackets and braces outside of
    strings: an empty array takes a hundred times its two bytes.

    Raises:
        LimitExceededError: too long, too deep, too many values, or an integer beyond ±(2**53 - 1).
        NonCanonicalError: a member name twice in one object, ``-0``, or a byte order mark.
        FormatError: not UTF-8, not JSON, a number with fraction or exponent, NaN or an infinity,
            or half of a surrogate pair.
    """
    text = parse_utf8(data, max_bytes=max_bytes, what=what)
    if text.startswith("\ufeff"):
        raise NonCanonicalError(f"{what} starts with a byte order mark")
    raw = data if isinstance(data, bytes) else text.encode()
    if max_values is not None and _has_more_values(raw, max_values):
        raise LimitExceededError(
            f"{what} holds more than {max_values} values", code="format.json.values"
        )
    openings = raw.count(b"[") + raw.count(b"{")  # no document is deeper than it has of these
    if openings > limits.MAX_JSON_DEPTH and _json_depth(raw) > limits.MAX_JSON_DEPTH:
        raise LimitExceededError(
            f"{what} is nested deeper than {limits.MAX_JSON_DEPTH} levels",
            code="format.json.depth",
        )
    try:
        value = _JSON_DECODER.decode(text)
        if b"\\u" in raw and _JSON_SURROGATE.search(text):
            # Only an escape can bring in half a pair; UTF-8 cannot carry it out again.
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise FormatError(
            f"{what} holds half of a surrogate pair", code="format.json.surrogate"
        ) from None
    except ValueError as exc:
        place = f" at character {exc.pos}" if isinstance(exc, json.JSONDecodeError) else ""
        raise FormatError(f"{what} is not JSON{place}", code="format.json") from None
    return value


def count_json_values(data: bytes, most: int) -> int:
    """Return how many commas and opening brackets and braces stand outside of strings.

    Of what is no JSON the number means nothing. Beyond ``most`` it is not counted on: looking past
    millions of strings takes more memory than reading them.
    """
    raw = _without_escapes(data)
    # A comma or opening is followed by two strings at most, a name and a value; or one is all.
    if raw.count(b'"') > 4 * most + 2:
        return most + 1
    return _json_openings(raw if b'"' not in raw else _JSON_STRING.sub(b"", raw))


def _has_more_values(raw: bytes, most: int) -> bool:
    """Tell whether commas and opening brackets and braces outside of strings are more than that."""
    if len(raw) <= most or _json_openings(raw) <= most:
        return False  # with those in strings, which are quickly counted
    raw = _without_escapes(raw)
    # A comma or opening is followed by two strings at most, a name and a value.
    too_many_strings = raw.count(b'"') > 4 * most
    return too_many_strings or _json_openings(_JSON_STRING.sub(b"", raw)) > most


def _without_escapes(raw: bytes) -> bytes:
    """Leave out pairs of backslashes and escaped quotes: each quote left begins or ends a string.

    In runs of backslashes the pairs go first, so that one that is left over escapes what follows.
    """
    return raw.replace(b"\\\\", b"").replace(b'\\"', b"")


def _json_openings(raw: bytes) -> int:
    return raw.count(b",") + raw.count(b"[") + raw.count(b"{")


def _json_depth(raw: bytes) -> int:
    """Return how deep arrays and objects are nested, up to the first thing that is not JSON."""
    if b"\\" in raw:
        raw = _JSON_ESCAPE.sub(b"", raw)
    # What is left of a string without brackets is two quotes side by side. Taking such a pair out
    # never moves a bracket into a string or out of one.
    brackets = raw.translate(None, _JSON_NOT_STRUCTURE).replace(b'""', b"")
    if b'"' in brackets:
        brackets = _JSON_STRING.sub(b"", brackets)
    return max(accumulate(map(_JSON_STEP.__getitem__, brackets)), default=0)


def _json_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise NonCanonicalError(
            "a member name is there twice in one JSON object", code="format.json.duplicate_name"
        )
    return members


def _json_integer(text: str) -> int:
    if text == "-0":
        raise NonCanonicalError("-0 in JSON, wanted 0", code="format.json.negative_zero")
    if len(text) > _JSON_INTEGER_CHARACTERS or abs(value := int(text)) > limits.MAX_JSON_INTEGER:
        raise LimitExceededError(
            f"integer of {len(text)} characters in JSON, wanted at most 2**53 - 1 either way",
            code="format.json.integer",
        )
    return value


def _json_float(_text: str) -> NoReturn:
    raise FormatError(
        "JSON number with fraction or exponent, or no number; wanted an integer",
        code="format.json.number",
    )


# Made once: json.loads would make one for each document.
_JSON_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_json_object,
    parse_int=_json_integer,
    parse_float=_json_float,
    parse_constant=_json_float,
)


# -- times -----------------------------------------------------------------------------------------


def parse_utc(text: object, *, what: str = "time") -> datetime:
    """Read ``2026-11-23T10:02:08Z``, with up to six digits of fraction, as an aware UTC datetime.

    Raises:
        NonCanonicalError: a fraction that ends in zero.
        FormatError: any other form, zone, or a date that the calendar does not have. Leap seconds
            (``:60``) are refused: no source of ours writes them.
    """
    match = _UTC.fullmatch(_text(text, what))
    if match is None:
        raise FormatError(
            f"{what} is not a UTC time, wanted the form 2026-11-23T10:02:08Z", code="format.time"
        )
    year, month, day, hour, minute, second = map(int, match.groups()[:6])
    fraction = match[7] or ""
    if fraction.endswith("0"):
        raise NonCanonicalError(f"{what} has a fraction that ends in zero")
    try:
        return datetime(
            year, month, day, hour, minute, second, int(fraction.ljust(6, "0")), tzinfo=UTC
        )
    except ValueError:
        raise FormatError(f"{what} is no date of the calendar", code="format.time") from None


def utc_text(value: datetime) -> str:
    """Write an aware datetime in UTC, with a fraction only where there is one.

    Raises:
        ValueError: the datetime is naive; a guess of its zone would be a false date.
    """
    if value.tzinfo is None:
        raise ValueError("a time without a zone cannot be written as UTC")
    text = value.astimezone(UTC).replace(tzinfo=None).isoformat()
    return (text.rstrip("0") if value.microsecond else text) + "Z"
