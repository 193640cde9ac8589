"""The EVM backend: stamps each round's root hash in the registry of one chain.

The state machine is in ``anchoring.py``; this is the port around it: the checks at start, the
errors, and what people see of it.

Rules:

* At start, and after any doubt, the chain id, the registry's code, one header hash and one proof of
  each kind are recomputed. A chain whose headers do not hash is not used; a kind of proof that does
  not verify is left out and shown as ``unproven``.
* Nothing that a node says ends a round: whatever goes wrong is an error to be tried again, with
  the state showing why. Only a transaction that reverts twice fails the attempt.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from anchor.backends.evm.anchoring import RegistryAnchoring
from anchor.backends.evm.evidence import unproven_parts
from anchor.backends.evm.fees import FeeCeilingError
from anchor.backends.evm.keys import EvmKey
from anchor.backends.evm.node import EvmNode, InsufficientFundsError
from anchor.backends.evm.registry_contract import check_registry
from anchor.backends.evm.settings import EvmAnchorSettings
from anchor.backends.evm.transactions import TransactionBook
from anchor.errors import BackendError, BackendUnavailableError
from anchor.ports import Attempt, Health, Journal, Round

_FUNDS_WAIT_S: Final = 60.0


class EvmBackend:
    """One registry on one chain, as an :class:`anchor.ports.AnchorBackend`.

    Nobody is asked anything before the first ``advance``.

    Args:
        node: the chain.
        key: pays; no other program may send transactions with it.
        journal: kept for this backend alone; every transaction ever signed is in it.
        settings: see there.
        now: the clock, aware UTC.

    Raises:
        StoreError: the journal is damaged.
    """

    family = "evm"

    def __init__(
        self,
        node: EvmNode,
        key: EvmKey,
        journal: Journal,
        settings: EvmAnchorSettings,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.name = f"evm:{settings.chain_id}"
        self.interval_s = settings.interval_s
        self.min_gap_s = settings.min_gap_s
        self._node = node
        self._key = key
        self._settings = settings
        self._now = now
        self._unproven: dict[str, str] | None = None
        self._book = TransactionBook(journal)
        self._detail: dict[str, Any] = {
            "chain_id": settings.chain_id,
            "contract": settings.contract.hex(),
            "address": key.address.hex(),
        }
        self._health = Health(ok=True, detail=dict(self._detail))

    def advance(self, round_: Round, attempt: Attempt) -> Attempt:
        """Take one step; see :mod:`anchor.backends.evm.anchoring`.

        Raises:
            BackendUnavailableError, ReorgError: call again later; nothing changed. Wrong answers
                and refusals come as the former too, with their own codes: an operator can mend
                them, and the round need not be lost.
            StoreError: the journal did not take a transaction; it was not handed in.
        """
        try:
            unproven = self._checked_chain()
            self._see_balance()
            anchoring = RegistryAnchoring(
                self._node,
                self._key,
                self._book,
                self._settings,
                now=self._now,
                unproven=unproven,
            )
            after = anchoring.step(round_, attempt)
        except FeeCeilingError as error:
            self._show(error.message, fee_ceiling=True)
            return self._waiting(attempt, error, self._settings.poll_s)
        except InsufficientFundsError as error:
            self._show(error.message, low_funds=True)
            return self._waiting(attempt, error, _FUNDS_WAIT_S)
        except BackendError as error:
            self._show(error.message)
            if error.retryable:
                raise
            # Look at everything again before the next step: this may be another chain or contract.
            self._unproven = None
            raise BackendUnavailableError(
                error.message, code=error.code, hint=error.hint
            ) from error
        self._show("")
        return after

    def health(self) -> Health:
        """Return what the last step saw.

        ``detail``: ``chain_id``, ``contract``, ``address``, ``balance_wei`` (decimal text),
        ``low_funds``, ``fee_ceiling``, and ``unproven`` (kind of proof to reason) where there are
        any.
        """
        return self._health

    def _checked_chain(self) -> dict[str, str]:
        """Return the kinds of proof that cannot be had here; the answer is kept.

        Raises:
            BackendUnavailableError: the node is on another chain, or nothing can be proven on it.
        """
        chain_id = self._node.fetch_chain_id()
        if chain_id != self._settings.chain_id:
            self._unproven = None
            raise BackendUnavailableError(
                f"the node {self._node.name} is on chain {chain_id}, "
                f"{self._settings.chain_id} wanted",
                code="backend.evm.wrong_chain",
                hint="check evm.rpc_url",
            )
        if self._unproven is None:
            check_registry(self._node, self._settings.contract)
            unproven = unproven_parts(self._node, self._settings.contract)
            if {"transaction", "storage"} <= unproven.keys():
                raise BackendUnavailableError(
                    "nothing can be proven on this chain from this node: "
                    + "; ".join(unproven.values()),
                    code="backend.evm.unproven",
                )
            self._unproven = unproven
        return self._unproven

    def _see_balance(self) -> None:
        balance_wei = self._node.fetch_balance_wei(self._key.address)
        self._detail["balance_wei"] = str(balance_wei)
        self._detail["low_funds"] = balance_wei < self._settings.low_funds_wei

    def _waiting(self, attempt: Attempt, error: BackendError, wait_s: float) -> Attempt:
        """Return the attempt as it is, with a reason for people and a time to look again."""
        return attempt.to(
            attempt.phase,
            retry_at=self._now() + timedelta(seconds=wait_s),
            note=error.message,
        )

    def _show(self, trouble: str, *, fee_ceiling: bool = False, low_funds: bool = False) -> None:
        detail = {**self._detail, "fee_ceiling": fee_ceiling}
        detail["low_funds"] = low_funds or bool(detail.get("low_funds"))
        if self._unproven:
            detail["unproven"] = dict(self._unproven)
        note = trouble
        if not note and detail["low_funds"]:
            note = f"low funds at 0x{self._key.address.hex()}"
        self._health = Health(ok=not note, note=note, detail=detail)
