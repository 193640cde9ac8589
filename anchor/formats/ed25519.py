"""Verify Ed25519 signatures strictly.

Source: RFC 8032 section 5.1.7, with the checks that it leaves open closed. Libraries differ in what
they let through; what this module accepts, every conforming library accepts.

Rules (each answers a forgery or a disagreement between verifiers):

* The key A and the nonce point R are written canonically: y < p, and no sign bit beside x = 0.
* S < L, so that a signature cannot be changed into another one for the same message.
* A and R are not among the eight points of small order. Under such a key one signature fits many
  messages: with the identity as key, S = 0 and R = identity satisfy the equation for all of them.
* The equation is checked without the cofactor, by the ``cryptography`` package.

It deliberately does not sign: keys belong to the adapters that hold them.
"""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from anchor.errors import SignatureError

PUBLIC_KEY_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64

_P: Final = 2**255 - 19
_L: Final = 2**252 + 27742317777372353535851937790883648493
_SIGN_BIT: Final = 1 << 255
# y of two of the four points of order 8; the other two have p - y.
_Y8: Final = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
# y of all eight points of small order; x does not matter: both signs are among them.
_SMALL_ORDER_Y: Final = frozenset({0, 1, _P - 1, _Y8, _P - _Y8})


def verify_ed25519(public_key: bytes, message: bytes, signature: bytes) -> None:
    """Verify one signature.

    Args:
        public_key: 32 bytes, RFC 8032 encoding.
        message: the signed bytes, of any length.
        signature: 64 bytes, R then S.

    Raises:
        SignatureError: the signature does not verify, or it or the key is one that strict rules
            refuse; the code tells which (``verify.signature.…``).
    """
    if len(public_key) != PUBLIC_KEY_BYTES:
        raise SignatureError(
            f"Ed25519 key of {len(public_key)} bytes, wanted {PUBLIC_KEY_BYTES}",
            code="verify.signature.length",
        )
    if len(signature) != SIGNATURE_BYTES:
        raise SignatureError(
            f"Ed25519 signature of {len(signature)} bytes, wanted {SIGNATURE_BYTES}",
            code="verify.signature.length",
        )
    _require_sound_point(public_key, "key")
    _require_sound_point(signature[:32], "nonce point")
    if int.from_bytes(signature[32:], "little") >= _L:
        raise SignatureError(
            "the signature's scalar is not below the group order",
            code="verify.signature.scalar",
        )
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        raise SignatureError("the Ed25519 signature does not verify") from None


def _require_sound_point(encoding: bytes, what: str) -> None:
    """Refuse encodings that are not canonical, and points of small order."""
    y = int.from_bytes(encoding, "little") & (_SIGN_BIT - 1)
    # x = 0 only where y = ±1, and both are refused below; so is their spare sign bit.
    if y >= _P:
        raise SignatureError(
            f"the Ed25519 {what} is not written canonically",
            code="verify.signature.non_canonical",
        )
    if y in _SMALL_ORDER_Y:
        raise SignatureError(
            f"the Ed25519 {what} is a point of small order",
            code="verify.signature.small_order",
        )
