"""Offers for gas: room, replacement, ceiling."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchor.backends.evm.fees import (
    FeeCeilingError,
    Offer,
    first_offer,
    gwei_text,
    replacement_offer,
)
from anchor.backends.evm.node import MarketFees

GWEI = 10**9
fees = st.integers(0, 10**13)


def test_a_first_offer_leaves_room_for_the_base_fee_to_double() -> None:
    assert first_offer(MarketFees(10 * GWEI, GWEI), 100 * GWEI) == Offer(21 * GWEI, GWEI)


def test_a_first_offer_is_cut_at_the_ceiling_as_long_as_it_pays_for_now() -> None:
    market = MarketFees(10 * GWEI, GWEI)
    assert first_offer(market, 11 * GWEI) == Offer(11 * GWEI, GWEI)
    with pytest.raises(FeeCeilingError) as caught:
        first_offer(market, 11 * GWEI - 1)
    assert caught.value.retryable
    assert "11 gwei" in caught.value.message


def test_a_chain_without_a_base_fee_gets_a_gas_price() -> None:
    assert first_offer(MarketFees(None, 3 * GWEI), 5 * GWEI) == Offer(
        3 * GWEI, 3 * GWEI, is_legacy=True
    )
    with pytest.raises(FeeCeilingError):
        first_offer(MarketFees(None, 6 * GWEI), 5 * GWEI)


@st.composite
def waiting(draw: st.DrawFn) -> tuple[Offer, MarketFees]:
    """Draw an offer that waits, and what the market asks meanwhile."""
    tip, rest, base, market_tip = (draw(fees) for _ in range(4))
    if draw(st.booleans()):
        return Offer(tip, tip, is_legacy=True), MarketFees(None, market_tip)
    return Offer(tip + rest, tip), MarketFees(base, market_tip)


@given(waiting(), st.integers(0, 10**14))
def test_replacements_offer_a_tenth_more_in_both_fields_and_never_pass_the_ceiling(
    pair: tuple[Offer, MarketFees], ceiling: int
) -> None:
    last, market = pair
    try:
        offer = replacement_offer(last, market, ceiling)
    except FeeCeilingError:
        assert (last.max_fee_wei * 9 + 7) // 8 + 1 > ceiling
        return
    assert offer.max_fee_wei <= ceiling
    assert 10 * offer.max_fee_wei >= 11 * last.max_fee_wei
    assert 10 * offer.tip_wei >= 11 * last.tip_wei
    assert offer.max_fee_wei > last.max_fee_wei
    assert offer.tip_wei > last.tip_wei
    assert offer.tip_wei <= offer.max_fee_wei
    assert offer.is_legacy is last.is_legacy


@given(fees, fees, st.integers(0, 10**14))
def test_first_offers_never_pass_the_ceiling(base: int, tip: int, ceiling: int) -> None:
    try:
        offer = first_offer(MarketFees(base, tip), ceiling)
    except FeeCeilingError:
        assert base + tip > ceiling
        return
    assert base + tip <= offer.max_fee_wei <= ceiling
    assert offer.tip_wei <= offer.max_fee_wei


def test_a_replacement_follows_the_market_up() -> None:
    offer = replacement_offer(Offer(10, 1), MarketFees(50 * GWEI, 2 * GWEI), 200 * GWEI)
    assert offer == Offer(102 * GWEI, 2 * GWEI)


@pytest.mark.parametrize(
    ("wei", "text"), [(0, "0 gwei"), (GWEI, "1 gwei"), (1_500_000_000, "1.5 gwei"), (1, "0 gwei")]
)
def test_amounts_for_people(wei: int, text: str) -> None:
    assert gwei_text(wei) == text
