"""The progress bar: late, on terminals only, wiped at the end."""

from __future__ import annotations

import pytest

from anchor.cli._output import Output
from anchor.cli._progress import Progress, _duration
from tests.unit.cli.test_output import Terminal


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def work(stream: Terminal, seconds: float, steps: int = 50, total: int | None = 100, **options):
    clock = Clock()
    out = Output(stdout=stream, stderr=stream, environ={}, **options)
    with Progress(out, "hashing", total, clock=clock) as progress:
        for _ in range(steps):
            clock.now += seconds / steps
            progress.step()
    return stream.text


def test_quick_work_draws_nothing():
    assert work(Terminal(), 0.9) == ""


@pytest.mark.parametrize(
    ("stream", "options"), [(Terminal(tty=False), {}), (Terminal(), {"quiet": True})]
)
def test_pipes_and_quiet_see_nothing(stream, options):
    assert work(stream, 60, **options) == ""


def test_long_work_shows_count_rate_and_time_left_and_is_wiped():
    text = work(Terminal(), 10)
    frames = text.split("\r\x1b[K")
    assert frames[0] == ""
    assert frames[-1] == ""
    assert frames[-2] == "hashing  ████████████░░░░░░░░░░░░  50 of 100  5/s  10 s left"
    assert "\n" not in text


def test_work_of_unknown_length_shows_count_and_rate():
    assert "hashing  50  5/s\r" in work(Terminal(), 10, total=None)


def test_frames_are_drawn_ten_times_a_second_at_most():
    assert work(Terminal(), 3, steps=3000).count("\r") <= 22


def test_bar_is_ascii_where_the_stream_is():
    assert "############............" in work(Terminal("ascii"), 10)


def test_total_of_none_or_more_than_expected_does_not_overflow():
    last = work(Terminal(), 10, steps=50, total=1).split("\r\x1b[K")[-2]
    assert last == f"hashing  {'█' * 24}  50 of 1  5/s  0 s left"
    assert "0 of 0" not in work(Terminal(), 10, steps=0, total=0)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "0 s"), (59, "59 s"), (75, "1 min 15 s"), (7380, "2 h 03 min")]
)
def test_durations_are_short(seconds, text):
    assert _duration(seconds) == text


def test_no_line_is_glued_to_the_bar():
    stream, clock = Terminal(), Clock()
    out = Output(stdout=stream, stderr=stream, environ={})
    with Progress(out, "hashing", 3, clock=clock) as progress:
        for number in range(3):
            clock.now += 2
            progress.step()
            out.line(f"file {number}")
        out.error("no")
    out.line("done")
    lines = stream.text.split("\n")
    assert [line.rpartition("\r\x1b[K")[2] for line in lines[:3]] == ["file 0", "file 1", "file 2"]
    assert stream.text.count("hashing") == 3
    assert stream.text.endswith("error: \x1b[0mno\ndone\n")
