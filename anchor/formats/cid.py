"""Compute, read and check content identifiers (CIDs) of single blocks.

Source: multiformats CID specification, version 1; multibase base32 (``b``, RFC 4648 section 6,
lower case, unpadded); multihash sha2-256.

A CID here is exactly: version 1, one of two codecs, SHA-256 of the block's bytes. Anything else,
other hashes, version 0, other alphabets, is refused, so that one block has one name. Files that are
split into several blocks, and every format inside a block, are none of this module's business.
"""

from __future__ import annotations

import base64
import hmac
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from anchor.errors import (
    DigestMismatchError,
    FormatError,
    LimitExceededError,
    NonCanonicalError,
    UnsupportedVersionError,
    quote_peer,
)

RAW: Final = 0x55
DAG_JSON: Final = 0x0129

# Version 1, the codec as a varint, then sha2-256 (0x12) of 32 (0x20) bytes.
_PREFIXES: Final = {RAW: b"\x01\x55\x12\x20", DAG_JSON: b"\x01\xa9\x02\x12\x20"}
_MAX_CHARACTERS: Final = 64


@dataclass(frozen=True, slots=True)
class Cid:
    """The name of one block.

    Attributes:
        codec: what the block holds, ``RAW`` or ``DAG_JSON``.
        digest: 32 bytes, SHA-256 of the block.
    """

    codec: int
    digest: bytes

    @property
    def binary(self) -> bytes:
        """The CID as bytes."""
        return _PREFIXES[self.codec] + self.digest

    @property
    def text(self) -> str:
        """The CID as text, ``b`` and base32."""
        return "b" + base64.b32encode(self.binary).decode().lower().rstrip("=")


def cid_of(block: bytes, codec: int = RAW) -> Cid:
    """Return the CID of a block."""
    return Cid(codec, sha256(block).digest())


def parse_cid(text: str) -> Cid:
    """Read the text form.

    Raises:
        UnsupportedVersionError: another version, codec, hash or alphabet.
        NonCanonicalError: base32 that is not written in the one way.
        FormatError: no base32 at all, or too long.
    """
    if len(text) > _MAX_CHARACTERS:
        raise LimitExceededError(f"CID of {len(text)} characters, wanted at most {_MAX_CHARACTERS}")
    if not text.startswith("b"):
        raise UnsupportedVersionError(
            f"CID {quote_peer(text)!r} is not in lower-case base32", code="format.cid.base"
        )
    encoded = text[1:].upper()
    try:
        binary = base64.b32decode(encoded + "=" * (-len(encoded) % 8))
    except ValueError:
        raise FormatError(f"{quote_peer(text)!r} is no base32", code="format.cid.base32") from None
    cid = parse_cid_bytes(binary)
    if cid.text != text:
        raise NonCanonicalError(f"CID {quote_peer(text)!r}, wanted {cid.text!r}")
    return cid


def parse_cid_bytes(binary: bytes) -> Cid:
    """Read the binary form.

    Raises:
        UnsupportedVersionError: another version, codec or hash, or a digest of another length.
    """
    for codec, prefix in _PREFIXES.items():
        if binary.startswith(prefix) and len(binary) == len(prefix) + 32:
            return Cid(codec, binary[len(prefix) :])
    raise UnsupportedVersionError(
        f"CID {binary[:40].hex()} is not version 1, raw or dag-json, sha2-256",
        code="format.cid.kind",
    )


def verify_block(cid: Cid, block: bytes) -> None:
    """Verify that the block is the one that the CID names.

    Raises:
        DigestMismatchError: it is another.
    """
    if not hmac.compare_digest(sha256(block).digest(), cid.digest):
        raise DigestMismatchError(
            f"the block of {len(block)} bytes is not {cid.text}", code="verify.digest_mismatch.cid"
        )
