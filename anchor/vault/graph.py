"""The creative graph as rails beside a list, newest first, as ``git log --graph`` draws history.

Each record waits in at most one lane for its turn. A record stands in the lane that waited for it,
or in a new one; below it the lanes of what it came from begin, and join lanes that wait already.
Where a record would stand right under one that it did not lead to, the column is broken by a line.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

MAX_LANES: Final = 12


@dataclass(frozen=True, slots=True)
class Rails:
    """The rails of one record.

    Attributes:
        at: on its own line.
        below: on the line below, if there is one.
        above: on a line before its own, where without one it would stand right under a record that
            it has nothing to do with.
    """

    at: str
    below: str | None
    above: str | None = None


class Graph:
    """Draws rails for records that come in descending order.

    Args:
        last_shown: smallest number that will come; what is before it gets no lane.
    """

    def __init__(self, last_shown: int = 0) -> None:
        self._last_shown = last_shown
        self._lanes: list[int | None] = []
        self._ended: int | None = None  # the lane that the record before left without a line

    @property
    def lanes(self) -> int:
        """Return how many lanes are in use now."""
        return len(self._lanes)

    def draw(self, seq: int, parents: Iterable[int]) -> Rails:
        """Return the rails of the next record, which came from ``parents``."""
        is_awaited = seq in self._lanes
        lane = self._lane_of(seq)
        above = None if is_awaited or lane != self._ended else self._gap(lane)
        at = "".join(
            "● " if number == lane else "│ " if awaited is not None else "  "
            for number, awaited in enumerate(self._lanes)
        )
        targets = self._take(lane, parents)
        below = None if not targets else self._joint(lane, targets)
        self._ended = lane if below is None and self._lanes[lane] is None else None
        while self._lanes and self._lanes[-1] is None:
            self._lanes.pop()
        return Rails(at.rstrip(), below, above)

    def _gap(self, lane: int) -> str:
        return "".join(
            "  " if number == lane or awaited is None else "│ "
            for number, awaited in enumerate(self._lanes)
        ).rstrip()

    def _lane_of(self, seq: int) -> int:
        if seq in self._lanes:
            return self._lanes.index(seq)
        return self._free(seq)

    def _free(self, seq: int) -> int:
        lane = self._lanes.index(None) if None in self._lanes else len(self._lanes)
        if lane == len(self._lanes):
            self._lanes.append(None)
        self._lanes[lane] = seq
        return lane

    def _take(self, lane: int, parents: Iterable[int]) -> dict[int, bool]:
        """Let the lanes wait for the parents; return those joined, and whether they are new."""
        self._lanes[lane] = None
        targets: dict[int, bool] = {}
        if lane >= MAX_LANES:
            return targets  # no room: the record stands beside the rails, and leads nowhere
        wanted = [seq for seq in dict.fromkeys(parents) if seq >= self._last_shown]
        for seq in wanted:
            if seq in self._lanes:
                if self._lanes.index(seq) != lane:
                    targets[self._lanes.index(seq)] = False
            elif self._lanes[lane] is None:
                self._lanes[lane] = seq
            elif len(self._lanes) < MAX_LANES or None in self._lanes:
                targets[self._free(seq)] = True
        return targets

    def _joint(self, lane: int, targets: dict[int, bool]) -> str:
        first, last = min(lane, *targets), max(lane, *targets)
        parts = []
        for number, awaited in enumerate(self._lanes):
            left, right = number > first, number < last
            if not first <= number <= last:
                corner = "│" if awaited is not None else " "
            elif number == lane:
                corner = _corner(left=left, right=right, up=True, down=awaited is not None)
            elif number in targets:
                corner = _corner(left=left, right=right, up=not targets[number], down=True)
            else:
                corner = "│" if awaited is not None else "─"
            parts.append(corner + ("─" if first <= number < last else " "))
        return "".join(parts).rstrip()


_CORNERS: Final = {
    "lrud": "┼", "lru": "┴", "lrd": "┬", "lud": "┤", "rud": "├", "lu": "╯", "ld": "╮",
    "ru": "╰", "rd": "╭", "lr": "─", "ud": "│",
}  # fmt: skip


def _corner(*, left: bool, right: bool, up: bool, down: bool) -> str:
    name = "l" * left + "r" * right + "u" * up + "d" * down
    return _CORNERS.get(name, "│")
