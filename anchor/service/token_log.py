"""Puts the digest of each time-stamp token into the log itself.

A token outlives the certificate behind it only where other evidence shows that the token existed
before that certificate ended. So SHA-256 of every token is a leaf of the log, and later rounds of
other families anchor it.

Rules:

* What waits to be submitted is on disk before the token's attempt is called final, so that a crash
  between the two forgets nothing. Submitting twice is harmless: the log keeps the first index.
* Our own leaves must not keep the anchorer busy for ever (token → leaf → new root → token …), so
  the log of tokens can tell whether a tree grew by nothing else.
"""

from __future__ import annotations

import bisect
import hashlib
import threading
from collections.abc import Callable, Sequence
from typing import Final

from anchor import limits
from anchor.errors import FormatError
from anchor.formats.encoding import parse_base64
from anchor.ports import Json, RoundStore

TOKEN_FAMILY: Final = "rfc3161"  # noqa: S105 - a kind of token, no secret
SubmitDigest = Callable[[bytes], int]
"""Submits a 32-byte digest to the log and returns its leaf index, once it is durable there."""

_META_KEY: Final = "tokens"
# Far more than any backend's rounds lie apart; a leaf forgotten costs one round too many.
_MAX_KEPT_INDICES: Final = 8192


def token_digest(attestation: Json) -> bytes | None:
    """Return SHA-256 of an attestation's time-stamp token; None if it holds none."""
    if attestation.get("kind") != TOKEN_FAMILY:
        return None
    try:
        token = parse_base64(attestation.get("token"), max_bytes=limits.MAX_TSP_BYTES, what="token")
    except FormatError:
        return None
    return hashlib.sha256(token).digest()


class TokenLog:
    """The tokens waiting for the log, and the leaves that are tokens. Safe for threads.

    Args:
        rounds: keeps both, under one key.
        submit: None where tokens are not put into the log.
    """

    def __init__(self, rounds: RoundStore, submit: SubmitDigest | None) -> None:
        self._rounds = rounds
        self._submit = submit
        self._lock = threading.Lock()
        stored = rounds.meta(_META_KEY) or {}
        self._waiting: list[str] = list(stored.get("waiting", ()))
        self._indices: list[int] = sorted(stored.get("leaf_indices", ()))

    @property
    def waiting(self) -> int:
        """Return how many tokens are not in the log yet."""
        return len(self._waiting)

    def note(self, attestations: Sequence[Json]) -> None:
        """Remember the tokens among these attestations for submission; durable on return.

        Raises:
            StoreUnavailableError: not remembered; call again.
        """
        if self._submit is None:
            return
        with self._lock:
            found = (token_digest(attestation) for attestation in attestations)
            new = [d.hex() for d in found if d is not None and d.hex() not in self._waiting]
            if new:
                self._store([*self._waiting, *new], self._indices)

    def submit_waiting(self) -> None:
        """Submit what waits, oldest first.

        Raises:
            VestigeError: what the log raised; the rest keeps waiting.
        """
        while self._submit is not None and self._waiting:
            digest_hex = self._waiting[0]
            leaf_index = self._submit(bytes.fromhex(digest_hex))
            with self._lock:
                indices = sorted({*self._indices, leaf_index})[-_MAX_KEPT_INDICES:]
                self._store([d for d in self._waiting if d != digest_hex], indices)

    def only_tokens(self, start: int, end: int) -> bool:
        """Say whether all leaves from ``start`` up to, not including, ``end`` are tokens."""
        indices = self._indices
        return bisect.bisect_left(indices, end) - bisect.bisect_left(indices, start) == end - start

    def first_other(self, start: int) -> int:
        """Return the first leaf index from ``start`` on that is no token."""
        indices = self._indices
        position = bisect.bisect_left(indices, start)
        while position < len(indices) and indices[position] == start:
            position, start = position + 1, start + 1
        return start

    def _store(self, waiting: list[str], indices: list[int]) -> None:
        self._rounds.put_meta(_META_KEY, {"waiting": waiting, "leaf_indices": indices})
        self._waiting, self._indices = waiting, indices
