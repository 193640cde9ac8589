"""The voice: signs, colours, encodings, errors, and text that nobody trusts."""

from __future__ import annotations

import io
import json

import pytest

from anchor.cli._output import (
    COLUMNS_VARIABLE,
    SIGNS,
    Output,
    Painted,
    padded,
    printable,
    short,
    width,
    word,
)
from anchor.errors import FormatError
from anchor.verify.verdict import Status


class Terminal(io.TextIOWrapper):
    def __init__(self, encoding: str = "utf-8", *, tty: bool = True) -> None:
        super().__init__(io.BytesIO(), encoding=encoding, newline="\n", write_through=True)
        self._tty = tty

    def isatty(self) -> bool:
        return self._tty

    @property
    def text(self) -> str:
        self.flush()
        return self.buffer.getvalue().decode(self.encoding)


def output(stream: Terminal, **options) -> Output:
    return Output(stdout=stream, stderr=stream, **{"environ": {}, **options})


def test_four_words_have_four_signs_and_no_two_share_a_colour():
    assert set(SIGNS) == set(Status)
    assert len({text.split()[0] for text, _ in SIGNS.values()}) == 4
    assert len({colour for _, colour in SIGNS.values()}) == 4
    for status, (text, _) in SIGNS.items():
        assert text.split(" ", 1)[1] == str(status).replace("_", " ")


def test_colour_is_for_terminals_and_never_without_the_word():
    terminal, pipe = Terminal(), Terminal(tty=False)
    for stream in (terminal, pipe):
        output(stream).line("cat  ", word(Status.VERIFIED))
    assert terminal.text == "cat  \x1b[32m✓ verified\x1b[0m\n"
    assert pipe.text == "cat  ✓ verified\n"


@pytest.mark.parametrize("environ", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_colour_can_be_switched_off(environ):
    terminal = Terminal()
    output(terminal, environ=environ).line(word(Status.FAILED))
    assert terminal.text == "✕ failed\n"


def test_empty_no_color_means_nothing():
    terminal = Terminal()
    output(terminal, environ={"NO_COLOR": ""}).line(word(Status.FAILED))
    assert "\x1b[31m" in terminal.text


def test_stream_without_the_signs_gets_ascii_ones():
    stream = Terminal("ascii", tty=False)
    for status in Status:
        output(stream).line(word(status))
    output(stream).line("a ‖ b – c…  猫")
    assert stream.text == "+ verified\nx failed\n... pending\no not checked\na || b - c...  ?\n"


def test_untrusted_text_cannot_move_the_cursor_or_turn_the_line_around():
    terminal = Terminal()
    output(terminal).line("a\x1b[2Jb\nc\u202ed\x00\udcff", Painted("e\x1b[0m", "32"))
    assert terminal.text == "a?[2Jb?c?d??\x1b[32me?[0m\x1b[0m\n"
    assert printable("plain text – ✓ 猫") == "plain text – ✓ 猫"


def test_cells_are_padded_by_columns_not_by_characters():
    assert width("猫.png") == 6
    assert width("e\u0301") == 1
    assert padded("猫", 5) == "猫   "
    assert padded("longer", 3) == "longer  "
    assert padded(word(Status.PENDING), 12) == Painted("… pending   ", "33")


def test_errors_and_hints_go_to_standard_error_each_on_its_line():
    out, err = Terminal(tty=False), Terminal(tty=False)
    shown = Output(stdout=out, stderr=err, environ={})
    shown.error(FormatError("proof: cut short\x07", hint="fetch it again"))
    shown.warn("slow")
    shown.note("working")
    assert out.text == ""
    assert err.text == (
        "vestige: error: proof: cut short?\nvestige: hint: fetch it again\n"
        "vestige: warning: slow\nvestige: working\n"
    )


def test_quiet_keeps_results_errors_and_warnings():
    stream = Terminal(tty=False)
    shown = output(stream, quiet=True)
    shown.note("working")
    shown.line("result")
    shown.warn("careful")
    shown.error("false")
    assert stream.text == "result\nvestige: warning: careful\nvestige: error: false\n"


def test_json_is_one_object_in_ascii_and_no_lines():
    stream = Terminal("ascii", tty=False)
    shown = output(stream, as_json=True)
    shown.line("text")
    shown.object({"name": "猫\udcff", "n": 1})
    assert json.loads(stream.text) == {"name": "猫\udcff", "n": 1}
    plain = Terminal()
    output(plain).object({"n": 1})
    assert plain.text == ""


def test_raw_bytes_go_out_as_they_are():
    stream = Terminal(tty=False)
    output(stream).raw(b"\x1b\xff")
    assert stream.buffer.getvalue() == b"\x1b\xff"
    text = io.StringIO()
    Output(stdout=text, environ={}).raw(b"abc")
    assert text.getvalue() == "abc"


def test_short_digest_is_eight_digits_and_an_ellipsis():
    assert short(bytes.fromhex("a1b2c3d4e5")) == "a1b2c3d4…"


def test_a_pipe_is_as_wide_as_who_reads_it_says_and_else_without_bound():
    for said, columns in (("90", 90), ("", 1 << 16), ("0", 1 << 16), ("x", 1 << 16)):
        out = Output(stdout=Terminal(tty=False), environ={COLUMNS_VARIABLE: said, "COLUMNS": "7"})
        assert out.columns() == columns
