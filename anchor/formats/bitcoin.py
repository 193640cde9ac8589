"""Bitcoin block headers: the 80 bytes, their target, their work, and how they link.

Specification: Bitcoin's header layout (version, previous block hash, merkle root, time, compact
target, nonce; numbers little end first) and Bitcoin Core's ``arith_uint256`` for the compact
target. Hashes are kept in *internal* order, as SHA-256 gives them; explorers print them reversed,
which :func:`display_hex` and :func:`parse_display_hex` convert.

What this deliberately does not do: judge. A header names its own target, so that one at the least
difficulty costs nothing; that a header belongs to the chain that people mean is for the policy's
checkpoints and sources to say (``anchor/verify``). Difficulty adjustment and the rules of time are
not recomputed.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from anchor.errors import (
    AttestationError,
    FormatError,
    NonCanonicalError,
    TrailingDataError,
    TruncatedError,
)
from anchor.formats.encoding import parse_hex
from anchor.limits import BITCOIN_HEADER_BYTES

_LAYOUT: Final = struct.Struct("<i32s32sIII")
_SIGN_BIT: Final = 0x0080_0000
_HASH_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class BitcoinHeader:
    """One parsed header.

    Attributes:
        version: signed, as the protocol has it.
        previous_hash: the block hash of the header before, 32 bytes, internal order.
        merkle_root: 32 bytes, internal order: what an OpenTimestamps path ends in.
        time: the miner's claim, Unix seconds; may be hours off.
        bits: the compact target.
        nonce: what the miner searched.
        raw: the 80 bytes.
    """

    version: int
    previous_hash: bytes
    merkle_root: bytes
    time: int
    bits: int
    nonce: int
    raw: bytes

    @property
    def block_hash(self) -> bytes:
        """Return the header's double SHA-256, internal order."""
        return hashlib.sha256(hashlib.sha256(self.raw).digest()).digest()

    @property
    def target(self) -> int:
        """Return the number that the block hash may not exceed."""
        return target_from_bits(self.bits)

    @property
    def work(self) -> int:
        """Return the number of hashes that finding such a header takes on average."""
        return 2**256 // (self.target + 1)


def parse_header(data: bytes) -> BitcoinHeader:
    """Read exactly 80 bytes; the target is checked to be a canonical one, the work is not checked.

    Raises:
        FormatError: another length, or a compact target that no node would accept.
    """
    if len(data) < BITCOIN_HEADER_BYTES:
        raise TruncatedError(f"a Bitcoin header has {BITCOIN_HEADER_BYTES} bytes, got {len(data)}")
    if len(data) > BITCOIN_HEADER_BYTES:
        raise TrailingDataError(
            f"a Bitcoin header has {BITCOIN_HEADER_BYTES} bytes, got {len(data)}"
        )
    version, previous_hash, merkle_root, time, bits, nonce = _LAYOUT.unpack(data)
    target_from_bits(bits)
    return BitcoinHeader(version, previous_hash, merkle_root, time, bits, nonce, bytes(data))


def target_from_bits(bits: int) -> int:
    """Return the target that a compact number stands for: mantissa times 256**(size - 3).

    Raises:
        FormatError: negative, zero, past 2**256 (``bitcoin.bits``), or not the one way in which
            that target is written (NonCanonicalError).
    """
    size, mantissa = bits >> 24, bits & (_SIGN_BIT - 1)
    target = mantissa << 8 * (size - 3) if size >= 3 else mantissa >> 8 * (3 - size)
    if bits & _SIGN_BIT:
        raise FormatError(f"the compact target 0x{bits:08x} is negative", code="bitcoin.bits")
    if target == 0:
        raise FormatError(f"the compact target 0x{bits:08x} is zero", code="bitcoin.bits")
    if target >= 2**256:
        raise FormatError(f"the compact target 0x{bits:08x} overflows", code="bitcoin.bits")
    if bits_from_target(target) != bits:
        raise NonCanonicalError(
            f"the compact target 0x{bits:08x} is written 0x{bits_from_target(target):08x}",
            code="bitcoin.bits",
        )
    return target


def bits_from_target(target: int) -> int:
    """Return the compact form of a positive target, its low digits cut off as nodes do."""
    size = (target.bit_length() + 7) // 8
    mantissa = target >> 8 * (size - 3) if size >= 3 else target << 8 * (3 - size)
    if mantissa & _SIGN_BIT:
        size, mantissa = size + 1, mantissa >> 8
    return size << 24 | mantissa


def verify_header_work(header: BitcoinHeader) -> None:
    """Check that the block hash meets the target that the header names.

    Raises:
        AttestationError: it does not.
    """
    if int.from_bytes(header.block_hash, "little") > header.target:
        raise AttestationError(
            f"block {display_hex(header.block_hash)} does not meet its own target "
            f"0x{header.bits:08x}",
            code="bitcoin.work",
        )


def verify_header_chain(headers: Sequence[BitcoinHeader]) -> int:
    """Check that each header follows the one before and meets its own target.

    Returns:
        The work of all of them together.

    Raises:
        AttestationError: a header does not link (``bitcoin.linkage``) or lacks its work.
        FormatError: there is no header.
    """
    if not headers:
        raise FormatError("no Bitcoin header at all", code="bitcoin.no_headers")
    for position, header in enumerate(headers):
        verify_header_work(header)
        if position and header.previous_hash != headers[position - 1].block_hash:
            raise AttestationError(
                f"block {display_hex(header.block_hash)} does not follow "
                f"{display_hex(headers[position - 1].block_hash)}",
                code="bitcoin.linkage",
            )
    return sum(header.work for header in headers)


def display_hex(digest: bytes) -> str:
    """Return a block hash or merkle root as explorers print it: reversed, hexadecimal."""
    return digest[::-1].hex()


def parse_display_hex(text: str) -> bytes:
    """Read 64 lower-case hexadecimal digits as explorers print them; FormatError otherwise."""
    return parse_hex(text, n_bytes=_HASH_BYTES, what="block hash")[::-1]
