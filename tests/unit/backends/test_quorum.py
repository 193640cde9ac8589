"""The rule by which several sources count as one."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from anchor.backends.quorum import Quorum
from anchor.errors import BackendProtocolError, BackendUnavailableError, ConfigError


@dataclass
class Source:
    name: str
    says: str | None

    def answer(self) -> str:
        if self.says is None:
            raise BackendUnavailableError(f"{self.name} is away")
        return self.says


def ask(says: str, wanted: int) -> str:
    """Ask one source for each letter; one that says ``-`` is away."""
    sources = [Source(f"s{n}", None if word == "-" else word) for n, word in enumerate(says)]
    return Quorum(sources, wanted, "clocks").ask_for_same(Source.answer, "the hour")


@pytest.mark.parametrize(
    ("says", "wanted"), [("a", 1), ("a-", 1), ("aab", 2), ("baa", 2), ("-aa", 2), ("aab", 1)]
)
def test_enough_that_say_the_same_are_believed(says: str, wanted: int) -> None:
    assert ask(says, wanted) == "a"


@pytest.mark.parametrize(
    ("says", "wanted", "votes"),
    [("--", 1, 0), ("ab", 1, 1), ("ab", 2, 1), ("aabb", 2, 2), ("a--", 2, 1), ("aab", 3, 2)],
)
def test_too_few_or_as_many_for_another_answer_are_not(says: str, wanted: int, votes: int) -> None:
    with pytest.raises(BackendUnavailableError) as raised:
        ask(says, wanted)
    assert raised.value.code == "backend.unavailable.quorum"
    assert raised.value.message.startswith(f"{votes} of the {wanted} clocks wanted agree on the ho")


def test_the_error_says_why_each_silent_one_is_silent() -> None:
    with pytest.raises(BackendUnavailableError, match=r"the hour: s1 is away; s2 is away$"):
        ask("a--", 2)
    with pytest.raises(BackendUnavailableError, match=r"the hour: they contradict each other$"):
        ask("ab", 2)


def test_all_are_asked_in_their_order_and_a_bug_is_not_an_answer() -> None:
    quorum = Quorum([Source("s0", "a"), Source("s1", None), Source("s2", "b")], 1, "clocks")
    assert quorum.ask(Source.answer) == (["a", "b"], ["s1 is away"])
    assert quorum.name == "1 of s0, s1, s2"

    def lie(source: Source) -> str:
        raise BackendProtocolError(f"{source.name} lies")

    assert quorum.ask(lie) == ([], ["s0 lies", "s1 lies", "s2 lies"])
    with pytest.raises(ZeroDivisionError):
        quorum.ask(lambda source: 1 // 0)


@pytest.mark.parametrize("wanted", [-1, 0, 3])
def test_more_than_there_are_cannot_agree(wanted: int) -> None:
    sources = [Source("s0", "a"), Source("s1", "a")]
    with pytest.raises(ConfigError, match=f"^{wanted} of 2 clocks cannot agree$"):
        Quorum(sources, wanted, "clocks")
    with pytest.raises(ConfigError, match=f"^clock.quorum: {wanted} of 2 clocks cannot agree$"):
        Quorum(sources, wanted, "clocks", setting="clock.quorum")
