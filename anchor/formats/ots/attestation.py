"""The attestations at the ends of an OpenTimestamps tree, and how their payloads are read.

Specification: python-opentimestamps, ``core/notary.py``. An attestation is an eight-byte tag and a
payload of at most 8,192 bytes. Two tags are known here; every other one, those of other chains
included, is kept byte for byte and believed by nobody. A known payload is consumed to its end.

Nothing is fetched and nothing is checked here: a pending attestation's URI is a claim inside
evidence, and a height says only where to look for a header.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar, Final, TypeAlias

from anchor.errors import FormatError, LimitExceededError
from anchor.formats.ots.wire import Reader, varbytes, varuint
from anchor.limits import MAX_OTS_PAYLOAD_BYTES, MAX_OTS_URI_BYTES

TAG_BYTES: Final = 8
# No query, fragment, user name, percent sign or bracket: nothing that a URI could hide behind.
_URI: Final = re.compile(r"[A-Za-z0-9._/:-]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class PendingAttestation:
    """A calendar's promise: ask ``uri`` later, by the message at this node.

    Attributes:
        uri: at most 1,000 characters out of letters, digits and ``-._/:``.
    """

    uri: str

    tag: ClassVar[bytes] = bytes.fromhex("83dfe30d2ef90c8e")

    def __post_init__(self) -> None:
        if len(self.uri) > MAX_OTS_URI_BYTES:
            raise LimitExceededError(
                f"a calendar URI of {len(self.uri)} characters, {MAX_OTS_URI_BYTES} allowed",
                code="ots.uri",
            )
        if not _URI.fullmatch(self.uri):
            raise FormatError(
                "a calendar URI may hold letters, digits and -._/: alone", code="ots.uri"
            )

    @property
    def payload(self) -> bytes:
        """Return the URI as varbytes."""
        return varbytes(self.uri.encode("ascii"))


@dataclass(frozen=True, slots=True)
class BitcoinAttestation:
    """The message at this node is the merkle root of the Bitcoin block at ``height``."""

    height: int

    tag: ClassVar[bytes] = bytes.fromhex("0588960d73d71901")

    @property
    def payload(self) -> bytes:
        """Return the height as a varuint."""
        return varuint(self.height)


@dataclass(frozen=True, slots=True)
class UnknownAttestation:
    """An attestation of a kind that is not read here, kept byte for byte."""

    tag: bytes
    payload: bytes

    def __post_init__(self) -> None:
        if len(self.tag) != TAG_BYTES or self.tag in _KNOWN:
            raise FormatError(f"{self.tag.hex()} is no tag of an unknown attestation")
        if len(self.payload) > MAX_OTS_PAYLOAD_BYTES:
            raise LimitExceededError(
                f"an attestation of {len(self.payload)} bytes, "
                f"at most {MAX_OTS_PAYLOAD_BYTES} allowed"
            )


Attestation: TypeAlias = PendingAttestation | BitcoinAttestation | UnknownAttestation

_KNOWN: Final = frozenset({PendingAttestation.tag, BitcoinAttestation.tag})


def sort_key(attestation: Attestation) -> tuple[bytes, int, bytes]:
    """Return what the writer orders attestations by: tag, then height, URI or payload."""
    match attestation:
        case PendingAttestation(uri):
            return attestation.tag, 0, uri.encode("ascii")
        case BitcoinAttestation(height):
            return attestation.tag, height, b""
        case UnknownAttestation(tag, payload):
            return tag, 0, payload


def serialize_attestation(attestation: Attestation) -> bytes:
    """Return tag and payload, without the item's leading zero."""
    return attestation.tag + varbytes(attestation.payload)


def read_attestation(reader: Reader) -> Attestation:
    """Read tag and payload; FormatError where a known payload is not what its kind allows."""
    tag = reader.take(TAG_BYTES, "attestation tag")
    payload = reader.varbytes("attestation payload", max_bytes=MAX_OTS_PAYLOAD_BYTES)
    if tag not in _KNOWN:
        return UnknownAttestation(tag, payload)
    inner = Reader(payload)
    attestation: Attestation
    if tag == PendingAttestation.tag:
        uri = inner.varbytes("calendar URI", max_bytes=MAX_OTS_URI_BYTES)
        if not uri.isascii():
            raise FormatError("a calendar URI holds bytes that are not ASCII", code="ots.uri")
        attestation = PendingAttestation(uri.decode("ascii"))
    else:
        attestation = BitcoinAttestation(inner.varuint("Bitcoin block height"))
    inner.finish("attestation payload")
    return attestation
