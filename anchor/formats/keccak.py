"""Keccak-256, the digest that EVM chains use: Keccak[c=512] with its padding of 2011.

Specification: "The Keccak reference", version 3.0, sections 1.1 to 1.3 (the permutation) and 2.1
(multi-rate padding). It differs from SHA3-256 of FIPS 202 in one thing: no domain bits come before
the padding, so the first padding byte is 0x01 where SHA-3 has 0x06. The standard library offers
SHA-3 only, hence this module.

Rules: one shot, bytes in and 32 bytes out. The 25 lanes are local names and each round is written
out, which in CPython is several times as quick as loops over a list. It is not constant-time;
nothing secret is ever hashed with it in the kernel.
"""

from __future__ import annotations

from typing import Final

RATE_BYTES: Final = 136
_LANE: Final = 0xFFFF_FFFF_FFFF_FFFF


def _round_constants() -> tuple[int, ...]:
    """Return the 24 constants of the iota step, from its linear feedback shift register."""
    constants = []
    register = 1
    for _ in range(24):
        constant = 0
        for j in range(7):
            if register & 1:
                constant |= 1 << ((1 << j) - 1)
            register = (register << 1) ^ (0x171 if register & 0x80 else 0)
        constants.append(constant)
    return tuple(constants)


_ROUND_CONSTANTS: Final = _round_constants()


def keccak256(data: bytes) -> bytes:
    """Return the 32-byte Keccak-256 digest of ``data``."""
    padding = bytearray(RATE_BYTES - len(data) % RATE_BYTES)
    padding[0] = 0x01
    padding[-1] |= 0x80
    padded = data + padding
    state = [0] * 25
    for start in range(0, len(padded), RATE_BYTES):
        for lane in range(RATE_BYTES // 8):
            offset = start + 8 * lane
            state[lane] ^= int.from_bytes(padded[offset : offset + 8], "little")
        state = _permute(state)
    return b"".join(lane.to_bytes(8, "little") for lane in state[:4])


def _permute(state: list[int]) -> list[int]:
    """Apply Keccak-f[1600] to 25 lanes of 64 bits, lane ``x + 5 * y``.

    ``a`` to ``e`` are the columns x = 0 to 4, ``f`` to ``j`` after pi; the digit is the row y.
    """
    m = _LANE
    (a0, b0, c0, d0, e0, a1, b1, c1, d1, e1, a2, b2, c2, d2, e2,
     a3, b3, c3, d3, e3, a4, b4, c4, d4, e4) = state  # fmt: skip
    for constant in _ROUND_CONSTANTS:
        # theta: what is added to each column
        p = a0 ^ a1 ^ a2 ^ a3 ^ a4
        q = b0 ^ b1 ^ b2 ^ b3 ^ b4
        r = c0 ^ c1 ^ c2 ^ c3 ^ c4
        s = d0 ^ d1 ^ d2 ^ d3 ^ d4
        t = e0 ^ e1 ^ e2 ^ e3 ^ e4
        ta = t ^ (q << 1 & m | q >> 63)
        tb = p ^ (r << 1 & m | r >> 63)
        tc = q ^ (s << 1 & m | s >> 63)
        td = r ^ (t << 1 & m | t >> 63)
        te = s ^ (p << 1 & m | p >> 63)
        # rho and pi: rotate each lane and put it in its new place
        f0 = a0 ^ ta
        g0 = (w := b1 ^ tb) << 44 & m | w >> 20
        h0 = (w := c2 ^ tc) << 43 & m | w >> 21
        i0 = (w := d3 ^ td) << 21 & m | w >> 43
        j0 = (w := e4 ^ te) << 14 & m | w >> 50
        f1 = (w := d0 ^ td) << 28 & m | w >> 36
        g1 = (w := e1 ^ te) << 20 & m | w >> 44
        h1 = (w := a2 ^ ta) << 3 & m | w >> 61
        i1 = (w := b3 ^ tb) << 45 & m | w >> 19
        j1 = (w := c4 ^ tc) << 61 & m | w >> 3
        f2 = (w := b0 ^ tb) << 1 & m | w >> 63
        g2 = (w := c1 ^ tc) << 6 & m | w >> 58
        h2 = (w := d2 ^ td) << 25 & m | w >> 39
        i2 = (w := e3 ^ te) << 8 & m | w >> 56
        j2 = (w := a4 ^ ta) << 18 & m | w >> 46
        f3 = (w := e0 ^ te) << 27 & m | w >> 37
        g3 = (w := a1 ^ ta) << 36 & m | w >> 28
        h3 = (w := b2 ^ tb) << 10 & m | w >> 54
        i3 = (w := c3 ^ tc) << 15 & m | w >> 49
        j3 = (w := d4 ^ td) << 56 & m | w >> 8
        f4 = (w := c0 ^ tc) << 62 & m | w >> 2
        g4 = (w := d1 ^ td) << 55 & m | w >> 9
        h4 = (w := e2 ^ te) << 39 & m | w >> 25
        i4 = (w := a3 ^ ta) << 41 & m | w >> 23
        j4 = (w := b4 ^ tb) << 2 & m | w >> 62
        # chi row by row, then iota
        a0, b0, c0 = f0 ^ ~g0 & h0, g0 ^ ~h0 & i0, h0 ^ ~i0 & j0
        d0, e0 = i0 ^ ~j0 & f0, j0 ^ ~f0 & g0
        a1, b1, c1 = f1 ^ ~g1 & h1, g1 ^ ~h1 & i1, h1 ^ ~i1 & j1
        d1, e1 = i1 ^ ~j1 & f1, j1 ^ ~f1 & g1
        a2, b2, c2 = f2 ^ ~g2 & h2, g2 ^ ~h2 & i2, h2 ^ ~i2 & j2
        d2, e2 = i2 ^ ~j2 & f2, j2 ^ ~f2 & g2
        a3, b3, c3 = f3 ^ ~g3 & h3, g3 ^ ~h3 & i3, h3 ^ ~i3 & j3
        d3, e3 = i3 ^ ~j3 & f3, j3 ^ ~f3 & g3
        a4, b4, c4 = f4 ^ ~g4 & h4, g4 ^ ~h4 & i4, h4 ^ ~i4 & j4
        d4, e4 = i4 ^ ~j4 & f4, j4 ^ ~f4 & g4
        a0 ^= constant
    return [a0, b0, c0, d0, e0, a1, b1, c1, d1, e1, a2, b2, c2, d2, e2,
            a3, b3, c3, d3, e3, a4, b4, c4, d4, e4]  # fmt: skip
