"""How much work the proofs of an exhibit ask for, for those who judge strangers' exhibits for free.

Each proof has a budget of its own (``docs/spec/verification.md``, step W); an exhibit may bring
thousands. Proofs of one round share their evidence, which is judged once.
"""

from __future__ import annotations

from collections.abc import Iterable

from anchor import limits
from anchor.errors import LimitExceededError
from anchor.proof.proof import Attestation
from anchor.verify.records import ProvenRecord
from anchor.verify.work import size_units, work_units


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
