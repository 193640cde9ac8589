"""What is withheld and stands elsewhere: found, named, with what would withhold it too."""

from __future__ import annotations

import hashlib
import json
import time

import pytest

from anchor.exhibit.choice import Choice, FieldRule
from anchor.exhibit.leaks import find_leaks, hide_differences
from anchor.records.difference import prompt_difference
from tests import recorder

SECRET = "a dragon for the client ACME"
OPEN = "a dragon in the morning light"
PICTURE = "a picture"


def project() -> recorder.Project:
    """Records: a prompt (1), its run (2) with a picture, the next prompt (3), a final (4)."""
    made = recorder.Project()
    made.genesis()
    first = made.add("prompt", {"positive": SECRET, "negative": "text, watermark"})
    made.add(
        "generation",
        {"positive": SECRET, "tool": "a local generator", "parents": [str(first.seq)]},
        files=[recorder.file_entry(PICTURE, name="dragon-for-acme.png")],
    )
    made.add("prompt", {
        "positive": OPEN, "negative": "text, watermark", "previous": "1",
        "difference": prompt_difference(SECRET, OPEN),
    })  # fmt: skip
    made.add("final", files=[recorder.file_entry(PICTURE, role="after")])
    return made


def withheld(*numbers: int, size: int = 5) -> Choice:
    return Choice(records=frozenset(range(size)) - set(numbers))


def hide(*rules: str) -> Choice:
    return Choice(hide=tuple(FieldRule(int(r.split(":")[0]), r.split(":")[1]) for r in rules))


def leaks(records, choice, texts=(), said=None) -> list[tuple[str, str, str]]:
    found = find_leaks(records, choice, lambda _sha256, _media_type: texts, said)
    return [(leak.withheld, leak.shown, leak.remedy) for leak in found]


@pytest.mark.parametrize("choice", [withheld(1), hide("1:positive")])
def test_a_withheld_prompt_stands_in_its_run_and_in_the_next_difference(choice):
    assert leaks(project().records, choice) == [
        ("record 1, positive", "record 2, positive", "--hide 2:positive"),
        ("record 1, positive", "record 3, difference", "--hide 3:difference"),
    ]


@pytest.mark.parametrize(
    ("choice", "hidden"),
    [
        (withheld(1), [3]),
        (hide("1:positive"), [3]),
        (hide("3:positive"), [3]),
        (withheld(3), []),
        (hide("1:negative"), []),
        (hide("1:positive", "3:difference"), []),
        (Choice(), []),
    ],
)
def test_a_difference_goes_with_either_of_its_prompts(choice, hidden):
    choice, added = hide_differences(project().records, choice)
    assert [(rule.seq, rule.name) for rule in added] == [(seq, "difference") for seq in hidden]
    assert all(not choice.discloses(seq, "difference") for seq in hidden)


def test_nothing_is_found_where_all_of_it_is_hidden():
    choice, _ = hide_differences(project().records, hide("1:positive", "2:positive"))
    assert leaks(project().records, choice) == []
    assert leaks(project().records, Choice(), [SECRET]) == []


def test_a_file_of_a_withheld_record_that_another_one_shows():
    choice = withheld(2)
    assert leaks(project().records, choice) == [
        ("record 2, file.0", "record 4, file.0 (the same file)", "--hide 4:file.0"),
        ("record 2, positive", "record 1, positive", "--hide 1:positive"),
        ("record 2, positive", "record 3, difference", "--hide 3:difference"),
    ]


def test_bytes_that_are_left_out_with_one_record_and_not_with_the_other():
    only = Choice(withheld_files=frozenset((2,)))
    row = ("the bytes of record 2, file.0", "record 4, file.0 (the same file)", "--no-files 4")
    assert leaks(project().records, only) == [row]
    assert leaks(project().records, Choice(withheld_files=frozenset((2, 4)))) == []


@pytest.mark.parametrize(
    "text",
    [
        f"{SECRET}\nSteps: 20, Sampler: Euler",
        SECRET.upper(),
        SECRET.replace(" ", "\n  "),
        json.dumps({"6": {"inputs": {"text": f"{SECRET}"}}}).replace("ACME", "\\u0041CME"),
    ],
)
def test_texts_in_enclosed_files(text):
    choice = hide("1:positive", "2:positive", "3:difference")
    where = "the file of record {}, file.0"
    assert leaks(project().records, choice, [text]) == [
        (f"record {owner}, positive", where.format(seq), f"--no-files {seq}")
        for seq in (2, 4)
        for owner in (1, 2)
    ]
    kept_out = Choice(hide=choice.hide, withheld_files=frozenset((2, 4)))
    assert leaks(project().records, kept_out, [text]) == []


def test_what_is_said_of_the_exhibit_and_names_of_files():
    choice = hide("2:file.0", "4:file.0")
    said = {"the title": "see dragon-for-acme.png", "the name": "dragons"}
    assert leaks(project().records, choice, said=said) == [
        ("record 2, file.0", "the title", "other words for it")
    ]


def test_settings_that_every_run_repeats_count_only_where_they_are_hidden_by_name():
    records = project().records
    rows = leaks(records, hide("1:negative"))
    assert rows == [("record 1, negative", "record 3, negative", "--hide 3:negative")]
    assert not any("negative" in what for what, _, _ in leaks(records, withheld(1)))


@pytest.mark.parametrize(
    ("text", "found"), [("harbour", 0), ("harbours", 1), ("水晶猫", 0), ("水晶猫吊", 1)]
)
def test_short_texts_are_no_secrets(text, found):
    made = recorder.Project()
    made.genesis()
    made.note(text)
    made.note(f"see {text}!")
    assert len(leaks(made.records, withheld(1, size=3))) == found


def test_a_long_line_of_a_longer_text():
    made = recorder.Project()
    made.genesis()
    made.note(f"short line\n{SECRET}\nand an end")
    made.note(f"they said: {SECRET}; a short line")
    assert leaks(made.records, withheld(1, size=3)) == [
        ("record 1, text", "record 2, text", "--hide 2:text")
    ]


def test_originals_are_read_only_where_a_text_is_withheld():
    read = []

    def texts_in(sha256, media_type):
        read.append((sha256, media_type))
        return ()

    find_leaks(project().records, Choice(withheld_files=frozenset((2,))), texts_in)
    assert read == []
    find_leaks(project().records, withheld(1), texts_in)
    assert read == [(hashlib.sha256(PICTURE.encode()).digest(), "image/png")], "once a file"


def test_among_many_secrets_the_same_ones_are_found():
    made = recorder.Project()
    made.genesis()
    for number in range(120):
        made.note(
            f"remark {number:03} of the day" if number % 2 else f"水晶猫{chr(0x4E00 + number)}"
        )
    made.note("see remark 007 of the day, remark 0 and 水晶猫一")
    size = len(made.records)
    rows = leaks(made.records, withheld(*range(1, 121), size=size))
    texts = ("remark 007 of the day", "水晶猫一")
    wanted = [seq for seq in range(1, 121) if made.records[seq].fields["text"] in texts]
    assert len(wanted) == 2
    last = ("record 121, text", "--hide 121:text")
    assert rows == [(f"record {seq}, text", *last) for seq in wanted]


def test_three_thousand_records_take_seconds():
    made = recorder.Project()
    made.genesis()
    for number in range(3000):
        made.note(f"the remark with the number {number} of a long day at the sea, in glass")
    start = time.process_time()
    assert leaks(made.records, withheld(*range(1, 3001, 2), size=3001)) == []
    assert time.process_time() - start < 5, "a record is not compared with each other one"
