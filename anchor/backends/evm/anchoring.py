"""One root hash on its way into the registry: the steps from scheduled to final.

::

    scheduled ──sign, journal──→ prepared ──hand in──→ submitted ──mined──→ confirmed ──→ final
        ↑ nonce used by another      ↑───journal a dearer one───│               │
        └─────────────────────────────────────────────────────  ←──reorganised──┘

Rules:

* Before every step up to ``confirmed`` the chain is asked whether the root hash is there already.
* A transaction is in the journal before it is handed in; handing in again is always safe.
* The nonce is the node's (mined transactions only) and the book says who holds it: one transaction
  waits at a time, and whoever holds that nonce too long is replaced.
* What an operator can mend (funds, ceiling, a bad node) is a wait with its reason, never a failure.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

from anchor.backends.evm.evidence import collect_evidence
from anchor.backends.evm.fees import FeeCeilingError, gwei_text
from anchor.backends.evm.keys import EvmKey
from anchor.backends.evm.node import (
    EvmNode,
    InsufficientFundsError,
    NonceTooLowError,
    UnderpricedError,
)
from anchor.backends.evm.registry_contract import fetch_record
from anchor.backends.evm.settings import EvmAnchorSettings
from anchor.backends.evm.sightings import Sighting, count_reverted, fetch_final_header, look_up
from anchor.backends.evm.transaction_maker import TransactionMaker
from anchor.backends.evm.transactions import BookedTransaction, TransactionBook
from anchor.ports import Attempt, Json, Phase, Round

_MAX_REVERTS: Final = 2
# A node behind a load balancer may show the nonce before the receipt.
_LOOKS_BEFORE_GONE: Final = 3
# Parts of the evidence that fail are asked for this often before the rest is called final.
_EVIDENCE_TRIES: Final = 5


class RegistryAnchoring:
    """The state machine of one account on one chain.

    Args:
        node: the chain.
        key: pays.
        book: every transaction signed with ``key`` here.
        settings: see there.
        now: the clock, aware UTC.
        unproven: parts of the evidence that this chain or node does not give, by name.
    """

    def __init__(
        self,
        node: EvmNode,
        key: EvmKey,
        book: TransactionBook,
        settings: EvmAnchorSettings,
        *,
        now: Callable[[], datetime],
        unproven: dict[str, str],
    ) -> None:
        self._node = node
        self._address = key.address
        self._book = book
        self._maker = TransactionMaker(node, key, book, settings, now=now)
        self._settings = settings
        self._now = now
        self._unproven = unproven

    def step(self, round_: Round, attempt: Attempt) -> Attempt:
        """Take one step; see :meth:`anchor.ports.AnchorBackend.advance`.

        Raises:
            FeeCeilingError, InsufficientFundsError: a wait with a reason; nothing was sent.
            BackendError: as the node's methods.
        """
        sighting = look_up(self._node, self._settings, self._book, round_.root_hash)
        if attempt.phase is Phase.CONFIRMED:
            return self._settle(round_, attempt, sighting)
        if sighting is not None:
            return self._confirmed(round_, attempt, sighting)
        if attempt.phase is Phase.PREPARED:
            return self._hand_in(round_, attempt)
        if attempt.phase is Phase.SUBMITTED:
            return self._watch(round_, attempt)
        return self._prepare(round_, attempt)

    # -- scheduled → prepared ----------------------------------------------------------------------

    def _prepare(self, round_: Round, attempt: Attempt) -> Attempt:
        nonce = self._node.fetch_nonce(self._address)
        holder = self._book.newest_at(nonce)
        if holder is not None and holder.root_hash == round_.root_hash:
            # Signed by an earlier step whose attempt did not reach the disk.
            return self._prepared(attempt, holder)
        waiting = self._who_holds(nonce, holder, round_)
        if waiting:
            return attempt.to(Phase.SCHEDULED, retry_at=self._later(), note=waiting)
        return self._prepared(attempt, self._maker.make(round_, nonce, replaced=holder))

    def _who_holds(self, nonce: int, holder: BookedTransaction | None, round_: Round) -> str:
        """Return what has to be waited for, or "" where the nonce can be used."""
        patience_s = self._settings.takeover_after_s
        if holder is not None:
            done = fetch_record(self._node, self._settings.contract, holder.root_hash)
            if done is not None or self._age_s(holder.signed_at) >= patience_s:
                return ""
            return f"waiting for the transaction of root {holder.root_hash.hex()[:8]}…"
        waiting = self._node.fetch_nonce(self._address, pending=True) - nonce
        if waiting <= 0 or self._age_s(int(round_.created_at.timestamp())) >= patience_s:
            return ""
        return f"{waiting} transactions that were not made here wait under this account"

    def _prepared(self, attempt: Attempt, booked: BookedTransaction) -> Attempt:
        return attempt.to(
            Phase.PREPARED,
            data={"nonce": booked.nonce, "transaction_hash": booked.transaction_hash.hex()},
            retry_at=None,
            note=f"signed, offering {gwei_text(booked.offer.max_fee_wei)}",
        )

    # -- prepared → submitted ----------------------------------------------------------------------

    def _hand_in(self, round_: Round, attempt: Attempt) -> Attempt:
        booked = self._book.of_root(round_.root_hash)
        if not booked:
            return attempt.to(Phase.SCHEDULED, data={}, retry_at=None, note="")
        newest = booked[-1]
        data: Json = {
            "nonce": newest.nonce,
            "transaction_hash": newest.transaction_hash.hex(),
            "handed_in_at": int(self._now().timestamp()),
        }
        try:
            self._node.submit(newest.raw)
        except NonceTooLowError:
            data["looks"] = 0
        except UnderpricedError:
            data["underpriced"] = True
        return attempt.to(
            Phase.SUBMITTED,
            data=data,
            attestations=(self._attestation(round_, newest.transaction_hash),),
            retry_at=None,
            note="handed in",
            expected_at=self._now() + timedelta(seconds=self._settings.usual_final_s),
        )

    # -- submitted ---------------------------------------------------------------------------------

    def _watch(self, round_: Round, attempt: Attempt) -> Attempt:
        booked = self._book.of_root(round_.root_hash)
        if not booked:
            return attempt.to(Phase.SCHEDULED, data={}, retry_at=None, note="")
        newest = booked[-1]
        nonce = self._node.fetch_nonce(self._address)
        if newest.nonce < nonce:
            return self._nonce_used(round_, attempt)
        if newest.nonce > nonce and self._book.newest_at(nonce) is None:
            return attempt.to(
                Phase.SCHEDULED, data={}, retry_at=None, note=f"nonce {nonce} is missing"
            )
        stuck = self._age_s(newest.signed_at) >= self._settings.replace_after_s
        if stuck or attempt.data.get("underpriced"):
            return self._replace(round_, attempt, newest)
        return self._hand_in_again(attempt, newest)

    def _replace(self, round_: Round, attempt: Attempt, newest: BookedTransaction) -> Attempt:
        try:
            booked = self._maker.make(round_, newest.nonce, replaced=newest)
        except (FeeCeilingError, InsufficientFundsError):
            self._hand_in_again(attempt, newest)
            raise
        return self._prepared(attempt, booked)

    def _nonce_used(self, round_: Round, attempt: Attempt) -> Attempt:
        """Follow up on a nonce that is used up while none of ours is mined and did its work."""
        reverted = count_reverted(self._node, self._book, round_.root_hash)
        if reverted >= _MAX_REVERTS:
            return attempt.to(Phase.FAILED, note=f"reverted {reverted} times")
        looks = int(attempt.data.get("looks", 0)) + 1
        if not reverted and looks < _LOOKS_BEFORE_GONE:
            return attempt.to(
                Phase.SUBMITTED,
                data={**attempt.data, "looks": looks},
                retry_at=self._later(),
                note="its nonce is used; looking for the transaction",
            )
        why = "it reverted" if reverted else "another transaction took its nonce"
        return attempt.to(Phase.SCHEDULED, data={}, retry_at=None, note=f"{why}; sending another")

    def _hand_in_again(self, attempt: Attempt, newest: BookedTransaction) -> Attempt:
        """Hand the newest in once more: pools forget, and an old answer may have been lost."""
        # Mined a moment ago, or one of ours that pays more is there: the next look will tell.
        with suppress(NonceTooLowError, UnderpricedError):
            self._node.submit(newest.raw)
        return attempt.to(
            Phase.SUBMITTED,
            retry_at=self._later(),
            note=f"waiting to be mined, offering {gwei_text(newest.offer.max_fee_wei)}",
        )

    # -- confirmed → final -------------------------------------------------------------------------

    def _confirmed(self, round_: Round, attempt: Attempt, sighting: Sighting) -> Attempt:
        block = sighting.block
        transaction_hash = sighting.transaction_hash
        data: Json = {
            "block_number": sighting.block_number,
            "block_hash": None if block is None else block.block_hash.hex(),
            "header": None if block is None else block.raw.hex(),
            "transaction_hash": None if transaction_hash is None else transaction_hash.hex(),
            "ours": sighting.is_ours,
        }
        whose = "" if sighting.is_ours else ", anchored by another transaction"
        return attempt.to(
            Phase.CONFIRMED,
            data=data,
            attestations=(self._attestation(round_, transaction_hash),),
            retry_at=None,
            note=f"in block {sighting.block_number}{whose}",
            expected_at=self._now() + timedelta(seconds=self._settings.usual_final_s),
        )

    def _settle(self, round_: Round, attempt: Attempt, sighting: Sighting | None) -> Attempt:
        if sighting is None:
            phase = Phase.SUBMITTED if self._book.of_root(round_.root_hash) else Phase.SCHEDULED
            note = f"block {attempt.data.get('block_number')} was reorganised away"
            return attempt.to(phase, data={}, retry_at=None, note=note)
        block_hash = None if sighting.block is None else sighting.block.block_hash.hex()
        if (attempt.data.get("block_number"), attempt.data.get("block_hash")) != (
            sighting.block_number,
            block_hash,
        ):
            return self._confirmed(round_, attempt, sighting)
        final = fetch_final_header(self._node, self._settings.confirmations)
        if final is None or final.number < sighting.block_number:
            waits = f"in block {sighting.block_number}, final up to " + (
                "none" if final is None else str(final.number)
            )
            return attempt.to(Phase.CONFIRMED, retry_at=self._later(), note=waits)
        evidence = collect_evidence(
            self._node,
            round_.root_hash,
            self._settings.contract,
            place=sighting.place,
            block=sighting.block,
            state_headers=tuple(header for header in (sighting.block, final) if header is not None),
        )
        return self._final(round_, attempt, sighting, evidence.parts, evidence.missing)

    def _final(
        self,
        round_: Round,
        attempt: Attempt,
        sighting: Sighting,
        parts: Json,
        missing: dict[str, str],
    ) -> Attempt:
        tries = int(attempt.data.get("tries", 0)) + 1
        unexpected = sorted(missing.keys() - self._unproven.keys())
        note = "; ".join(f"no {name} proof: {missing[name]}" for name in sorted(missing))
        if not parts or (unexpected and tries < _EVIDENCE_TRIES):
            data = {**attempt.data, "tries": tries}
            return attempt.to(Phase.CONFIRMED, data=data, retry_at=self._later(), note=note)
        attestation = self._attestation(round_, sighting.transaction_hash)
        return attempt.to(
            Phase.FINAL, attestations=({**attestation, **parts},), retry_at=None, note=note
        )

    # -- parts -------------------------------------------------------------------------------------

    def _attestation(self, round_: Round, transaction_hash: bytes | None) -> Json:
        """Return the attestation without proofs, which says: pending."""
        attestation: Json = {
            "kind": "evm",
            "root_hash": round_.root_hash.hex(),
            "chain_id": self._settings.chain_id,
            "contract": self._settings.contract.hex(),
        }
        if transaction_hash is not None:
            attestation["transaction_hash"] = transaction_hash.hex()
        return attestation

    def _later(self) -> datetime:
        return self._now() + timedelta(seconds=self._settings.poll_s)

    def _age_s(self, unix_time: int) -> float:
        """Return how long ago that was; without end where our clock has jumped back past it."""
        age_s = self._now().timestamp() - unix_time
        return age_s if age_s >= -self._settings.poll_s else float("inf")
