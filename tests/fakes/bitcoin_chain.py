"""A Bitcoin chain at regtest difficulty: mined here, served as Esplora and as Bitcoin Core.

Written without the project's own formats, so that a mistake of ours cannot agree with itself.
"""

from __future__ import annotations

import hashlib
import itertools
import struct

REGTEST_BITS = 0x207FFFFF
_TARGET = 0x7FFFFF << 232
_FIRST_TIME = 1_700_000_000


def sha256d(data: bytes) -> bytes:
    return hashlib.sha256(hashlib.sha256(data).digest()).digest()


def mine_header(previous_hash: bytes, merkle_root: bytes, time: int) -> bytes:
    """Return an 80-byte header that meets the regtest target."""
    head = struct.pack("<i32s32sII", 0x20000000, previous_hash, merkle_root, time, REGTEST_BITS)
    for nonce in itertools.count():
        header = head + struct.pack("<I", nonce)
        if int.from_bytes(sha256d(header), "little") <= _TARGET:
            return header
    raise AssertionError


class FakeChain:
    """Headers from height 0; blocks without a given merkle root get one of their own."""

    def __init__(self, blocks: int = 101) -> None:
        self.headers: list[bytes] = []
        self._serial = itertools.count()
        self.mine(blocks)

    @property
    def height(self) -> int:
        return len(self.headers) - 1

    def mine(self, count: int = 1, merkle_root: bytes | None = None) -> int:
        """Append blocks and return the new height."""
        for _ in range(count):
            previous = sha256d(self.headers[-1]) if self.headers else bytes(32)
            root = merkle_root or sha256d(b"block %d" % next(self._serial))
            self.headers.append(mine_header(previous, root, _FIRST_TIME + 600 * len(self.headers)))
        return self.height

    def reorganise(self, depth: int) -> int:
        """Drop the last ``depth`` blocks, mine one more than that, return the first new height."""
        del self.headers[len(self.headers) - depth :]
        first = len(self.headers)
        self.mine(depth + 1)
        return first

    def block_hash(self, height: int) -> str:
        """Return the block hash in display order; IndexError past the tip."""
        if height < 0:
            raise IndexError(height)
        return sha256d(self.headers[height])[::-1].hex()

    def header_of(self, block_hash: str) -> str:
        """Return the header as hexadecimal; KeyError if the block is not on the chain."""
        for header in self.headers:
            if sha256d(header)[::-1].hex() == block_hash:
                return header.hex()
        raise KeyError(block_hash)
