"""Steps 2 and 3: from the digest to root hashes, and what signed checkpoints add.

An attestation needs only a recomputed root hash (step 2.1). Index, size, order and origin are
believed only under a checkpoint signed by a key of the policy (step 2.2). Two such checkpoints of
one origin and size with different roots show that the log equivocated (step 3).

Specification: ``docs/spec/verification.md``, steps 2 and 3; RFC 6962, section 2.1.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from anchor.errors import ConsistencyError, InclusionError, VestigeError
from anchor.formats.checkpoint import Checkpoint, parse_checkpoint
from anchor.formats.merkle import inclusion_steps, leaf_hash, node_hash, root_from_inclusion
from anchor.formats.note import SignedNote, parse_note, verify_note
from anchor.limits import MAX_REMEMBERED_BYTES
from anchor.proof.policy import Policy, TrustedLog
from anchor.proof.proof import Inclusion
from anchor.verify.verdict import LogVerdict, Status, Step

_REMEMBERED = 4096


@dataclass(frozen=True, slots=True)
class SignedTree:
    """A checkpoint whose signature by a policy key was verified."""

    log: TrustedLog
    checkpoint: Checkpoint


@dataclass(frozen=True, slots=True)
class ReachedRoot:
    """A root hash that the digest was shown to lie under.

    ``note`` is the checkpoint of that root, parsed; ``signed`` is None unless a policy key signed.
    """

    inclusion: Inclusion
    root_hash: bytes
    note: SignedNote | None
    signed: SignedTree | None


class CheckpointReader:
    """Reads checkpoints and verifies who signed them; each text once.

    Args:
        policy: whose log keys are believed.
    """

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._read: dict[str, tuple[SignedNote, Checkpoint, SignedTree | None]] = {}
        self._characters = 0

    def read(self, text: str) -> tuple[SignedNote, Checkpoint, SignedTree | None]:
        """Return the note, what it says, and the signed tree if a policy key is on it.

        Raises:
            FormatError, SignatureError, ConsistencyError: as :func:`verify_checkpoint`.
        """
        known = self._read.get(text)
        if known is None:
            note = parse_note(text)
            checkpoint = parse_checkpoint(note.text)
            known = note, checkpoint, verify_checkpoint(note, checkpoint, self._policy)
            self._characters += len(text)
            if len(self._read) >= _REMEMBERED or self._characters > MAX_REMEMBERED_BYTES:
                self._read.clear()
                self._characters = len(text)
            self._read[text] = known
        return known


def reach_root(digest: bytes, inclusion: Inclusion, reader: CheckpointReader) -> ReachedRoot:
    """Recompute the root of one inclusion and check its checkpoint.

    Raises:
        InclusionError: the path has the wrong length, or the checkpoint is of another root or size.
        SignatureError: a policy key's signature on the checkpoint is false.
        FormatError: the checkpoint cannot be read.
    """
    root = root_from_inclusion(
        leaf_hash(digest), inclusion.leaf_index, inclusion.tree_size, inclusion.hashes
    )
    if inclusion.checkpoint is None:
        return ReachedRoot(inclusion, root, None, None)
    note, checkpoint, signed = reader.read(inclusion.checkpoint)
    if checkpoint.tree_size != inclusion.tree_size:
        raise InclusionError(
            f"the checkpoint is of size {checkpoint.tree_size}, "
            f"the inclusion proof of size {inclusion.tree_size}",
            code="inclusion.size_mismatch",
        )
    if checkpoint.root_hash != root:
        raise InclusionError(
            f"the inclusion proof leads to root hash {root.hex()}, "
            f"the checkpoint holds {checkpoint.root_hash.hex()}",
            code="inclusion.root_mismatch",
        )
    return ReachedRoot(inclusion, root, note, signed)


def verify_checkpoint(
    note: SignedNote, checkpoint: Checkpoint, policy: Policy
) -> SignedTree | None:
    """Return the signed tree, or None when no policy key is named on the note.

    All the policy's keys that stand on the note are looked at, so that the order of its entries
    does not matter: each must verify, and one of them must be allowed to sign that size.

    Raises:
        SignatureError: a line that names a policy key does not verify.
        ConsistencyError: the size lies outside what the policy lets those keys sign, or the tree at
            a closing size of that origin is not the closing tree.
    """
    entries = [log for log in policy.logs if log.origin == checkpoint.origin]
    signed = [log for log in entries if note.signatures_by(log.key)]
    if not signed:
        return None
    for key in dict.fromkeys(log.key for log in signed):
        verify_note(note, key)
    size = checkpoint.tree_size
    closing = {log.closing_root for log in entries if log.closing_root and log.last_size == size}
    if closing - {checkpoint.root_hash}:
        raise ConsistencyError(
            f"the root hash at the closing size {size} is not the policy's",
            code="checkpoint.closing_root_mismatch",
        )
    admitted = [log for log in signed if log.admits(size)]
    if not admitted:
        names = ", ".join(sorted({log.key.name for log in signed}))
        raise ConsistencyError(
            f"size {size} is outside what the policy lets the key {names} sign",
            code="checkpoint.outside_key_range",
        )
    return SignedTree(min(admitted, key=lambda log: log.key.text), checkpoint)


def judge_log(
    digest: bytes, inclusions: tuple[Inclusion, ...], reader: CheckpointReader
) -> tuple[LogVerdict, list[ReachedRoot]]:
    """Judge every inclusion; return what is known of the log and the roots that were reached."""
    reached: list[ReachedRoot] = []
    for inclusion in inclusions:
        try:
            reached.append(reach_root(digest, inclusion, reader))
        except VestigeError as error:
            return LogVerdict(Status.FAILED, error.message, error.code), reached
    clash = equivocation([root.signed for root in reached if root.signed is not None])
    if clash is not None:
        return LogVerdict(Status.FAILED, clash, "log.equivocated"), reached
    return _place(reached), reached


def log_steps(digest: bytes, reached: Sequence[ReachedRoot]) -> tuple[Step, ...]:
    """Return every hash step from the digest to the roots that were reached."""
    steps = [
        Step("2.1", "leaf hash", (f"SHA-256(00 ‖ {digest.hex()}) = {leaf_hash(digest).hex()}",))
    ]
    for root in reached:
        steps.extend(_path_steps(digest, root))
    return tuple(steps)


def equivocation(trees: list[SignedTree]) -> str | None:
    """Return a sentence if two signed trees of one origin contradict each other, else None."""
    seen: dict[tuple[str, int], bytes] = {}
    for tree in trees:
        key = (tree.checkpoint.origin, tree.checkpoint.tree_size)
        root = seen.setdefault(key, tree.checkpoint.root_hash)
        if root != tree.checkpoint.root_hash:
            return f"log equivocated: {key[0]} signed two root hashes for size {key[1]}"
    return None


def _place(reached: Sequence[ReachedRoot]) -> LogVerdict:
    signed = [root for root in reached if root.signed is not None]
    if not signed:
        noted = any(root.note is not None for root in reached)
        why = "the policy does not name this log's key" if noted else "no checkpoint is signed"
        return LogVerdict(
            Status.NOT_CHECKED,
            f"{why}; dates do not need it, index and order do",
            "log.key_unknown",
        )
    indexes = {(r.signed.checkpoint.origin, r.inclusion.leaf_index) for r in signed if r.signed}
    if len({origin for origin, _ in indexes}) < len(indexes):
        return LogVerdict(
            Status.FAILED,
            "the inclusions give the digest two places in one log",
            "log.two_places",
        )
    first = min(signed, key=lambda root: root.inclusion.tree_size)
    origin = first.signed.checkpoint.origin if first.signed else ""
    return LogVerdict(
        Status.VERIFIED,
        f"entry {first.inclusion.leaf_index} of the log {origin}",
        "log.verified",
        origin=origin,
        leaf_index=first.inclusion.leaf_index,
        tree_size=first.inclusion.tree_size,
    )


def _path_steps(digest: bytes, root: ReachedRoot) -> list[Step]:
    inclusion = root.inclusion
    current = leaf_hash(digest)
    lines = []
    for side, sibling in inclusion_steps(
        inclusion.leaf_index, inclusion.tree_size, inclusion.hashes
    ):
        pair = (sibling, current) if side == "left" else (current, sibling)
        current = node_hash(*pair)
        lines.append(f"SHA-256(01 ‖ {pair[0].hex()} ‖ {pair[1].hex()}) = {current.hex()}")
    lines.append(f"root hash of the first {inclusion.tree_size} entries: {root.root_hash.hex()}")
    steps = [Step("2.1", f"path of leaf {inclusion.leaf_index} to the root", tuple(lines))]
    if root.note is not None:
        who = f"signed by {root.signed.log.key.name}" if root.signed else "signed by no policy key"
        steps.append(Step("2.2", f"checkpoint of size {inclusion.tree_size}", (who,)))
    return steps
