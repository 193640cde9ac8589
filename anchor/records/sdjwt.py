"""SD-JWT (RFC 9901): a signed JSON object some of whose fields are salted and held apart.

``header.payload.signature~disclosure~disclosure~``: the payload lists the digests of the
disclosures; whoever holds back a disclosure holds back that field and shows that there is one.

Rules, narrower than the RFC where it leaves room, so that one text has one meaning:

* EdDSA over Ed25519 only, judged strictly (:mod:`anchor.formats.ed25519`); the header holds ``alg``
  and ``typ`` and nothing else, so that no key, address or extension can come in with it;
* base64url must encode back to the same text; JSON repeats no name and has no floats;
* only properties of the top-level object are held apart, each with a salt of 16 bytes or more;
  ``_sd`` and ``...`` stand nowhere else, so that no other reader finds more fields than this one;
* the digests in ``_sd`` are sorted and never repeated; a disclosure that no digest names, that is
  given twice, or that names a field already there, is false;
* the text ends in a tilde: no key binding, since a holder proves nothing here.

It deliberately does not know what the fields mean (``record.py``), and no other digest algorithm.

Specification: ``docs/spec/record.md``; RFC 9901, sections 4 and 7; RFC 7515; RFC 8037.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from anchor import limits
from anchor.errors import (
    FormatError,
    LimitExceededError,
    NonCanonicalError,
    SignatureError,
    VerificationError,
)
from anchor.formats.ed25519 import SIGNATURE_BYTES, verify_ed25519
from anchor.formats.encoding import (
    base64url,
    count_json_values,
    parse_base64url,
    parse_json,
)

SALT_BYTES: Final = 16
_MAX_SALT_BYTES: Final = 64
_ALGORITHM: Final = "EdDSA"
_DIGEST: Final = re.compile(r"[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]", re.ASCII)
_ENCODER: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False)
_RESERVED: Final = frozenset(("_sd", "_sd_alg", "..."))


@dataclass(frozen=True, slots=True)
class Disclosure:
    """One field held apart from the signed object.

    Attributes:
        salt: at least 16 bytes that nobody can guess.
        name: the field's name.
        value: JSON without floats.
        text: the disclosure as it is passed on.
        digest: what ``_sd`` lists: base64url of the SHA-256 of the text.
    """

    salt: bytes
    name: str
    value: Any
    text: str
    digest: str


@dataclass(frozen=True, slots=True)
class SdJwt:
    """A signed object with some of its disclosures; parsed, its signature not verified.

    Attributes:
        jwt: ``header.payload.signature``, ASCII, as it was signed.
        media_type: the header's ``typ``.
        payload: the JSON object, ``_sd`` and ``_sd_alg`` included.
        disclosures: those that are there, in the order given.
    """

    jwt: str
    media_type: str
    payload: Mapping[str, Any]
    disclosures: tuple[Disclosure, ...]

    @property
    def digest(self) -> bytes:
        """Return SHA-256 of the JWT's characters, 32 bytes; disclosures do not touch it."""
        return jwt_digest(self.jwt)

    @property
    def signing_input(self) -> str:
        """Return ``header.payload``: what the signature covers."""
        return self.jwt.rpartition(".")[0]

    @property
    def hidden_digests(self) -> tuple[str, ...]:
        """Return every digest that the payload lists, disclosed or not, sorted."""
        return tuple(self.payload["_sd"])

    @property
    def open_fields(self) -> dict[str, Any]:
        """Return what can not be withheld, by name."""
        return {name: value for name, value in self.payload.items() if name not in _RESERVED}

    @property
    def disclosed_fields(self) -> dict[str, Any]:
        """Return what was held apart and is disclosed, by name."""
        return {disclosure.name: disclosure.value for disclosure in self.disclosures}

    def serialize(self) -> str:
        """Return ``jwt~disclosure~…~``."""
        return "~".join((self.jwt, *(disclosure.text for disclosure in self.disclosures), ""))

    def showing(self, keep: Callable[[str], bool]) -> SdJwt:
        """Return the same object with only the disclosures whose name is kept."""
        return replace(self, disclosures=tuple(d for d in self.disclosures if keep(d.name)))


def jwt_digest(jwt: str) -> bytes:
    """Return SHA-256 of ``header.payload.signature``: a record's digest."""
    return hashlib.sha256(jwt.encode("ascii")).digest()


# -- reading ---------------------------------------------------------------------------------------


