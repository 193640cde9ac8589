"""Wait until the service says that a digest is as far as somebody wants it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from anchor.client.service_client import ServiceClient
from anchor.errors import IncompleteProofError

STATES: Final = ("accepted", "pending", "anchored", "final")
_FIRST_S: Final = 0.2
_MAX_S: Final = 15.0


def wait_until(
    service: ServiceClient,
    digest: bytes,
    state: str,
    *,
    timeout_s: float,
    told: Callable[[str], None],
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Ask, less and less often, until the digest has reached a state.

    Args:
        service: asked.
        digest: the log's entry; of several, the last one submitted stands for all.
        state: one of ``STATES``.
        timeout_s: how long in all.
        told: called with each new state.
        clock: seconds that only go forward.
        sleep: waits.

    Raises:
        IncompleteProofError: it did not get there in time.
        BackendError: the service stopped answering.
    """
    end = clock() + timeout_s
    wait_s, seen = _FIRST_S, ""
    while True:
        said = str(service.fetch_standing(digest).get("state"))
        if said != seen:
            seen = said
            told(said)
        if said in STATES and STATES.index(said) >= STATES.index(state):
            return
        left_s = end - clock()
        if left_s <= 0:
            raise IncompleteProofError(
                f"after {timeout_s:g} s the proofs are {said}, not {state}",
                code="incomplete.wait",
                hint="vestige upgrade fetches the rest later",
            )
        sleep(min(wait_s, left_s))
        wait_s = min(wait_s * 1.5, _MAX_S)
