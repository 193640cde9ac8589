"""A seed that a beacon gives: who uses it can not have run the generator before the beacon.

The derivation leaves no choice but that of the beacon and of the place: one record, one seed. What
may be said of it is little (``docs/spec/record.md``, "Seeds"): *consistent with* a run after the
beacon's time, and only where a run made again from that seed gave the same pixels.
"""

from __future__ import annotations

import hashlib

from anchor.records.record import Beacon, Place


def beacon_seed(place: Place, beacon: Beacon) -> int:
    """Return the seed of a record: 64 bits, unsigned.

    The first eight bytes, big-endian, of SHA-256 over ``vestige-seed/1``, a zero byte, the project
    (16 bytes), ``seq`` (8 bytes, big-endian) and the beacon's value (32 bytes).
    """
    project, seq = bytes.fromhex(place.project), place.seq.to_bytes(8, "big")
    digest = hashlib.sha256(b"vestige-seed/1\0" + project + seq + beacon.value).digest()
    return int.from_bytes(digest[:8], "big")
