from __future__ import annotations

import pytest

from anchor.errors import FormatError, LimitExceededError
from anchor.formats.ots.op import (
    OPS_BY_TAG,
    Append,
    Hexlify,
    Keccak256,
    Prepend,
    Reverse,
    Ripemd160,
    Sha1,
    Sha256,
)


@pytest.mark.parametrize(
    ("op", "message", "result"),
    [
        (Append(b"c"), b"ab", "616263"),
        (Prepend(b"c"), b"ab", "636162"),
        (Reverse(), b"ab", "6261"),
        (Hexlify(), b"\xabc", "61623633"),
        (Sha1(), b"abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        (Ripemd160(), b"abc", "8eb208f7e05d987a9b044a8e98c6b087f15a0bfc"),
        (
            Sha256(),
            b"abc",
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        ),
        (
            Keccak256(),
            b"abc",
            "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45",
        ),
    ],
)
def test_apply(op, message: bytes, result: str) -> None:
    assert op.apply(message).hex() == result


def test_serialized_forms() -> None:
    assert Append(b"xyz").serialize().hex() == "f00378797a"
    assert Prepend(bytes(200)).serialize() == b"\xf1\xc8\x01" + bytes(200)
    assert [OPS_BY_TAG[tag]().serialize() for tag in (0x02, 0x03, 0x08, 0x67, 0xF2, 0xF3)] == [
        b"\x02",
        b"\x03",
        b"\x08",
        b"\x67",
        b"\xf2",
        b"\xf3",
    ]


def test_equal_by_tag_and_argument() -> None:
    assert Append(b"a") == Append(b"a")
    assert hash(Append(b"a")) == hash(Append(b"a"))
    assert Append(b"a") != Append(b"b")
    assert Append(b"a") != Prepend(b"a")
    assert Sha256() == Sha256()
    assert Sha256() != Sha1()
    assert len({Sha256(), Sha1(), Sha256(), Ripemd160()}) == 3


@pytest.mark.parametrize("kind", [Append, Prepend])
@pytest.mark.parametrize("length", [0, 4097])
def test_argument_out_of_bounds(kind, length: int) -> None:
    with pytest.raises(LimitExceededError, match=f"got {length}"):
        kind(bytes(length))


def test_digest_operation_with_an_argument() -> None:
    with pytest.raises(FormatError, match="sha256 takes no argument"):
        Sha256(b"x")


@pytest.mark.parametrize("op", [Reverse(), Hexlify(), Sha256(), Append(b"x")])
def test_empty_message(op) -> None:
    with pytest.raises(FormatError, match="empty"):
        op.apply(b"")


def test_message_and_result_limits() -> None:
    assert len(Append(b"x").apply(bytes(4095))) == 4096
    assert len(Hexlify().apply(bytes(2048))) == 4096
    for op, length in [(Append(b"x"), 4096), (Hexlify(), 2049), (Sha256(), 4097)]:
        with pytest.raises(LimitExceededError) as caught:
            op.apply(bytes(length))
        assert caught.value.code == "ots.message_too_long"


def test_shown_as_stock_tools_do() -> None:
    assert str(Append(b"\x01\xff")) == "append 01ff"
    assert str(Sha256()) == "sha256"
