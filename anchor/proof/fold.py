"""Fold fuller evidence for one thing into what a proof has, without giving any of it up.

A service that lies can make up headers, blocks and revocation data that nothing here can judge
today. So what is there stays, and new parts join it only where they cannot make it worse later:

* parts that verify by themselves under the reader's policy join whatever is there;
* parts under a block header that is there already join, for the header binds them;
* Bitcoin headers join behind those that are there, each linking to the one before it;
* a row that is only a promise takes all that keeps it.

The rest is left out and named. Where only the newer one verifies, it is the one that is kept.

Specification: ``docs/spec/proof.md``, "Upgrading".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Final, TypeVar

from anchor.errors import AttestationError, FormatError
from anchor.formats.bitcoin import parse_header, verify_header_chain
from anchor.formats.ots.attestation import BitcoinAttestation
from anchor.formats.ots.codec import parse_tree, serialize_tree
from anchor.formats.ots.timestamp import Timestamp
from anchor.limits import MAX_CERTIFICATES
from anchor.proof.proof import (
    Attestation,
    EvmAttestation,
    HeaderRun,
    OpenTimestampsAttestation,
    Rfc3161Attestation,
)

T = TypeVar("T")

Confirmed = Callable[[Attestation], bool]
"""Whether an attestation, taken alone, verifies under the reader's policy."""

MAX_RUNS: Final = 8
_EVM_PARTS: Final = ("transaction", "receipt", "storage")
# One difficulty adjustment makes a block at most so many times easier than the one before it.
_MAX_EASING: Final = 4


@dataclass(frozen=True, slots=True)
class Folded:
    """One attestation out of two, and what of them it does not hold, in words."""

    attestation: Attestation
    left_out: tuple[str, ...] = ()


def fold(present: Attestation, other: Attestation, confirmed: Confirmed) -> Folded:
    """Return what two attestations of the same thing say together.

    Args:
        present: what the proof has.
        other: what came; it is not false by itself.
        confirmed: judges one attestation alone.

    Raises:
        FormatError: an OpenTimestamps tree cannot be read.
    """
    if present == other:
        return Folded(present)
    if isinstance(present, Rfc3161Attestation) and isinstance(other, Rfc3161Attestation):
        return _fold_token(present, other, confirmed)
    if isinstance(present, EvmAttestation) and isinstance(other, EvmAttestation):
        return _fold_evm(present, other, confirmed)
    if isinstance(present, OpenTimestampsAttestation) and isinstance(
        other, OpenTimestampsAttestation
    ):
        return _fold_ots(present, other, confirmed)
    return Folded(present)


def _only_second(present: Attestation, other: Attestation, confirmed: Confirmed) -> bool:
    return confirmed(other) and not confirmed(present)


# -- RFC 3161 --------------------------------------------------------------------------------------


def _fold_token(
    present: Rfc3161Attestation, other: Rfc3161Attestation, confirmed: Confirmed
) -> Folded:
    whole = replace(
        present,
        certificates=_union(present.certificates, other.certificates),
        ocsp=_union(present.ocsp, other.ocsp),
        crls=_union(present.crls, other.crls),
    )
    if whole == present:
        return Folded(present)
    fits = max(len(whole.certificates), len(whole.ocsp) + len(whole.crls)) <= MAX_CERTIFICATES
    has_revocation = bool(present.ocsp or present.crls)
    adds_revocation = (whole.ocsp, whole.crls) != (present.ocsp, present.crls)
    if fits and (confirmed(whole) or not (has_revocation and adds_revocation)):
        return Folded(whole)
    if _only_second(present, other, confirmed):
        return Folded(other)
    return Folded(present, ("rfc3161: more certificates or revocation data for a token, unjudged",))


def _union(first: tuple[T, ...], second: tuple[T, ...]) -> tuple[T, ...]:
    return tuple(dict.fromkeys((*first, *second)))


# -- EVM -------------------------------------------------------------------------------------------


