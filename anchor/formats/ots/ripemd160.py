"""RIPEMD-160, in plain Python.

Specification: Dobbertin, Bosselaers, Preneel, "RIPEMD-160: A Strengthened Version of RIPEMD"
(1996), appendix A; ISO/IEC 10118-3. OpenSSL 3 ships the algorithm in its legacy provider only, so
``hashlib`` has it on some machines and not on others; a verdict must not depend on that.

Rules: bytes in, 20 bytes out. It is slow (about a megabyte a second); the callers bound what they
feed it. It is not constant-time, and nothing secret is hashed here.
"""

from __future__ import annotations

import struct
from typing import Final

_BLOCK_BYTES: Final = 64
_WORD: Final = 0xFFFF_FFFF
_START: Final = (0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0)

_LEFT_CONSTANTS: Final = (0x00000000, 0x5A827999, 0x6ED9EBA1, 0x8F1BBCDC, 0xA953FD4E)
_RIGHT_CONSTANTS: Final = (0x50A28BE6, 0x5C4DD124, 0x6D703EF3, 0x7A6D76E9, 0x00000000)

# The order of the message words: rho, applied round after round; the right line starts from pi.
_RHO: Final = (7, 4, 13, 1, 10, 6, 15, 3, 12, 0, 9, 5, 2, 14, 11, 8)
_PI: Final = tuple((9 * i + 5) % 16 for i in range(16))

# The rotation of word i in each of the five rounds.
_SHIFTS: Final = (
    (11, 14, 15, 12, 5, 8, 7, 9, 11, 13, 14, 15, 6, 7, 9, 8),
    (12, 13, 11, 15, 6, 9, 9, 7, 12, 15, 11, 13, 7, 8, 7, 7),
    (13, 15, 14, 11, 7, 7, 6, 8, 13, 14, 13, 12, 5, 5, 6, 9),
    (14, 11, 12, 14, 8, 6, 5, 5, 15, 12, 15, 14, 9, 9, 8, 6),
    (15, 12, 13, 13, 9, 5, 8, 6, 14, 11, 12, 11, 8, 6, 5, 5),
)


def _schedule(order: tuple[int, ...]) -> tuple[tuple[tuple[int, int], ...], ...]:
    """Return for each round the (message word, rotation) of its 16 steps."""
    rounds = []
    for shifts in _SHIFTS:
        rounds.append(tuple((word, shifts[word]) for word in order))
        order = tuple(_RHO[word] for word in order)
    return tuple(rounds)


_LEFT: Final = _schedule(tuple(range(16)))
_RIGHT: Final = _schedule(_PI)


def ripemd160(data: bytes) -> bytes:
    """Return the 20-byte RIPEMD-160 digest of ``data``."""
    padding = b"\x80" + bytes(-(len(data) + 9) % _BLOCK_BYTES)
    padded = data + padding + struct.pack("<Q", 8 * len(data) & 0xFFFF_FFFF_FFFF_FFFF)
    state = _START
    for start in range(0, len(padded), _BLOCK_BYTES):
        state = _compress(state, struct.unpack_from("<16I", padded, start))
    return struct.pack("<5I", *state)


def _compress(
    state: tuple[int, int, int, int, int], words: tuple[int, ...]
) -> tuple[int, int, int, int, int]:
    """Mix one block of 16 words into the state: two lines of five rounds, then their sum."""
    left = _line(state, words, _LEFT, _LEFT_CONSTANTS, (0, 1, 2, 3, 4))
    right = _line(state, words, _RIGHT, _RIGHT_CONSTANTS, (4, 3, 2, 1, 0))
    h0, h1, h2, h3, h4 = state
    return (
        (h1 + left[2] + right[3]) & _WORD,
        (h2 + left[3] + right[4]) & _WORD,
        (h3 + left[4] + right[0]) & _WORD,
        (h4 + left[0] + right[1]) & _WORD,
        (h0 + left[1] + right[2]) & _WORD,
    )


def _line(
    state: tuple[int, int, int, int, int],
    words: tuple[int, ...],
    schedule: tuple[tuple[tuple[int, int], ...], ...],
    constants: tuple[int, ...],
    functions: tuple[int, ...],
) -> tuple[int, int, int, int, int]:
    """Run one line; ``functions`` names the boolean function of each of its five rounds."""
    a, b, c, d, e = state
    for steps, constant, function in zip(schedule, constants, functions, strict=True):
        for word, rotation in steps:
            mixed = (a + _boolean(function, b, c, d) + words[word] + constant) & _WORD
            turned = (mixed << rotation | mixed >> (32 - rotation)) + e
            a, b, c, d, e = e, turned & _WORD, b, (c << 10 | c >> 22) & _WORD, d
    return a, b, c, d, e


def _boolean(function: int, x: int, y: int, z: int) -> int:
    """Return f1 to f5 of the specification, numbered from 0."""
    if function == 0:
        return x ^ y ^ z
    if function == 1:
        return (x & y) | (~x & z)
    if function == 2:
        return (x | ~y & _WORD) ^ z
    if function == 3:
        return (x & z) | (y & ~z)
    return x ^ (y | ~z & _WORD)
