"""The 64-bit key under which the digest index files a digest.

Two multilinear hashes of 32 bits each over the digest's eight 32-bit words, with multipliers drawn
from a secret seed of the store: strongly universal, so whoever does not know the seed finds no two
digests with equal keys more often than once in 2**64 tries (Lemire and Kaser, "Strongly universal
string hashing is fast", section 2). The first 8 bytes of the digest itself would not do: anybody
can submit a million digests that agree in them, and every lookup would then read the million.

The keys are also spread evenly, whatever is submitted, so a merge can be cut into equal parts.

It is no cryptographic hash and nothing rests on it: an equal key is always followed by a comparison
with the 32-byte entry.
"""

from __future__ import annotations

import hashlib
import struct
from typing import Final

import numpy as np
from numpy.typing import NDArray

SEED_BYTES: Final = 32
_WORDS: Final = 8
_MASK: Final = 2**64 - 1


class DigestKey:
    """The key function of one store.

    Args:
        seed: 32 secret random bytes.
    """

    def __init__(self, seed: bytes) -> None:
        self.seed = seed
        numbers = np.frombuffer(
            hashlib.shake_256(b"digest index key" + seed).digest(2 * (_WORDS + 1) * 8), dtype="<u8"
        ).astype(np.uint64)
        self._multipliers = numbers[: 2 * _WORDS].reshape(_WORDS, 2)
        self._addends = numbers[2 * _WORDS :]
        columns: list[list[int]] = self._multipliers.T.tolist()
        self._high, self._low = columns
        self._high_addend, self._low_addend = (int(number) for number in self._addends)

    def keys(self, digests: bytes) -> NDArray[np.uint64]:
        """Return the key of each digest, 32·n bytes in."""
        words = np.frombuffer(digests, dtype="<u4").reshape(-1, _WORDS).astype(np.uint64)
        sums = words @ self._multipliers
        sums += self._addends
        sums >>= np.uint64(32)
        return (sums[:, 0] << np.uint64(32)) | sums[:, 1]

    def key(self, digest: bytes) -> int:
        """Return the key of one digest; the same number, quicker than an array of one."""
        words = struct.unpack("<8I", digest)
        high, low = self._high_addend, self._low_addend
        for word, by_high, by_low in zip(words, self._high, self._low, strict=True):
            high += word * by_high
            low += word * by_low
        return (high & _MASK) >> 32 << 32 | (low & _MASK) >> 32