def parse_sd_jwt(data: str | bytes) -> SdJwt:
    """Read ``jwt~disclosure~…~``, to the last character.

    Raises:
        FormatError: the text is not one.
        VerificationError: a disclosure belongs to no digest, comes twice, or names a field that is
            there already.
    """
    _check_size(len(data), 0)
    try:
        text = data.decode("ascii") if isinstance(data, bytes) else data
    except UnicodeDecodeError:
        text = "\x80"
    if not text.isascii():
        raise FormatError("the record holds a character that is not ASCII", code="record.ascii")
    _check_size(0, text.count("~") - 1)
    jwt, *rest = text.split("~")
    if not rest or rest.pop():
        raise FormatError(
            "the record does not end in a tilde: it is a bare JWT, cut short, or has a key binding",
            code="record.end",
        )
    _check_values(text, [*jwt.split("."), *rest])
    return _joined(jwt, map(parse_disclosure, rest))


def parse_disclosure(text: str) -> Disclosure:
    """Read one disclosure.

    Raises:
        FormatError: it is not ``[salt, name, value]`` with a salt that is long enough.
    """
    parts = _parse_part(text, "disclosure")
    if not isinstance(parts, list) or len(parts) != 3:
        raise FormatError("a disclosure is an array of salt, name and value")
    salt = parse_base64url(parts[0], max_bytes=_MAX_SALT_BYTES, what="salt of a disclosure")
    return _disclosure(text, salt, *parts[1:])


def _disclosure(text: str, salt: bytes, name: Any, value: Any) -> Disclosure:
    if not isinstance(name, str) or name in _RESERVED:
        raise FormatError("the name in a disclosure is no string, or a reserved one")
    if len(salt) < SALT_BYTES:
        raise FormatError(
            f"the salt of {name!r} has {len(salt)} bytes, at least {SALT_BYTES} are wanted",
            code="record.salt",
        )
    _refuse_reserved(value)
    digest = base64url(hashlib.sha256(text.encode()).digest())
    return Disclosure(salt, name, value, text, digest)


def _check_size(n_bytes: int, n_disclosures: int) -> None:
    if n_bytes > limits.MAX_RECORD_BYTES:
        raise LimitExceededError(
            f"record of {n_bytes} bytes, at most {limits.MAX_RECORD_BYTES} are read"
        )
    if n_disclosures > limits.MAX_RECORD_DISCLOSURES:
        raise LimitExceededError(
            f"{n_disclosures} disclosures, at most {limits.MAX_RECORD_DISCLOSURES} are read"
        )


def _check_values(text: str, parts: Iterable[str]) -> None:
    """Check how many values the JSON in all parts holds, before any of it is read."""
    left = limits.MAX_RECORD_JSON_VALUES
    if len(text) <= left:
        return  # each takes a byte, which takes more than a character here
    for part in parts:
        data = parse_base64url(part, max_bytes=limits.MAX_RECORD_BYTES, what="part of a record")
        left -= count_json_values(data, left)
        if left < 0:
            raise LimitExceededError(
                f"the record holds more than {limits.MAX_RECORD_JSON_VALUES:,} values",
                code="format.json.values",
            )


def _joined(jwt: str, disclosures: Iterable[Disclosure]) -> SdJwt:
    """Read a JWT and see that disclosures, read already, belong to it."""
    media_type, payload = _parse_jwt(jwt)
    sd_jwt = SdJwt(jwt, media_type, payload, tuple(disclosures))
    _check_disclosures(sd_jwt)
    return sd_jwt


def _parse_part(text: str, what: str) -> Any:
    data = parse_base64url(text, max_bytes=limits.MAX_RECORD_BYTES, what=what)
    return parse_json(data, max_bytes=limits.MAX_RECORD_BYTES, what=what)


def _parse_jwt(jwt: str) -> tuple[str, dict[str, Any]]:
    parts = jwt.split(".")
    if len(parts) != 3:
        raise FormatError(f"a JWT of {len(parts)} parts, header.payload.signature is wanted")
    header = _parse_part(parts[0], "record header")
    if not isinstance(header, dict) or set(header) != {"alg", "typ"}:
        raise FormatError("the record header holds alg and typ and nothing else")
    if header["alg"] != _ALGORITHM:
        raise FormatError(f"the record's algorithm is not {_ALGORITHM}", code="record.algorithm")
    if not isinstance(header["typ"], str):
        raise FormatError("the record's typ is no string")
    payload = _parse_part(parts[1], "record payload")
    if not isinstance(payload, dict):
        raise FormatError("the record payload is not an object")
    _check_digests(payload)
    signature = parse_base64url(parts[2], max_bytes=SIGNATURE_BYTES, what="record signature")
    if len(signature) != SIGNATURE_BYTES:
        raise FormatError(f"a signature of {len(signature)} bytes, wanted {SIGNATURE_BYTES}")
    return header["typ"], payload


