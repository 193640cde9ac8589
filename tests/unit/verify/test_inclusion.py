"""Who signed a checkpoint: keys change hands, and the order of a policy's entries says nothing."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest

from anchor.errors import ConsistencyError, SignatureError
from anchor.formats.checkpoint import parse_checkpoint
from anchor.formats.note import NoteSignature, SignedNote, parse_note, sign_note
from anchor.verify.inclusion import SignedTree, verify_checkpoint
from tests import evidence
from tests.evidence import Log, Signer

LOG = Log(digests=[evidence.digest_of(f"entry {n}") for n in range(12)])
OLD = LOG.signer
NEW = Signer(OLD.name, seed=b"\x0b" * 32)
CLOSING = {"last_size": 7, "closing_root": LOG.root(7).hex()}


def entry(signer: Signer, **range_: Any) -> dict[str, Any]:
    return {"origin": OLD.name, "key": signer.key.text, **range_}


def signed(size: int, *signers: Signer, root: bytes | None = None) -> SignedNote:
    note = parse_note(LOG.checkpoint(size, root))
    lines = [sign_note(note.text, s.key, s.private.sign).signatures[0] for s in signers]
    return replace(note, signatures=tuple(lines))


def outcomes(note: SignedNote, *entries: dict[str, Any]) -> set[Any]:
    """Return what the orders of the entries give: a key's name and id, or an error's code."""
    found = set()
    for order in permutations(entries):
        policy = evidence.policy(logs=list(order))
        try:
            tree = verify_checkpoint(note, parse_checkpoint(note.text), policy)
        except (ConsistencyError, SignatureError) as error:
            found.add(error.code)
        else:
            found.add(tree.log.key.key_id if isinstance(tree, SignedTree) else None)
    return found


ROTATED = (entry(OLD, **CLOSING), entry(NEW, first_size=7))


@pytest.mark.parametrize(
    ("note", "outcome"),
    [
        (signed(5, OLD), OLD.key.key_id),
        (signed(8, NEW), NEW.key.key_id),
        (signed(8, OLD, NEW), NEW.key.key_id),
        (signed(8, NEW, OLD), NEW.key.key_id),
        (signed(5, OLD, NEW), OLD.key.key_id),
        (signed(8, OLD), "checkpoint.outside_key_range"),
        (signed(5, NEW), "checkpoint.outside_key_range"),
        (signed(8, Signer("stranger.example.org", seed=b"\x0c" * 32)), None),
        # The old tree was closed with another root hash, whichever key says so.
        (signed(7, NEW, root=bytes(32)), "checkpoint.closing_root_mismatch"),
        (signed(7, OLD, root=bytes(32)), "checkpoint.closing_root_mismatch"),
    ],
)
def test_rotation_does_not_depend_on_the_order_of_entries(note: SignedNote, outcome: Any) -> None:
    assert outcomes(note, *ROTATED) == {outcome}


def test_one_key_may_have_two_ranges() -> None:
    entries = (entry(OLD, last_size=3), entry(NEW, last_size=3), entry(OLD, first_size=9))
    assert outcomes(signed(10, OLD), *entries) == {OLD.key.key_id}
    assert outcomes(signed(5, OLD), *entries) == {"checkpoint.outside_key_range"}


def test_a_false_line_of_any_policy_key_spoils_the_note() -> None:
    good = signed(8, OLD, NEW)
    for position in (0, 1):
        lines = list(good.signatures)
        line = lines[position]
        lines[position] = NoteSignature(line.name, line.key_id, bytes(64))
        (outcome,) = outcomes(replace(good, signatures=tuple(lines)), *ROTATED)
        assert str(outcome).startswith("verify.signature")
