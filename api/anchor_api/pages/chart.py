"""A chart of bars as inline SVG, with its labels as text beside it, so that they keep their size.

Honest axes: bars begin at zero, one scale, every day of the window has its place whether anything
came or not; the day that is not over is drawn open. The numbers stand below it as a table.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from anchor.service.growth import DayCount
from anchor_api.pages.html import Html, Part, joined, tag
from anchor_api.pages.words import count

_BAR: Final = 10
_GAP: Final = 2
_HEIGHT: Final = 100
# Anything that is not nothing is seen.
_LEAST: Final = 0.8


def day_chart(days: Sequence[DayCount], *, title: str) -> Html:
    """Return the chart of some days, the last of which is not over."""
    top = round_top(max(day.n_leaves for day in days))
    width = len(days) * _BAR
    bars = [_bar(day, place, top) for place, day in enumerate(days)]
    bars[-1] = _bar(days[-1], len(days) - 1, top, is_open=True)
    plot = tag(
        "svg",
        tag("title", title),
        *(_grid(share, width) for share in (0, 0.5, 1)),
        *bars,
        viewBox=f"0 0 {width} {_HEIGHT}",
        preserveAspectRatio="none",
        role="img",
    )
    middle = days[len(days) // 2]
    scale = [f"{top:,}", f"{top // 2:,}" if top % 2 == 0 else "", "0"]
    return tag(
        "figure",
        tag("figcaption", title),
        tag(
            "div",
            tag("div", *(tag("span", text) for text in scale), class_="scale"),
            tag("div", plot, class_="plot"),
            tag(
                "div",
                *(tag("span", f"{day.day:%Y-%m-%d}") for day in (days[0], middle)),
                tag("span", "today, so far"),
                class_="days",
            ),
            class_="chart",
        ),
        _table(days),
    )


def round_top(greatest: int) -> int:
    """Return the end of an axis: 1, 2 or 5 times a power of ten, at least ``greatest``."""
    step = 1
    while True:
        for factor in (1, 2, 5):
            if factor * step >= max(greatest, 1):
                return factor * step
        step *= 10


def _grid(share: float, width: int) -> Html:
    y = f"{_HEIGHT * share:g}"
    return tag("line", x1="0", x2=str(width), y1=y, y2=y, class_="grid")


def _bar(day: DayCount, place: int, top: int, *, is_open: bool = False) -> Html:
    height = _HEIGHT * day.n_leaves / top
    if day.n_leaves:
        height = max(height, _LEAST)
    return tag(
        "rect",
        tag("title", f"{day.day:%Y-%m-%d}: {count(day.n_leaves, 'digest')}"),
        x=str(place * _BAR + _GAP // 2),
        y=f"{_HEIGHT - height:g}",
        width=str(_BAR - _GAP),
        height=f"{height:g}",
        class_="open" if is_open else "bar",
    )


def _table(days: Sequence[DayCount]) -> Html:
    rows: list[Part] = [
        tag("tr", tag("td", f"{day.day:%Y-%m-%d}"), tag("td", f"{day.n_leaves:,}"))
        for day in reversed(days)
        if day.n_leaves
    ]
    if not rows:
        return tag("p", "None came in this time.", class_="note")
    head = tag("tr", tag("th", "Day (UTC)", scope="col"), tag("th", "Digests", scope="col"))
    return tag(
        "details",
        tag("summary", "The numbers"),
        tag("table", tag("thead", head), tag("tbody", joined(*rows)), class_="numbers"),
        tag("p", "Days that are not named brought none.", class_="note"),
    )
