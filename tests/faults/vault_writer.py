"""A process that records into a vault until it is killed; says what was acknowledged.

    python -m tests.faults.vault_writer FOLDER SEED_HEX NAME

Prints ``open COUNT``, then for each record ``ack SEQ DIGEST TEXT``.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

from anchor.vault import Attachment, Draft, Recorder, Vault
from anchor.vault.signer import Signer


def main(folder: str, seed: str, name: str) -> None:
    dice = random.Random(name)
    with Vault.open(Path(folder)) as vault:
        print(f"open {vault.size}", flush=True)
        recorder = Recorder(vault, Signer.of_seed(bytes.fromhex(seed)))
        for number in range(1_000_000):
            drafts = [
                _draft(f"{name}-{number}-{item}", dice) for item in range(dice.choice((1, 1, 4)))
            ]
            for record in recorder.append_many(drafts):
                text = record.fields["text"]
                print(f"ack {record.seq} {record.digest.hex()} {text}", flush=True)


def _draft(text: str, dice: random.Random) -> Draft:
    files = ()
    if dice.random() < 0.5:
        data = dice.randbytes(dice.choice((10, 100_000)))
        files = (Attachment("attachment", data=data, name="a.bin"),)
    return Draft("note", {"text": text}, files)


if __name__ == "__main__":
    main(*sys.argv[1:])
