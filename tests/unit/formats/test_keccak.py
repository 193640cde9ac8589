"""Keccak-256 against published digests and at every padding length."""

from __future__ import annotations

import hashlib

import pytest

from anchor.formats import keccak
from anchor.formats.keccak import keccak256

# From the Keccak team's ShortMsgKAT_256 / LongMsgKAT files and the EVM's own constants.
KNOWN = [
    (b"", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"),
    (b"\xcc", "eead6dbfc7340a56caedc044696a168870549a6a7f6f56961e84a54bd9970b8a"),
    (b"abc", "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"),
    (b"\x80", "56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"),
    (b"\xc0", "1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347"),
    (
        b"Transfer(address,address,uint256)",
        "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef",
    ),
]


@pytest.mark.parametrize(("data", "digest_hex"), KNOWN)
def test_known_digests(data: bytes, digest_hex: str) -> None:
    assert keccak256(data).hex() == digest_hex


def test_it_is_not_sha3() -> None:
    assert keccak256(b"abc") != hashlib.sha3_256(b"abc").digest()


def test_the_permutation_is_that_of_sha3(monkeypatch: pytest.MonkeyPatch) -> None:
    """With SHA-3's first padding byte the standard library is an oracle for every length."""
    source = bytes(range(256)) * 3

    def sha3_256(data: bytes) -> bytes:
        padding = bytearray(136 - len(data) % 136)
        padding[0] = 0x06
        padding[-1] |= 0x80
        padded = data + padding
        state = [0] * 25
        for start in range(0, len(padded), 136):
            for lane in range(17):
                word = padded[start + 8 * lane : start + 8 * lane + 8]
                state[lane] ^= int.from_bytes(word, "little")
            state = keccak._permute(state)
        return b"".join(lane.to_bytes(8, "little") for lane in state[:4])

    for length in [*range(280), 407, 408, 409, 768]:
        assert sha3_256(source[:length]) == hashlib.sha3_256(source[:length]).digest(), length


@pytest.mark.parametrize("length", [135, 136, 137, 271, 272])
def test_padding_at_the_edge_of_a_block_keeps_messages_apart(length: int) -> None:
    near = [bytes(length - 1), bytes(length), bytes(length + 1), bytes(length - 1) + b"\x01"]
    assert len({keccak256(data) for data in near}) == len(near)
