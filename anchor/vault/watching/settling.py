"""Decide when a file that somebody writes is whole: when it held still for a moment.

How long depends on what is known: closed after writing 0.2 s, only seen 0.6 s (a program may be
about to write), being written 20 s (it died, or waits for a network). Whatever is recorded too
early is recorded again when it changes, so no guess here loses anything.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from anchor.vault.watching.change import Change, Signature, What, look, signature_of

_QUIET_S: Final[dict[What, float]] = {
    "closed": 0.2, "there": 0.6, "attributes": 0.2, "writing": 20.0
}  # fmt: skip


@dataclass(slots=True)
class _Candidate:
    signature: Signature
    since: float
    what: What
    not_before: float = 0.0


@dataclass(frozen=True, slots=True)
class Settled:
    """A file that held still, as it looked then."""

    path: Path
    signature: Signature


class Settling:
    """The files that something happened to and that are not dealt with.

    Attributes:
        done: each file that was dealt with, as it looked then; it is not looked at again before it
            looks different.
        refused: those of them that were not recorded; a change of who may read them counts.
    """

    def __init__(self) -> None:
        self.done: dict[Path, Signature] = {}
        self.refused: set[Path] = set()
        self._waiting: dict[Path, _Candidate] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def learn(self, changes: Iterable[Change], now: float) -> None:
        """Take news up; ``now`` in seconds that only go forward."""
        for change in changes:
            path, what = change.path, change.what
            known = self._waiting.get(path)
            if known is not None:
                if what not in ("there", "attributes"):
                    known.what, known.since = what, now
                status = look(path) if what == "closed" else None
                if status is not None:
                    known.signature = signature_of(status)
                continue
            if what == "attributes" and path not in self.refused:
                continue
            status = look(path)
            if status is None:
                continue
            signature = signature_of(status)
            if self.done.get(path) == signature and what != "attributes":
                continue
            self._waiting[path] = _Candidate(signature, now, what)

    def due(self, now: float, limit: int) -> tuple[list[Settled], list[Path]]:
        """Take out the files that held still, oldest write first, and those that vanished."""
        settled: list[Settled] = []
        vanished: list[Path] = []
        held = [
            (candidate.signature[1], path, candidate)
            for path, candidate in self._waiting.items()
            if now >= candidate.not_before and now - candidate.since >= _QUIET_S[candidate.what]
        ]
        held.sort(key=lambda item: item[0])
        for _, path, candidate in held:
            if len(settled) == limit:
                break
            status = look(path)
            if status is None:
                del self._waiting[path]
                vanished.append(path)
            elif (signature := signature_of(status)) != candidate.signature:
                candidate.signature, candidate.since = signature, now
            else:
                del self._waiting[path]
                settled.append(Settled(path, signature))
        return settled, vanished

    def finish(self, item: Settled, *, refused: bool = False) -> None:
        """Say that a file was dealt with."""
        self.done[item.path] = item.signature
        (self.refused.add if refused else self.refused.discard)(item.path)

    def retry(self, item: Settled, now: float, after_s: float) -> None:
        """Put a file back."""
        self._waiting.setdefault(item.path, _Candidate(item.signature, now, "there", now + after_s))

    def settle_now(self) -> None:
        """Wait for nobody any more, except for those that are in the middle of writing."""
        for candidate in self._waiting.values():
            candidate.not_before = 0.0
            if candidate.what != "writing":
                candidate.since = float("-inf")
