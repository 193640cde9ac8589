"""Step W: how much work one verification does, and which rows get it.

A proof is a stranger's. A few bytes of it may ask for a second of hashing or for hundreds of
signature checks. So each row has a cost, in units of about a microsecond, which follows from its
bytes before anything in it is hashed or checked. The cheap rows are judged as long as the sum
allows; rows of one cost are judged all or not at all, so that neither their order nor anything that
was judged before plays a part. What is left out is not checked, and says so.

Specification: ``docs/spec/verification.md``, step W. The weights are in :mod:`anchor.limits`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from anchor import limits
from anchor.formats.ots.cost import slow_digest_units
from anchor.proof.proof import (
    Attestation,
    EvmAttestation,
    OpenTimestampsAttestation,
    Rfc3161Attestation,
    WitnessAttestation,
)
from anchor.verify.verdict import Judgement, Status

OVER_BUDGET = Judgement(
    Status.NOT_CHECKED,
    f"this proof asks for more than the {limits.MAX_WORK_UNITS:,} units of work that are done "
    "for one",
    "limit.work",
)

EXHIBIT_OVER_BUDGET = Judgement(
    Status.NOT_CHECKED,
    f"the proofs before this one took the {limits.MAX_EXHIBIT_UNITS:,} units of work that are done "
    "for one exhibit",
    "limit.work",
)

_EM_DASH = "\u2014"


class RowCost:
    """What one row costs; the second part is found when it is asked for.

    Args:
        attestation: the row.
    """

    __slots__ = ("_attestation", "_total", "size")

    def __init__(self, attestation: Attestation) -> None:
        self.size = size_units(attestation)
        self._attestation = attestation
        self._total: int | None = None

    @property
    def total(self) -> int:
        """The whole cost; only for a row that is not too large by its size."""
        if self._total is None:
            self._total = self.size + work_units(self._attestation)
        return self._total


def affordable(costs: Sequence[RowCost]) -> list[bool]:
    """Tell which of a proof's rows are judged (W.3): first by size, then by whole cost."""
    within = _threshold([cost.size for cost in costs])
    totals = [cost.total if cost.size <= within else None for cost in costs]
    most = _threshold([total for total in totals if total is not None])
    return [total is not None and total <= most for total in totals]


def size_units(attestation: Attestation) -> int:
    """Return what a row costs by its size and number of parts alone (W.1)."""
    match attestation:
        case OpenTimestampsAttestation():
            headers = sum(len(run.headers) for run in attestation.headers)
            return (
                limits.UNITS_PER_OTS_BYTE * len(attestation.tree)
                + limits.UNITS_PER_BITCOIN_HEADER * headers
            )
        case EvmAttestation():
            return limits.UNITS_PER_EVM_BYTE * _total(_evm_parts(attestation))
        case Rfc3161Attestation():
            parts = (attestation.token, *attestation.certificates, *attestation.ocsp)
            return (
                limits.UNITS_PER_TOKEN
                + limits.UNITS_PER_CERTIFICATE * len(attestation.certificates)
                + limits.UNITS_PER_OCSP_ANSWER * len(attestation.ocsp)
                + limits.UNITS_PER_CRL * len(attestation.crls)
                + _total(parts) // limits.TOKEN_BYTES_PER_UNIT
                + _total(attestation.crls) // limits.CRL_BYTES_PER_UNIT
            )
        case WitnessAttestation():
            lines = attestation.checkpoint.count("\n" + _EM_DASH)
            return limits.UNITS_PER_COSIGNATURE * (1 + lines)
    return 0


def work_units(attestation: Attestation) -> int:
    """Return what a row costs besides, by what it asks to be computed (W.2)."""
    if isinstance(attestation, OpenTimestampsAttestation):
        return slow_digest_units(attestation.tree, len(attestation.root_hash))
    return 0


def evidence_bytes(attestation: Attestation) -> int:
    """Return about how much memory an attestation takes, for those who keep many."""
    match attestation:
        case OpenTimestampsAttestation():
            headers = sum(len(header) for run in attestation.headers for header in run.headers)
            return len(attestation.tree) + headers
        case EvmAttestation():
            return _total(_evm_parts(attestation))
        case Rfc3161Attestation():
            paths = sum(
                32 * len(inclusion.hashes) + len(inclusion.checkpoint or "")
                for inclusion in attestation.inclusions
            )
            sent = (*attestation.certificates, *attestation.ocsp, *attestation.crls)
            return len(attestation.token) + _total(sent) + paths
        case WitnessAttestation():
            return len(attestation.checkpoint)
    return 0


def _threshold(costs: Sequence[int]) -> int:
    """Return the greatest cost such that all rows of at most that cost fit the budget; or -1."""
    if sum(costs) <= limits.MAX_WORK_UNITS:
        return max(costs, default=-1)
    spent, most = 0, -1
    for cost, count in sorted(Counter(costs).items()):
        spent += cost * count
        if spent > limits.MAX_WORK_UNITS:
            break
        most = cost
    return most


def _evm_parts(attestation: EvmAttestation) -> Iterable[bytes]:
    for proof in (attestation.transaction, attestation.receipt):
        if proof is not None:
            yield proof.header
            yield from proof.nodes
    if attestation.storage is not None:
        yield attestation.storage.header
        yield from attestation.storage.account_nodes
        yield from attestation.storage.storage_nodes


def _total(parts: Iterable[bytes]) -> int:
    return sum(map(len, parts))
