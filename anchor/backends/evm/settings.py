"""What the operator decides about anchoring on one EVM chain."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EvmAnchorSettings:
    """One chain, one registry, one account.

    Attributes:
        chain_id: the chain; every signature binds to it, a node of another one is refused.
        contract: 20-byte address of the registry; its code must be this release's.
        ceiling_wei: most that is ever offered for a unit of gas. A node that lies about fees can
            make the account pay up to this.
        low_funds_wei: below this balance the state says low funds.
        confirmations: blocks on top before a block is final, where the node does not know the
            tag ``finalized``. Too few, and a reorganisation undoes what was called final.
        interval_s: a round is wanted this long after the last one.
        min_gap_s: never two rounds closer than this.
        poll_s: between two looks at a transaction that waits; about a block's time.
        replace_after_s: a transaction that waits longer is replaced by one that offers more.
        takeover_after_s: a transaction of another round, or of nobody here, that holds up the
            account longer than this is replaced too.
        max_gas: most gas that an anchoring may take.
        usual_final_s: from mined to final, as it usually is; shown to people.
    """

    chain_id: int
    contract: bytes
    ceiling_wei: int = 100 * 10**9
    low_funds_wei: int = 10**16
    confirmations: int = 64
    interval_s: float = 3600.0
    min_gap_s: float = 3600.0
    poll_s: float = 12.0
    replace_after_s: float = 300.0
    takeover_after_s: float = 3600.0
    max_gas: int = 5_000_000
    usual_final_s: float = 1200.0
