"""The policy that ships: what its maker writes, and nothing that a release should not trust."""

from __future__ import annotations

from anchor.policies import load_default_policy, load_default_policy_bytes
from anchor.policies.make_default import default_policy_bytes


def test_the_file_is_what_the_facts_give() -> None:
    assert load_default_policy_bytes() == default_policy_bytes()


def test_it_is_a_production_policy_without_test_parts() -> None:
    policy = load_default_policy()
    assert policy.policy_class == "production"
    assert policy.bitcoin.network == "main"
    assert all(chain.chain_class != "test" for chain in policy.chains)
    assert policy.logs == ()


def test_bitcoin_reaches_back_to_the_first_block_and_asks_for_the_newest_known_work() -> None:
    bitcoin = load_default_policy().bitcoin
    assert bitcoin.checkpoints[0].height == 0
    assert bitcoin.minimum_chain_work == bitcoin.checkpoints[-1].chain_work
    works = [c.chain_work for c in bitcoin.checkpoints if c.chain_work]
    assert works == sorted(works)
    # The first block's work is that of its own target, the easiest there ever was.
    assert bitcoin.checkpoints[0].chain_work == 2**256 // ((0xFFFF << 208) + 1)


def test_several_authorities_and_a_qualified_one() -> None:
    authorities = load_default_policy().authorities
    assert len(authorities) >= 5
    assert any(authority.qualified for authority in authorities)