def _fold_evm(present: EvmAttestation, other: EvmAttestation, confirmed: Confirmed) -> Folded:
    if not _parts(other):
        named = present.transaction_hash or other.transaction_hash
        return Folded(replace(present, transaction_hash=named))
    if not _parts(present):
        named = other.transaction_hash
        if other.transaction is None:
            named = named or present.transaction_hash
        return Folded(replace(other, transaction_hash=named))
    if _only_second(present, other, confirmed):
        present, other = other, present
    whole, left_out = present, []
    for name in _EVM_PARTS:
        part = getattr(other, name)
        if part is None or part == getattr(whole, name):
            continue
        alone = _alone(other, name)
        if getattr(whole, name) is None and (_is_bound(whole, name, part) or confirmed(alone)):
            named = whole.transaction_hash
            if name == "transaction":
                named = other.transaction_hash
            whole = replace(whole, **{name: part}, transaction_hash=named)
        else:
            left_out.append(f"evm: another {name} proof, under a header that nothing confirms")
    return Folded(whole, tuple(left_out))


def _parts(attestation: EvmAttestation) -> list[str]:
    return [name for name in _EVM_PARTS if getattr(attestation, name) is not None]


def _alone(attestation: EvmAttestation, name: str) -> EvmAttestation:
    others: dict[str, Any] = {other: None for other in _EVM_PARTS if other != name}
    return replace(attestation, **others)


def _is_bound(whole: EvmAttestation, name: str, part: object) -> bool:
    """Say whether a header that is there already binds the part, whatever policy one has.

    Not so for storage: how a contract that the policy does not know lays it out is not judged.
    """
    headers = {getattr(whole, other).header for other in _parts(whole)}
    return name != "storage" and getattr(part, "header", None) in headers


# -- OpenTimestamps --------------------------------------------------------------------------------


def _fold_ots(
    present: OpenTimestampsAttestation, other: OpenTimestampsAttestation, confirmed: Confirmed
) -> Folded:
    if _only_second(present, other, confirmed):
        present, other = other, present
    left_out: list[str] = []
    tree = _merged_tree(present, other, confirmed, left_out)
    blocks = {height for height, _ in _blocks(tree)}
    runs = {run.height: run for run in present.headers}
    for run in other.headers:
        known = runs.get(run.height)
        if known is None:
            if run.height in blocks and len(runs) < MAX_RUNS:
                runs[run.height] = run
        elif extends(known, run):
            runs[run.height] = run
        elif run.headers != known.headers[: len(run.headers)]:
            left_out.append(f"bitcoin: other headers for block {run.height} than those that are "
                            "there")  # fmt: skip
    headers = tuple(runs[height] for height in sorted(runs))
    return Folded(replace(present, tree=serialize_tree(tree), headers=headers), tuple(left_out))


def _merged_tree(
    present: OpenTimestampsAttestation,
    other: OpenTimestampsAttestation,
    confirmed: Confirmed,
    left_out: list[str],
) -> Timestamp:
    tree = parse_tree(present.tree, present.root_hash)
    more = parse_tree(other.tree, other.root_hash)
    there = _blocks(tree)
    new = _blocks(more) - there
    if new and there and not confirmed(other):
        heights = ", ".join(str(height) for height, _ in sorted(new))
        left_out.append(f"bitcoin: block {heights} beside the one that is there, unconfirmed")
        return tree
    tree.merge(more)
    try:
        parse_tree(serialize_tree(tree), present.root_hash)
    except FormatError:
        left_out.append("bitcoin: a tree with more operations than any reader follows")
        return parse_tree(present.tree, present.root_hash)
    return tree


def _blocks(tree: Timestamp) -> set[tuple[int, bytes]]:
    return {
        (path.attestation.height, path.message)
        for path in tree.paths()
        if isinstance(path.attestation, BitcoinAttestation)
    }


def extends(known: HeaderRun, longer: HeaderRun) -> bool:
    """Say whether a run begins with the whole of another and goes on where that one ends.

    Each further header links to the one before it, has the work that it names, and names no easier
    a target than one adjustment of the difficulty allows.
    """
    if longer.height != known.height or len(longer.headers) <= len(known.headers):
        return False
    if longer.headers[: len(known.headers)] != known.headers:
        return False
    try:
        headers = [parse_header(raw) for raw in longer.headers]
        verify_header_chain(headers)
    except (AttestationError, FormatError):
        return False
    return all(after.target <= _MAX_EASING * before.target for before, after in pairwise(headers))
