"""How much work the proofs of an exhibit ask for, and for which of them there is enough.

Each proof has a budget of its own (``docs/spec/verification.md``, step W); an exhibit may bring
thousands. Proofs of one round share their evidence, which is judged once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from anchor import limits
from anchor.errors import LimitExceededError
from anchor.formats.ots.cost import slow_digest_units
from anchor.proof.proof import Attestation
from anchor.verify.records import ProvenRecord
from anchor.verify.work import size_units, work_units

# Magic, version, operation and SHA-256, before the tree.
_OTS_HEAD_BYTES: Final = 65


def unpaid_records(
    items: Iterable[ProvenRecord], ots: Mapping[int, bytes], most: int = limits.MAX_EXHIBIT_UNITS
) -> frozenset[bytes]:
    """Return the digests of the records for whose proofs an exhibit has no units left (E5).

    The first proof that asks for too much ends it: after that no bytes are looked through only to
    learn what they would cost. Proofs that bring nothing new are free.

    Args:
        items: records with their proofs, in order.
        ots: the ``.ots`` files, by number of the record.
        most: units for all of them.
    """
    seen: set[Attestation] = set()
    unpaid: set[bytes] = set()
    left, ended = most, False
    for item in items:
        if item.proof is None:
            continue
        fresh = [row for row in dict.fromkeys(item.proof.attestations) if row not in seen]
        file = ots.get(item.record.seq, b"")
        if not file and not any(map(size_units, fresh)):
            continue
        if not ended:
            left -= _rows_units(fresh, 2 if file else 1) + _ots_units(file)
            ended = left < 0
        if ended:
            unpaid.add(item.record.digest)
        else:
            seen.update(fresh)
    return frozenset(unpaid)


def _rows_units(rows: Iterable[Attestation], times: int) -> int:
    """Return what a proof's rows cost, their trees walked so many times, up to that many proofs."""
    most, spent = times * limits.MAX_WORK_UNITS, 0
    for row in rows:
        size = size_units(row)
        spent += size
        if size <= limits.MAX_WORK_UNITS and spent < most:
            spent += times * work_units(row)
    return min(spent, most)


def _ots_units(data: bytes) -> int:
    """Return what an ``.ots`` file costs, at most what is done for one proof."""
    size = limits.UNITS_PER_OTS_BYTE * len(data)
    if size < limits.MAX_WORK_UNITS:
        size += slow_digest_units(data[_OTS_HEAD_BYTES:], limits.DIGEST_BYTES)
    return min(size, limits.MAX_WORK_UNITS)


def check_work(items: Iterable[ProvenRecord], most: int) -> None:
    """Raise LimitExceededError (``exhibit.work``) if judging the records takes too much work.

    Args:
        items: records with their proofs.
        most: units of about a microsecond, in all.
    """
    seen: set[Attestation] = set()
    left = most
    for item in items:
        rows = () if item.proof is None else item.proof.attestations
        for attestation in rows:
            if attestation in seen:
                continue
            seen.add(attestation)
            units = size_units(attestation)
            left -= units
            if units <= limits.MAX_WORK_UNITS and left >= 0:
                left -= work_units(attestation)
            if left < 0:
                raise LimitExceededError(
                    f"judging its proofs takes more than {most:,} units of work",
                    code="exhibit.work",
                    hint="vestige verify judges it on your own machine",
                )
