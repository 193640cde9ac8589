"""Checks BLS signatures of drand rounds, by ``py_ecc`` (the extra ``drand``).

Keys and signatures are compressed points of BLS12-381. Each must be written in its one way, lie on
the curve and in the right subgroup, and not be the point at infinity; then the pairing is compared.

Pure Python: a check takes about half a second, and nothing secret is handled. It is done once for
each round.

Source: RFC 9380, section 8.8 and appendix J; draft-irtf-cfrg-bls-signature, "CoreVerify".
"""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from typing import Any, Final

from anchor.formats.drand import PUBLIC_KEY_BYTES, SIGNATURE_BYTES, UNCHAINED_G1, Scheme

_G1_DST: Final = b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_"
_G2_DST: Final = b"BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_NUL_"
_REMEMBERED: Final = 4096


class DrandSignatures:
    """Verifies; remembers what it found."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, bytes, bytes, bytes], bool] = {}

    def verify(self, scheme: Scheme, public_key: bytes, message: bytes, signature: bytes) -> bool:
        """Return whether the signature is that key's over the message.

        Args:
            scheme: which groups and which hash to the curve.
            public_key: 96 bytes (G2) or, chained, 48 (G1).
            message: 32 bytes.
            signature: 48 bytes (G1) or, chained, 96 (G2).
        """
        key = (scheme, public_key, message, signature)
        if key not in self._known:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[key] = _verify(scheme, public_key, message, signature)
        return self._known[key]


def load_drand_signatures() -> DrandSignatures | None:
    """Return what checks signatures, or None where the extra is not installed."""
    return DrandSignatures() if find_spec("py_ecc") else None


def _verify(scheme: Scheme, public_key: bytes, message: bytes, signature: bytes) -> bool:
    if len(public_key) != PUBLIC_KEY_BYTES[scheme] or len(signature) != SIGNATURE_BYTES[scheme]:
        return False
    from py_ecc import optimized_bls12_381 as curve
    from py_ecc.bls.hash_to_curve import hash_to_G1, hash_to_G2

    left: Any
    right: Any
    if scheme == UNCHAINED_G1:
        key, signed = _g2(public_key), _g1(signature)
        if key is None or signed is None:
            return False
        left = key, hash_to_G1(message, _G1_DST, hashlib.sha256)
        right = curve.G2, curve.neg(signed)
    else:
        key, signed = _g1(public_key), _g2(signature)
        if key is None or signed is None:
            return False
        left = hash_to_G2(message, _G2_DST, hashlib.sha256), key
        right = signed, curve.neg(curve.G1)
    product = curve.pairing(*left, final_exponentiate=False) * curve.pairing(
        *right, final_exponentiate=False
    )
    return bool(curve.final_exponentiate(product) == curve.FQ12.one())


def _g1(data: bytes) -> Any | None:
    from py_ecc.bls.g2_primitives import G1_to_pubkey, pubkey_to_G1

    return _point(data, pubkey_to_G1, G1_to_pubkey)


def _g2(data: bytes) -> Any | None:
    from py_ecc.bls.g2_primitives import G2_to_signature, signature_to_G2

    return _point(data, signature_to_G2, G2_to_signature)


def _point(data: bytes, read: Any, write: Any) -> Any | None:
    """Return the point; None where it is not canonical, finite, on the curve and in its group."""
    from py_ecc.bls.g2_primitives import is_inf, subgroup_check

    try:
        point = read(data)
    except (ValueError, AssertionError):
        return None
    usable = not is_inf(point) and subgroup_check(point) and write(point) == data
    return point if usable else None
