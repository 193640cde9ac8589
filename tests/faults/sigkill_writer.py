"""The process that is killed: started once, it forks a writer for every seed it reads.

Lines on standard input: a seed. Lines on standard output: ``pid N`` when a writer starts, from the
writer ``open SIZE`` and then one ``ack`` line a submission, and ``end STATUS`` when it is gone, on
a line of its own even where the writer died in the middle of one. An ack line is ``ack {json}``
with the first number submitted, the leaf indices, and the signed checkpoint.
"""

from __future__ import annotations

import json
import os
import random
import sys
import threading
from pathlib import Path

from anchor.service.sequencer import Sequencer
from anchor.stores.packed import digest_index, index_run
from tests.fakes.log import SIGNER, digests, open_log

# Small, so that kills meet the merging too.
digest_index._INLINE_KEYS = 128  # type: ignore[misc]
index_run._FILTER_FROM = 500  # type: ignore[misc]
_POOL = 40_000


_one_at_a_time = threading.Lock()


def say(line: str) -> None:
    data = line.encode() + b"\n"
    with _one_at_a_time:
        while data:
            data = data[os.write(1, data) :]


def submit_for_ever(sequencer: Sequencer, seed: str, largest: int) -> None:
    dice = random.Random(seed)
    while True:
        start, count = dice.randrange(_POOL), dice.randint(1, largest)
        numbers = [(start + i) % _POOL for i in range(count)]
        answer = sequencer.submit_blocking(digests(numbers))
        ack = {
            "start": start,
            "indices": answer.leaf_indices.tolist(),
            "checkpoint": answer.tree.checkpoint,
        }
        say("ack " + json.dumps(ack))


def write_until_killed(folder: Path, seed: str) -> None:
    log = open_log(folder, index_file_keys=1_000)
    say(f"open {log.size}")
    sequencer = Sequencer(log, SIGNER, slice_digests=500)
    for number, largest in enumerate((1, 1, 20, 1_500)):
        threading.Thread(
            target=submit_for_ever, args=(sequencer, f"{seed}/{number}", largest), daemon=True
        ).start()
    threading.Event().wait()


def main() -> None:
    folder = Path(sys.argv[1])
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            try:
                write_until_killed(folder, line.strip())
            finally:
                os._exit(70)
        say(f"pid {pid}")
        _, status = os.waitpid(pid, 0)
        say(f"\nend {status}")


if __name__ == "__main__":
    main()
