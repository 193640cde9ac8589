"""The check at start: is the log on this disk the one that others have seen?

A disk can be put back to an older state without the log noticing: every file fits every other. The
checkpoints that witnesses, anchored rounds or an operator's file remember are what shows it. A log
that is behind the greatest of them would sign a second tree of some size, so it must not sign.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from anchor.errors import FormatError, LogIntegrityError, SignatureError
from anchor.formats.checkpoint import Checkpoint
from anchor.ports import LogStore
from anchor.service.signer import LogSigner


@dataclass(frozen=True, slots=True)
class OutsideCheckpoints:
    """What was known outside.

    Attributes:
        greatest: the greatest one signed by this log, or None if there was none.
        ignored: texts that are no checkpoint signed by this log's key; anybody can hand us these.
    """

    greatest: Checkpoint | None
    ignored: int


def check_outside_checkpoints(
    store: LogStore, signer: LogSigner, texts: Iterable[str]
) -> OutsideCheckpoints:
    """Check that the store holds every tree that this log is known to have signed.

    Raises:
        LogIntegrityError: the log is behind one (``log.integrity.behind``), or has another root at
            its size (``log.integrity.forked``).
    """
    known: list[Checkpoint] = []
    ignored = 0
    for text in texts:
        try:
            known.append(signer.verify(text))
        except (FormatError, SignatureError):
            ignored += 1
    committed = store.committed
    size = committed.tree_size if committed else 0
    for checkpoint in known:
        if checkpoint.tree_size > size:
            raise LogIntegrityError(
                f"a checkpoint of tree size {checkpoint.tree_size} is known outside, and the "
                f"log here ends at {size}",
                code="log.integrity.behind",
                hint="restore the newer log; from a backup older than that the origin is closed",
            )
        if store.root_hash(checkpoint.tree_size) != checkpoint.root_hash:
            raise LogIntegrityError(
                f"at tree size {checkpoint.tree_size} a checkpoint known outside has root "
                f"{checkpoint.root_hash.hex()}, and the log here has another",
                code="log.integrity.forked",
            )
    greatest = max(known, key=lambda checkpoint: checkpoint.tree_size, default=None)
    return OutsideCheckpoints(greatest, ignored)