def _check_digests(payload: Mapping[str, Any]) -> None:
    digests = payload.get("_sd")
    if payload.get("_sd_alg") != "sha-256":
        raise FormatError("the record's _sd_alg is not sha-256", code="record.sd_alg")
    if not isinstance(digests, list) or len(digests) > limits.MAX_RECORD_DISCLOSURES:
        raise FormatError("the record's _sd is no array, or a longer one than is read")
    # One pattern says the same of a right digest; the rest of the loop finds out what is wrong.
    for item in digests:
        if isinstance(item, str) and _DIGEST.fullmatch(item):
            continue
        if len(parse_base64url(item, max_bytes=32, what="digest in _sd")) != 32:
            raise FormatError("a digest in _sd has 32 bytes")
    if sorted(set(digests)) != digests:
        raise NonCanonicalError("the digests in _sd are not sorted, or one stands there twice")
    _refuse_reserved({name: payload[name] for name in payload if name not in ("_sd", "_sd_alg")})


def _refuse_reserved(value: Any) -> None:
    """Refuse names that would make another reader unfold more fields; depth is bounded already."""
    items: Iterable[Any] = ()
    if isinstance(value, dict):
        if not _RESERVED.isdisjoint(value):
            name = min(_RESERVED.intersection(value))
            raise FormatError(f"the name {name!r} stands inside a value", code="record.reserved")
        items = value.values()
    elif isinstance(value, list):
        items = value
    for item in items:
        if isinstance(item, dict | list):
            _refuse_reserved(item)


def _check_disclosures(sd_jwt: SdJwt) -> None:
    listed, names = set(sd_jwt.hidden_digests), set(sd_jwt.payload)
    seen: set[str] = set()
    for disclosure in sd_jwt.disclosures:
        digest, name = disclosure.digest, disclosure.name
        if digest not in listed:
            code, why = "record.disclosure_unreferenced", "belongs to no digest of the record"
        elif digest in seen:
            code, why = "record.disclosure_repeated", "comes twice"
        elif name in names:
            code, why = "record.disclosure_shadows", "names a field that is there already"
        else:
            seen.add(digest)
            names.add(name)
            continue
        raise VerificationError(f"the disclosure of {name[:80]!r} {why}", code=code)


# -- making and verifying --------------------------------------------------------------------------


def make_disclosure(salt: bytes, name: str, value: Any) -> Disclosure:
    """Return a disclosure; the salt is fresh, 16 bytes or more, and never used again.

    Raises:
        FormatError: a value that :func:`parse_disclosure` would not read back.
    """
    raw = _compact([base64url(salt), name, value])
    _check_size(len(raw), 0)
    if len(salt) > _MAX_SALT_BYTES:
        raise LimitExceededError(f"a salt of {len(salt)} bytes, at most {_MAX_SALT_BYTES} are read")
    if type(value) is not str:  # a string that could be written is read back as it is
        value = parse_json(raw, max_bytes=limits.MAX_RECORD_BYTES, what="disclosure")[2]
    return _disclosure(base64url(raw), salt, name, value)


def sign_sd_jwt(
    payload: Mapping[str, Any],
    disclosures: Sequence[Disclosure],
    sign: Callable[[bytes], bytes],
    *,
    media_type: str,
) -> SdJwt:
    """Sign an object; ``_sd`` and ``_sd_alg`` are added from the disclosures.

    Args:
        payload: the open fields.
        disclosures: the hidden ones.
        sign: Ed25519 over the bytes given, 64 bytes back.
        media_type: the header's ``typ``.

    Raises:
        FormatError: what would be signed is not what :func:`parse_sd_jwt` reads.
    """
    whole = {**payload, "_sd": sorted(d.digest for d in disclosures), "_sd_alg": "sha-256"}
    header = base64url(_compact({"alg": _ALGORITHM, "typ": media_type}))
    signing_input = f"{header}.{base64url(_compact(whole))}"
    jwt = f"{signing_input}.{base64url(sign(signing_input.encode()))}"
    _check_size(len(jwt) + sum(len(item.text) + 1 for item in disclosures) + 1, len(disclosures))
    sd_jwt = _joined(jwt, disclosures)
    text = sd_jwt.serialize()
    _check_values(text, [*jwt.split("."), *(item.text for item in disclosures)])
    return sd_jwt


def verify_sd_jwt(sd_jwt: SdJwt, public_key: bytes) -> None:
    """Verify the signature under a key that the key records name, never one named by the text.

    Raises:
        SignatureError: it is not that key's signature.
    """
    signature = parse_base64url(
        sd_jwt.jwt.rpartition(".")[2], max_bytes=SIGNATURE_BYTES, what="record signature"
    )
    try:
        verify_ed25519(public_key, sd_jwt.signing_input.encode(), signature)
    except SignatureError as error:
        raise SignatureError(
            f"the record is not signed by its key: {error.message}", code="record.signature"
        ) from error


def _compact(value: Any) -> bytes:
    try:
        return _ENCODER.encode(value).encode()
    except (TypeError, ValueError, RecursionError):
        raise FormatError("the record holds a value that JSON cannot carry") from None
