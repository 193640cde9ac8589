"""What it costs to apply a tree's operations, found without applying them.

The length of each message follows from the lengths and operations before it, and only the digests
that are computed in plain Python cost more than reading them does. So a tree is walked as the
reader in :mod:`anchor.formats.ots.codec` walks it, with lengths in place of messages.

Specification: ``docs/spec/verification.md``, step W.
"""

from __future__ import annotations

from typing import Final

from anchor.errors import FormatError
from anchor.formats.keccak import RATE_BYTES
from anchor.formats.ots.attestation import read_attestation
from anchor.formats.ots.codec import ATTESTATION, MORE, read_op
from anchor.formats.ots.op import Append, Hexlify, Keccak256, Op, Prepend, Ripemd160
from anchor.formats.ots.wire import Reader
from anchor.limits import (
    MAX_OTS_MESSAGE_BYTES,
    MAX_OTS_NESTED_OPERATIONS,
    MAX_OTS_OPERATIONS,
    UNITS_PER_KECCAK_BLOCK,
    UNITS_PER_RIPEMD160_BLOCK,
)

_RIPEMD160_BLOCK_BYTES: Final = 64
# Of the padding, behind at least one bit.
_RIPEMD160_LENGTH_BYTES: Final = 8


def slow_digest_units(data: bytes, message_bytes: int) -> int:
    """Return the units that the slow digests of a tree cost (``limits``).

    Of a tree that cannot be read to its end, those of the operations before that place.

    Args:
        data: a bare tree.
        message_bytes: length of the message that it is over.
    """
    reader, units, left = Reader(data), 0, MAX_OTS_OPERATIONS
    open_nodes = [(0, message_bytes)]
    try:
        while open_nodes:
            depth, length = open_nodes[-1]
            tag = reader.byte("item")
            if tag == MORE:
                tag = reader.byte("item")
            else:
                open_nodes.pop()
            if tag == ATTESTATION:
                read_attestation(reader)
                continue
            op = read_op(reader, tag)
            after, left = _length_after(op, length), left - 1
            if depth >= MAX_OTS_NESTED_OPERATIONS or left < 0 or after > MAX_OTS_MESSAGE_BYTES:
                break
            units += _units(op, length)
            open_nodes.append((depth + 1, after))
    except FormatError:
        pass  # the judge of the tree says what is wrong with it
    return units


def _length_after(op: Op, length: int) -> int:
    if op.digest_bytes is not None:
        return op.digest_bytes
    if isinstance(op, Append | Prepend):
        return length + len(op.argument)
    return 2 * length if isinstance(op, Hexlify) else length


def _units(op: Op, length: int) -> int:
    if isinstance(op, Keccak256):
        return UNITS_PER_KECCAK_BLOCK * (length // RATE_BYTES + 1)
    if isinstance(op, Ripemd160):
        blocks = (length + _RIPEMD160_LENGTH_BYTES) // _RIPEMD160_BLOCK_BYTES + 1
        return UNITS_PER_RIPEMD160_BLOCK * blocks
    return 0
