"""Several sources that count as one: as many as wanted say the same, and no other as many.

Trust: whoever controls fewer sources than are wanted can keep an answer back, and cannot choose it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from typing import Generic, Protocol, TypeVar

from anchor.errors import BackendError, BackendUnavailableError, ConfigError


class _Named(Protocol):
    name: str


S = TypeVar("S", bound=_Named)
T = TypeVar("T")
H = TypeVar("H", bound=Hashable)


class Quorum(Generic[S]):
    """Sources of one kind.

    Args:
        sources: asked one after the other, in this order.
        wanted: how many equal answers make one.
        kind: what they are called in errors, such as ``EVM sources``.
        setting: the key by which the operator sets ``wanted``, where there is one.

    Raises:
        ConfigError: so many cannot agree.
    """

    def __init__(self, sources: Sequence[S], wanted: int, kind: str, *, setting: str = "") -> None:
        if not 1 <= wanted <= len(sources):
            key = f"{setting}: " if setting else ""
            raise ConfigError(f"{key}{wanted} of {len(sources)} {kind} cannot agree")
        self.sources = tuple(sources)
        self.wanted = wanted
        self._kind = kind
        self.name = f"{wanted} of " + ", ".join(source.name for source in sources)

    def ask(self, question: Callable[[S], T]) -> tuple[list[T], list[str]]:
        """Ask all of them; return the answers, and why there is none of the others."""
        answers, failures = [], []
        for source in self.sources:
            try:
                answers.append(question(source))
            except BackendError as error:
                failures.append(error.message)
        return answers, failures

    def ask_for_same(self, question: Callable[[S], H], what: str) -> H:
        """Return the answer that as many as wanted give, and no other as many.

        Args:
            question: asked of each.
            what: what they should agree on, for the error.

        Raises:
            BackendUnavailableError: there is no such answer.
        """
        answers, failures = self.ask(question)
        ranked = Counter(answers).most_common(2)
        votes = ranked[0][1] if ranked else 0
        is_tie = len(ranked) > 1 and ranked[1][1] == votes
        if votes < self.wanted or is_tie:
            raise self.disagreement(what, votes, failures)
        return ranked[0][0]

    def disagreement(
        self, what: str, votes: int, failures: Sequence[str]
    ) -> BackendUnavailableError:
        """Return the error of too few equal answers: ``votes`` is the most that any had."""
        reasons = "; ".join(failures) or "they contradict each other"
        return BackendUnavailableError(
            f"{votes} of the {self.wanted} {self._kind} wanted agree on {what}: {reasons}",
            code="backend.unavailable.quorum",
        )
