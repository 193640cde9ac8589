"""The rails beside the log: every line leads to what it came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from anchor.vault.graph import MAX_LANES, Graph


def drawn(parents: Mapping[int, Sequence[int]]) -> list[str]:
    graph, lines = Graph(min(parents)), []
    for seq in sorted(parents, reverse=True):
        rails = graph.draw(seq, parents[seq])
        if rails.above is not None:
            lines.append(rails.above)
        lines.append(f"{rails.at} {seq}")
        if rails.below is not None:
            lines.append(rails.below)
    return lines


def test_a_line_of_records_is_one_rail():
    assert drawn({3: [2], 2: [1], 1: []}) == ["● 3", "● 2", "● 1"]


def test_records_without_a_past_have_no_rail_and_do_not_stand_in_one_column():
    assert drawn({3: [], 2: [], 1: []}) == ["● 3", "", "● 2", "", "● 1"]


def test_a_record_right_under_one_that_it_did_not_lead_to_is_set_apart():
    assert drawn({5: [1], 4: [], 3: [2], 2: [], 1: []}) == [
        "● 5",
        "│ ● 4",
        "│",
        "│ ● 3",
        "│ ● 2",
        "● 1",
    ]


def test_a_choice_leads_to_what_was_chosen_among():
    assert drawn({5: [1, 2, 3], 4: [], 3: [], 2: [], 1: []}) == [
        "● 5",
        "├─┬─╮",
        "│ │ │ ● 4",
        "│ │ ● 3",
        "│ ● 2",
        "● 1",
    ]


def test_branches_join_where_they_began():
    assert drawn({4: [2, 3], 3: [1], 2: [1], 1: []}) == [
        "● 4",
        "├─╮",
        "│ ● 3",
        "● │ 2",
        "╰─┤",
        "  ● 1",
    ]


def test_what_is_not_shown_gets_no_rail():
    graph = Graph(5)
    assert graph.draw(7, [1, 2, 6]).below is None
    assert graph.draw(6, []).at == "●"


@settings(max_examples=40)
@given(st.data())
def test_any_history_can_be_drawn(data: st.DataObject):
    size = data.draw(st.integers(1, 40))
    parents = {
        seq: data.draw(st.lists(st.integers(0, max(seq - 1, 0)), max_size=6)) if seq else []
        for seq in range(size)
    }
    graph = Graph(0)
    for seq in sorted(parents, reverse=True):
        rails = graph.draw(seq, parents[seq])
        assert rails.at.count("●") == 1
        assert len(rails.at) <= 2 * MAX_LANES + 1
        assert rails.above is None or "●" not in rails.above
        assert rails.below is None or "●" not in rails.below
        assert graph.lanes <= MAX_LANES
    assert graph.lanes == 0, "at the end nothing waits any more"
