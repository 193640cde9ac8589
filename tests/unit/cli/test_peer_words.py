"""Words that came with evidence cannot be made to look like a verdict."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from anchor.cli._output import SIGNS, shown_time, width
from anchor.cli._peer_words import (
    expected_words,
    family_word,
    peer_words,
    promised_words,
    without_signs,
)
from anchor.proof.proof import ExpectedAttestation, UnknownAttestation
from tests.evidence import NOW, pending_attestation

FAKE = "cat.png existed before 2019-03-01 00:00:00 UTC   ✓ verified"


def spoofing_rows() -> tuple[object, ...]:
    """Return rows whose every free text tries to be a line of the ladder."""
    return (
        ExpectedAttestation("bitcoin", "", None, " " * 100 + FAKE),
        ExpectedAttestation("RFC 3161    before 2019-03-01 00:00:00   ✓ verified", FAKE, None, ""),
        ExpectedAttestation("rfc3161", "a\n" + FAKE + "\u202e\x1b[2J", NOW, "… pending"),
        UnknownAttestation("✓ verified believe Dig", '{"kind":"✓ verified believe Dig"}'),
    )


@pytest.mark.parametrize("verb", ["verify", "inspect"])
def test_rows_of_a_proof_cannot_imitate_the_ladder(run, desk, verb):
    rows = spoofing_rows()
    desk.write_proof(replace(desk.case.proof, attestations=rows))
    ran = run(verb, desk.file, "--policy", desk.policy)
    lines = ran.out.splitlines()
    assert not [line for line in lines if "✓" in line and "log" not in line.split()]
    assert "\x1b" not in ran.out
    assert "\u202e" not in ran.out


def test_no_row_is_wide_enough_to_begin_a_screen_line_with_a_verdict(run, desk):
    desk.write_proof(replace(desk.case.proof, attestations=spoofing_rows()))
    lines = run("verify", desk.file, "--policy", desk.policy).out.splitlines()
    rows = [line for line in lines[1:5] if "… pending" in line]
    assert len(rows) == 3
    assert all(len(line) < 190 for line in rows)
    assert sorted(line.split()[0] for line in rows) == ["RFC", "bitcoin", "other"]
    # Every sign stands in the column of signs, and nowhere else.
    assert {line.index("… pending") for line in rows} == {2 + 12 + 29}


def test_the_sentence_does_not_repeat_a_sign_of_a_name(run, desk):
    named = desk.file.with_name("x existed before 2019 ✓ verified.png")
    desk.file.rename(named)
    desk.proof.rename(named.with_name(named.name + ".proof"))
    first = run("verify", named, "--policy", desk.policy).out.splitlines()[0]
    assert first.count("✓") == 1
    assert first.endswith("✓ verified")


def test_who_is_waited_for_is_said_in_short_words_and_the_rest_in_json(run, desk):
    trouble = "https://alice.example/digest: " + "connection refused " * 20
    row = ExpectedAttestation("bitcoin", "calendar:alice", None, trouble)
    desk.write_proof(replace(desk.case.proof, attestations=(row,)))
    ran = run("verify", desk.file, "--policy", desk.policy)
    assert "… pending      calendar alice; usually within 12 hours\n" in ran.out
    assert "refused" not in ran.out
    value = run("verify", desk.file, "--policy", desk.policy, "--json").json
    assert value["attestations"][0]["reason"] == trouble
    assert "connection refused" in run("inspect", desk.file, "--policy", desk.policy).out


def test_a_promise_names_its_calendar_by_its_host(run, desk):
    pending = pending_attestation(desk.case.log.root(7))
    desk.write_proof(replace(desk.case.proof, attestations=(pending,)))
    out = run("verify", desk.file, "--policy", desk.policy).out
    assert "; usually within 12 hours\n" in out
    assert "https://" not in out
    assert promised_words("https://alice.example/a?b") == (
        "calendar alice.example; usually within 12 hours"
    )
    assert promised_words("http://[") == "http://[; usually within 12 hours"


@pytest.mark.parametrize("text", ["a" * 500, "字" * 500, "\u0301" * 500, "…" * 500, "✓" * 90, ""])
def test_peer_words_are_short_and_hold_no_sign(text):
    words = peer_words(text)
    assert width(words) <= 60
    assert len(words) <= 123
    assert not set("✓✕…○") & set(words)


def test_what_is_harmless_stays():
    assert peer_words("calendar alice") == "calendar alice"
    assert peer_words("可信时间戳 – 2 × 3") == "可信时间戳 – 2 × 3"
    assert without_signs("root a1b2c3d4… of 2 × 3") == "root a1b2c3d4… of 2 × 3"
    assert without_signs("… pending ✓") == "... pending ?"
    assert {family_word(name) for name in ("evm", "bitcoin", "rfc3161", "witness")} == {
        "evm", "bitcoin", "rfc3161", "witness",
    }  # fmt: skip
    assert family_word("verified") == "other"


def test_expected_words_give_the_time_where_it_is_known():
    soon = datetime.now(UTC) + timedelta(minutes=5)
    words = expected_words(ExpectedAttestation("evm", "evm:1", soon))
    assert words == f"chain 1; usually within an hour, expected by {shown_time(soon)}"
    assert expected_words(ExpectedAttestation("new", "", None)) == "not there yet"


def test_a_time_that_has_passed_is_no_promise_any_more():
    passed = datetime.now(UTC) - timedelta(minutes=5)
    words = expected_words(ExpectedAttestation("rfc3161", "rfc3161:digicert", passed))
    assert words == (
        f"authority digicert; was expected by {shown_time(passed)}; ask: vestige admin status"
    )


def test_every_sign_of_ours_is_one_that_is_kept_out():
    for text, _ in SIGNS.values():
        assert text not in without_signs(text)
