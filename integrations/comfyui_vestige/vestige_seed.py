"""Draw a 64-bit seed for the vault's next record from the newest beacon, else at random.

The derivation is ``docs/spec/record.md``, "Seeds": it leaves no choice but when. It holds for the
next record only, so a run whose seed was drawn is the next thing that is to be recorded.
"""

from __future__ import annotations

import secrets
from pathlib import Path

from .vestige_recorder import Draw, beacon_cache, failed, load_anchor


def draw_seed(folder: str) -> Draw:
    """Return a seed for the next record of the vault at or above a folder. Raises nothing."""
    try:
        anchor = load_anchor()
        if anchor is None:
            why = "the vestige package is not in this Python"
            return _random(f"vestige: {why}; the seed is random")
        with anchor.Vault.open(Path(folder).expanduser()) as vault:
            beacons = beacon_cache(anchor, vault).beacons()
            if not beacons:
                return _random("vestige: no beacon is known; the seed is random")
            first = beacons[0]
            place = anchor.Place(vault.project.id, vault.size, None, b"", 0)
            text = f"vestige: seed for record {vault.size} from {first.source} {first.number}"
            seed = anchor.beacon_seed(place, first)
            return Draw(seed, vault.project.id, vault.size, first, text)
    except Exception as error:  # noqa: BLE001 - whatever it is, the run goes on
        reason = failed(error).text.replace("not recorded", "the seed is random")
        return _random(reason)


def _random(text: str) -> Draw:
    return Draw(secrets.randbits(64), text=text)
