from __future__ import annotations

import pytest

from anchor.errors import FormatError, LimitExceededError, TrailingDataError, TruncatedError
from anchor.formats.ots.attestation import (
    BitcoinAttestation,
    PendingAttestation,
    UnknownAttestation,
    read_attestation,
    serialize_attestation,
    sort_key,
)
from anchor.formats.ots.wire import Reader, varbytes

PENDING_TAG = "83dfe30d2ef90c8e"
BITCOIN_TAG = "0588960d73d71901"


def read(data: bytes):
    return read_attestation(Reader(data))


def test_known_forms() -> None:
    assert serialize_attestation(PendingAttestation("https://a.b")).hex() == (
        PENDING_TAG + "0c" + "0b" + b"https://a.b".hex()
    )
    assert serialize_attestation(BitcoinAttestation(358391)).hex() == BITCOIN_TAG + "03" + "f7ef15"


@pytest.mark.parametrize(
    "attestation",
    [
        PendingAttestation(""),
        PendingAttestation("https://alice.btc.calendar.opentimestamps.org"),
        PendingAttestation("a" * 1000),
        BitcoinAttestation(0),
        BitcoinAttestation(2**63 - 1),
        UnknownAttestation(bytes(8), b""),
        UnknownAttestation(b"\xff" * 8, bytes(8192)),
    ],
)
def test_round_trip(attestation) -> None:
    assert read(serialize_attestation(attestation)) == attestation


@pytest.mark.parametrize("bad", ["?", "#", "%", "@", "+", "~", " ", "\n", "é", "[", "\x00"])
def test_uri_characters(bad: str) -> None:
    with pytest.raises(FormatError):
        PendingAttestation(f"https://a{bad}b")
    payload = varbytes(f"https://a{bad}b".encode())
    with pytest.raises(FormatError) as caught:
        read(bytes.fromhex(PENDING_TAG) + varbytes(payload))
    assert caught.value.code == "ots.uri"


def test_uri_length() -> None:
    with pytest.raises(LimitExceededError):
        PendingAttestation("a" * 1001)
    with pytest.raises(LimitExceededError):
        read(bytes.fromhex(PENDING_TAG) + varbytes(varbytes(b"a" * 1001)))


def test_known_payload_is_consumed_to_its_end() -> None:
    with pytest.raises(TrailingDataError):
        read(bytes.fromhex(BITCOIN_TAG) + b"\x02\x05\x00")
    with pytest.raises(TrailingDataError):
        read(bytes.fromhex(PENDING_TAG) + b"\x03\x01a!")


def test_payload_shorter_than_it_says() -> None:
    with pytest.raises(TruncatedError):
        read(bytes.fromhex(BITCOIN_TAG) + b"\x00")
    with pytest.raises(TruncatedError):
        read(bytes.fromhex(BITCOIN_TAG) + b"\x05\x01")
    with pytest.raises(TruncatedError):
        read(bytes.fromhex(PENDING_TAG)[:7])


def test_payload_limit_is_checked_before_the_payload_is_there() -> None:
    with pytest.raises(LimitExceededError, match="8193"):
        read(bytes(8) + b"\x81\x40")


def test_unknown_cannot_pose_as_known() -> None:
    with pytest.raises(FormatError):
        UnknownAttestation(bytes.fromhex(BITCOIN_TAG), b"")
    with pytest.raises(FormatError):
        UnknownAttestation(b"short", b"")
    with pytest.raises(LimitExceededError):
        UnknownAttestation(bytes(8), bytes(8193))


def test_heights_sort_as_numbers_and_tags_before_payloads() -> None:
    unsorted = [
        PendingAttestation("b"),
        BitcoinAttestation(300),
        UnknownAttestation(b"\xff" * 8, b"a"),
        BitcoinAttestation(129),
        PendingAttestation("a"),
        UnknownAttestation(bytes(8), b"z"),
    ]
    assert sorted(unsorted, key=sort_key) == [
        UnknownAttestation(bytes(8), b"z"),
        BitcoinAttestation(129),
        BitcoinAttestation(300),
        PendingAttestation("a"),
        PendingAttestation("b"),
        UnknownAttestation(b"\xff" * 8, b"a"),
    ]
