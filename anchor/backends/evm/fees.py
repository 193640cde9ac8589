"""What to offer for gas: EIP-1559, never above the operator's ceiling.

Rules: a first offer leaves room for the base fee to double; a replacement offers an eighth more in
both fields (the pools of geth and reth want a tenth), and at least what the market asks.
Where the ceiling does not allow the offer, nothing is sent: :class:`FeeCeilingError` says so, and
the backend shows it as a state and waits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from anchor.backends.evm.node import MarketFees
from anchor.errors import BackendUnavailableError

_GWEI: Final = 10**9
_ROOM: Final = 2
_BUMP_NUMERATOR: Final = 9
_BUMP_DENOMINATOR: Final = 8


class FeeCeilingError(BackendUnavailableError):
    """The chain asks for more than the operator allows; it may ask for less later."""

    default_code = "backend.evm.fee_ceiling"


@dataclass(frozen=True, slots=True)
class Offer:
    """What a transaction offers, in wei for a unit of gas.

    Attributes:
        max_fee_wei: at most this in all; the gas price where ``is_legacy``.
        tip_wei: at most this to the producer.
        is_legacy: for a chain without EIP-1559.
    """

    max_fee_wei: int
    tip_wei: int
    is_legacy: bool = False


def first_offer(market: MarketFees, ceiling_wei: int) -> Offer:
    """Return the offer for a new transaction.

    Raises:
        FeeCeilingError: base fee and tip of now are over the ceiling.
    """
    if market.base_fee_wei is None:
        _check(market.tip_wei, ceiling_wei)
        return Offer(market.tip_wei, market.tip_wei, is_legacy=True)
    _check(market.base_fee_wei + market.tip_wei, ceiling_wei)
    max_fee_wei = min(_ROOM * market.base_fee_wei + market.tip_wei, ceiling_wei)
    return Offer(max_fee_wei, market.tip_wei)


def replacement_offer(last: Offer, market: MarketFees, ceiling_wei: int) -> Offer:
    """Return the offer for a transaction that takes the place of one that waits.

    Raises:
        FeeCeilingError: what nodes want for a replacement is over the ceiling.
    """
    max_fee_wei, tip_wei = _bumped(last.max_fee_wei), _bumped(last.tip_wei)
    _check(max_fee_wei, ceiling_wei)
    if last.is_legacy or market.base_fee_wei is None:
        price = min(max(max_fee_wei, market.tip_wei), ceiling_wei)
        return Offer(price, price, is_legacy=last.is_legacy)
    wanted = _ROOM * market.base_fee_wei + max(tip_wei, market.tip_wei)
    max_fee_wei = min(max(max_fee_wei, wanted), ceiling_wei)
    return Offer(max_fee_wei, min(max(tip_wei, market.tip_wei), max_fee_wei))


def gwei_text(wei: int) -> str:
    """Return an amount for people, in gwei with up to three decimals."""
    return f"{wei / _GWEI:.3f}".rstrip("0").rstrip(".") + " gwei"


def _bumped(wei: int) -> int:
    return -(-wei * _BUMP_NUMERATOR // _BUMP_DENOMINATOR) + 1


def _check(wanted_wei: int, ceiling_wei: int) -> None:
    if wanted_wei > ceiling_wei:
        raise FeeCeilingError(
            f"gas costs {gwei_text(wanted_wei)}, the ceiling is {gwei_text(ceiling_wei)}",
            hint="wait, or raise the ceiling",
        )
