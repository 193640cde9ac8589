"""Strict Ed25519: what lax verifiers let through is refused, each attack run first."""

from __future__ import annotations

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from anchor.errors import SignatureError
from anchor.formats.ed25519 import verify_ed25519

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
SIGN_BIT = 1 << 255
IDENTITY = (1).to_bytes(32, "little")

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw()
MESSAGE = b"message"
SIGNATURE = KEY.sign(MESSAGE)


# -- the curve in affine coordinates, written down from RFC 8032 and nothing else ------------------


def add(a, b):
    (x1, y1), (x2, y2) = a, b
    product = D * x1 * x2 * y1 * y2
    x3 = (x1 * y2 + x2 * y1) * pow(1 + product, -1, P)
    y3 = (y1 * y2 + x1 * x2) * pow(1 - product, -1, P)
    return x3 % P, y3 % P


def times(number, point):
    result = (0, 1)
    for bit in bin(number)[2:]:
        result = add(result, result)
        if bit == "1":
            result = add(result, point)
    return result


def decode(encoding):
    number = int.from_bytes(encoding, "little")
    y = number & (SIGN_BIT - 1)
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * pow(2, (P - 1) // 4, P) % P
    assert x * x % P == square
    return (P - x if x & 1 != number >> 255 else x) % P, y % P


def encode(point):
    return (point[1] | (point[0] & 1) << 255).to_bytes(32, "little")


def small_order_points():
    """Return the eight points of order 1, 2, 4 and 8, by clearing the large factor of any point."""
    for seed in range(2, 100):
        try:
            point = times(L, decode(seed.to_bytes(32, "little")))
        except AssertionError:
            continue
        if times(4, point) != (0, 1):
            return [times(k, point) for k in range(8)]
    raise AssertionError("no point of order 8 found")


SMALL = small_order_points()


def every_encoding(point):
    """Return all 32-byte strings that some decoder takes for the point."""
    x, y = point
    ys = [y] + ([y + P] if y + P < SIGN_BIT else [])
    signs = [0, 1] if x == 0 else [x & 1]
    return [(value | sign << 255).to_bytes(32, "little") for value in ys for sign in signs]


SMALL_ENCODINGS = sorted({e for point in SMALL for e in every_encoding(point)})


def test_the_attack_points_are_what_they_should_be():
    assert len(set(SMALL)) == 8
    assert all(times(8, point) == (0, 1) for point in SMALL)
    assert len(SMALL_ENCODINGS) == 14
    assert bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a") in (
        SMALL_ENCODINGS
    )


# -- good signatures -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("public", "message", "signature"),
    [  # RFC 8032 section 7.1, tests 1 to 3
        (
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            (
                "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e3970"
                "1cf9b46bd25bf5f0595bbe24655141438e7a100b"
            ),
        ),
        (
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            (
                "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613"
                "d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
            ),
        ),
        (
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            "af82",
            (
                "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760"
                "984dc6594a7c15e9716ed28dc027beceea1ec40a"
            ),
        ),
    ],
)
def test_rfc8032_vectors(public, message, signature):
    verify_ed25519(*map(bytes.fromhex, (public, message, signature)))


def test_a_good_signature_passes():
    verify_ed25519(PUBLIC, MESSAGE, SIGNATURE)


def test_every_flipped_bit_of_the_signature_is_refused():
    for bit in range(512):
        changed = bytearray(SIGNATURE)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(SignatureError):
            verify_ed25519(PUBLIC, MESSAGE, bytes(changed))


def test_every_flipped_bit_of_the_key_is_refused():
    for bit in range(256):
        changed = bytearray(PUBLIC)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(SignatureError):
            verify_ed25519(bytes(changed), MESSAGE, SIGNATURE)


def test_another_message_is_refused():
    for message in (b"", b"message ", b"Message"):
        with pytest.raises(SignatureError, match="does not verify"):
            verify_ed25519(PUBLIC, message, SIGNATURE)


@pytest.mark.parametrize("n_bytes", [0, 31, 33, 64])
def test_a_key_of_another_length_is_refused(n_bytes):
    with pytest.raises(SignatureError, match=f"key of {n_bytes} bytes"):
        verify_ed25519((PUBLIC * 2)[:n_bytes], MESSAGE, SIGNATURE)


@pytest.mark.parametrize("n_bytes", [0, 32, 63, 65, 128])
def test_a_signature_of_another_length_is_refused(n_bytes):
    with pytest.raises(SignatureError, match=f"signature of {n_bytes} bytes"):
        verify_ed25519(PUBLIC, MESSAGE, (SIGNATURE * 2)[:n_bytes])


# -- the attacks -----------------------------------------------------------------------------------


