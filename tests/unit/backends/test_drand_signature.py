"""Signatures of drand rounds: those of the public networks, own ones, and everything near them."""

from __future__ import annotations

import pytest
from py_ecc import optimized_bls12_381 as curve
from py_ecc.bls.g2_primitives import G1_to_pubkey

from anchor.backends import drand_signature
from anchor.backends.drand_signature import DrandSignatures, load_drand_signatures
from anchor.errors import FormatError
from anchor.formats.drand import CHAINED, UNCHAINED_G1, DrandRound, signed_message
from tests.parts.drand import (
    DEFAULT_72785,
    DEFAULT_ENTRY,
    QUICKNET_1000,
    QUICKNET_32281667,
    QUICKNET_ENTRY,
    Network,
)


def verified(entry: dict, found: DrandRound, **changes: bytes) -> bool:
    message = signed_message(entry["scheme"], found.number, found.previous_signature)
    parts = {
        "public_key": bytes.fromhex(entry["public_key"]),
        "message": message,
        "signature": found.signature,
        **changes,
    }
    return DrandSignatures().verify(entry["scheme"], **parts)


@pytest.mark.parametrize("found", [QUICKNET_1000, QUICKNET_32281667])
def test_rounds_of_quicknet_as_published(found: DrandRound) -> None:
    assert verified(QUICKNET_ENTRY, found)


def test_randomness_as_published() -> None:
    want = "fe290beca10872ef2fb164d2aa4442de4566183ec51c56ff3cd603d930e54fdd"
    assert QUICKNET_1000.randomness.hex() == want


def test_round_of_the_default_chain_as_published() -> None:
    assert verified(DEFAULT_ENTRY, DEFAULT_72785)


def test_round_of_another_number_is_not_signed() -> None:
    assert not verified(QUICKNET_ENTRY, DrandRound(1001, QUICKNET_1000.signature))
    after = DrandRound(72785, DEFAULT_72785.signature, DEFAULT_72785.signature)
    assert not verified(DEFAULT_ENTRY, after)


@pytest.mark.parametrize("scheme", [UNCHAINED_G1, CHAINED])
def test_network_of_the_tests_signs_and_another_key_does_not(scheme: str) -> None:
    network = Network("ours", scheme)
    found = network.sign(7, bytes(96) if scheme == CHAINED else None)
    assert verified(network.entry(), found)
    assert not verified(Network("theirs", scheme).entry(), found)


def test_points_that_are_not_written_in_their_one_way_are_refused() -> None:
    good = QUICKNET_1000.signature
    infinity = bytes([0xC0]) + bytes(47)
    off_curve = bytes([0x80]) + bytes(46) + b"\x01"
    too_large = bytes([0x9F]) + b"\xff" * 47
    uncompressed = bytes([good[0] & 0x7F]) + good[1:]
    other_sign = bytes([good[0] ^ 0x20]) + good[1:]
    for bad in (infinity, off_curve, too_large, uncompressed, other_sign, good[:-1], b"", good * 2):
        assert not verified(QUICKNET_ENTRY, QUICKNET_1000, signature=bad)
    key = bytes.fromhex(QUICKNET_ENTRY["public_key"])
    for bad in (bytes([0xC0]) + bytes(95), bytes(96), key[:48], key[48:] + key[:48]):
        assert not verified(QUICKNET_ENTRY, QUICKNET_1000, public_key=bad)


def test_points_outside_the_subgroup_are_refused() -> None:
    # About half of these are on the curve, and none of a small x is in its group of prime order.
    for x in range(1, 40):
        bad = bytes([0x80]) + x.to_bytes(47, "big")
        assert not verified(QUICKNET_ENTRY, QUICKNET_1000, signature=bad)


def test_infinite_key_does_not_sign_everything_with_an_infinite_signature() -> None:
    nothing = G1_to_pubkey(curve.Z1)
    assert not verified(
        QUICKNET_ENTRY, QUICKNET_1000, public_key=bytes([0xC0]) + bytes(95), signature=nothing
    )


def test_answer_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    signatures, calls = DrandSignatures(), []
    monkeypatch.setattr(drand_signature, "_verify", lambda *parts: calls.append(parts) or True)
    for _ in range(3):
        assert signatures.verify(UNCHAINED_G1, b"k", b"m", b"s")
    assert len(calls) == 1


def test_without_the_extra_there_is_nothing_that_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_drand_signatures() is not None
    monkeypatch.setattr(drand_signature, "find_spec", lambda name: None)
    assert load_drand_signatures() is None


def test_message_of_no_round_or_without_the_one_before() -> None:
    for number in (0, -1, 10**10 + 1):
        with pytest.raises(FormatError):
            signed_message(UNCHAINED_G1, number, None)
    with pytest.raises(FormatError):
        signed_message(CHAINED, 5, None)
