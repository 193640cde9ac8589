"""Read the public key of another person, in the forms that ``keys export-public`` writes."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Final

from anchor.client.local_file import load_bytes
from anchor.errors import FormatError, NotFoundError, UsageError
from anchor.formats.encoding import parse_base64url, parse_hex, parse_json

_MAX_BYTES: Final = 16 << 10
_KEY_BYTES: Final = 32


def parse_public_key(text: str) -> bytes:
    """Return a raw Ed25519 public key, 32 bytes.

    Args:
        text: 64 hexadecimal digits, or the path of a file with those, a JWK or a PEM.

    Raises:
        UsageError: it is none of these (``keys.public_key``).
    """
    with contextlib.suppress(FormatError):
        return parse_hex(text.lower(), n_bytes=_KEY_BYTES)
    try:
        data = load_bytes(Path(text), max_bytes=_MAX_BYTES, what="public key").strip()
    except NotFoundError:
        data = b""
    for read in (_of_hex, _of_jwk, _of_pem):
        with contextlib.suppress(FormatError):
            return read(data)
    raise UsageError(
        f"{text}: no Ed25519 public key",
        code="keys.public_key",
        hint="vestige keys export-public prints one: 64 hexadecimal digits, or a JWK or PEM file",
    )


def _of_hex(data: bytes) -> bytes:
    return parse_hex(data.decode("ascii", "replace").lower(), n_bytes=_KEY_BYTES)


def _of_jwk(data: bytes) -> bytes:
    value = parse_json(data, max_bytes=_MAX_BYTES, what="JWK")
    if not isinstance(value, dict) or (value.get("kty"), value.get("crv")) != ("OKP", "Ed25519"):
        raise FormatError("no Ed25519 key")
    key = parse_base64url(value.get("x"), max_bytes=_KEY_BYTES, what="x of the JWK")
    return parse_hex(key.hex(), n_bytes=_KEY_BYTES)


def _of_pem(data: bytes) -> bytes:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415 - slow to load
        Ed25519PublicKey,
    )
    from cryptography.hazmat.primitives.serialization import load_pem_public_key  # noqa: PLC0415

    try:
        key = load_pem_public_key(data)
    except Exception as error:  # whatever a library says of bytes that are no PEM
        raise FormatError("no PEM") from error
    if not isinstance(key, Ed25519PublicKey):
        raise FormatError("no Ed25519 key")
    return key.public_bytes_raw()