def test_one_signature_for_every_message_under_the_identity_key():
    """S = 0, R = A = identity: 0·B = R + k·A whatever k, so whatever the message."""
    forged = IDENTITY + bytes(32)
    lax = Ed25519PublicKey.from_public_bytes(IDENTITY)
    for message in (b"I owe you 1 coin", b"I owe you 1,000,000 coins"):
        lax.verify(forged, message)  # the library alone is content
        with pytest.raises(SignatureError) as caught:
            verify_ed25519(IDENTITY, message, forged)
        assert caught.value.code == "verify.signature.small_order"


def test_a_multiple_of_the_base_point_forges_for_the_identity_key_too():
    """R = S·B for any S: R looks ordinary, the key alone is weak."""
    base = (
        15112221349535400772501151409588531511454012693041857206046113283949847762202,
        46316835694926478169428394003475163141307993866256225615783033603165251855960,
    )
    scalar = 987654321
    forged = encode(times(scalar, base)) + scalar.to_bytes(32, "little")
    Ed25519PublicKey.from_public_bytes(IDENTITY).verify(forged, b"anything")
    with pytest.raises(SignatureError) as caught:
        verify_ed25519(IDENTITY, b"anything", forged)
    assert caught.value.code == "verify.signature.small_order"


@pytest.mark.parametrize("encoding", SMALL_ENCODINGS, ids=bytes.hex)
def test_every_spelling_of_a_small_order_key_is_refused(encoding):
    canonical = int.from_bytes(encoding, "little") & (SIGN_BIT - 1) < P
    wanted = "small_order" if canonical else "non_canonical"
    for signature in (SIGNATURE, IDENTITY + bytes(32)):
        with pytest.raises(SignatureError, match="Ed25519 key") as caught:
            verify_ed25519(encoding, MESSAGE, signature)
        assert caught.value.code == f"verify.signature.{wanted}"


@pytest.mark.parametrize("encoding", SMALL_ENCODINGS, ids=bytes.hex)
def test_every_spelling_of_a_small_order_nonce_point_is_refused(encoding):
    canonical = int.from_bytes(encoding, "little") & (SIGN_BIT - 1) < P
    with pytest.raises(SignatureError, match="nonce point") as caught:
        verify_ed25519(PUBLIC, MESSAGE, encoding + SIGNATURE[32:])
    wanted = "small_order" if canonical else "non_canonical"
    assert caught.value.code == f"verify.signature.{wanted}"


def test_a_signer_with_a_small_order_nonce_point_is_refused():
    """R = identity with S = k·a satisfies the equation under an ordinary key."""
    digest = bytearray(hashlib.sha512(bytes(range(32))).digest()[:32])
    digest[0] &= 248
    digest[31] = digest[31] & 127 | 64
    secret = int.from_bytes(digest, "little")
    k = int.from_bytes(hashlib.sha512(IDENTITY + PUBLIC + MESSAGE).digest(), "little")
    signature = IDENTITY + (k * secret % L).to_bytes(32, "little")
    KEY.public_key().verify(signature, MESSAGE)
    with pytest.raises(SignatureError) as caught:
        verify_ed25519(PUBLIC, MESSAGE, signature)
    assert caught.value.code == "verify.signature.small_order"


@pytest.mark.parametrize("y", [P, P + 1, P + 2, P + 18, 2**255 - 1])
@pytest.mark.parametrize("sign", [0, SIGN_BIT])
def test_a_y_that_is_not_reduced_is_refused(y, sign):
    encoding = (y | sign).to_bytes(32, "little")
    for key, signature in ((encoding, SIGNATURE), (PUBLIC, encoding + SIGNATURE[32:])):
        with pytest.raises(SignatureError) as caught:
            verify_ed25519(key, MESSAGE, signature)
        assert caught.value.code == "verify.signature.non_canonical"


def test_a_scalar_that_is_not_reduced_is_refused():
    """S + L satisfies the same equation: a second signature that the signer never made."""
    scalar = int.from_bytes(SIGNATURE[32:], "little")
    for multiple in range(1, 16):
        changed = SIGNATURE[:32] + (scalar + multiple * L).to_bytes(32, "little")
        with pytest.raises(SignatureError) as caught:
            verify_ed25519(PUBLIC, MESSAGE, changed)
        assert caught.value.code == "verify.signature.scalar"
    with pytest.raises(SignatureError) as caught:
        verify_ed25519(PUBLIC, MESSAGE, SIGNATURE[:32] + L.to_bytes(32, "little"))
    assert caught.value.code == "verify.signature.scalar"
    with pytest.raises(SignatureError, match="does not verify"):
        verify_ed25519(PUBLIC, MESSAGE, SIGNATURE[:32] + (L - 1).to_bytes(32, "little"))


def test_a_key_off_the_curve_is_refused():
    off = next(
        n.to_bytes(32, "little")
        for n in range(2, 50)
        if pow(
            (n * n - 1) * pow(D * n * n + 1, -1, P) % P, (P - 1) // 2, P
        ) == P - 1
    )  # fmt: skip
    with pytest.raises(SignatureError):
        verify_ed25519(off, MESSAGE, SIGNATURE)
