"""``--server``: what is no address is wrong use, and passwords are not repeated."""

from __future__ import annotations

import pytest

from tests.fakes.vestige_service import FakeVestige


@pytest.mark.parametrize("verb", ["stamp", "upgrade"])
@pytest.mark.parametrize(
    "text",
    [
        "localhost:8460", "http://a b", "http://localhost:99999", "ftp://host", "http://[::1",
        "http://xn--a", "http://a..b", "http://ａ.invalid", "http://٣", "http://-..", "http://a\nb",
        "http://host/?key=1", "not an address",
    ],
)  # fmt: skip
def test_bad_addresses_are_wrong_use(run, desk, verb, text):
    ran = run(verb, desk.file, "--server", text)
    assert ran.status == 2
    assert "an http or https address is wanted" in ran.err
    assert "unexpected" not in ran.err
    assert "vestige: hint: write it as " in ran.err


def test_a_password_is_warned_of_and_never_repeated(run, desk):
    words = ("--server", "http://ann:s3cret@127.0.0.1:1", "--policy", desk.policy)
    for verb in ("stamp", "upgrade"):
        (desk.folder / "dog.png").write_text("a dog")
        target = desk.folder / "dog.png" if verb == "stamp" else desk.file
        for json in ((), ("--json",)):
            ran = run(verb, target, *words, *json)
            assert ran.status == 5
            assert "s3cret" not in ran.out + ran.err
            assert "warning: a password in --server" in ran.err


def test_a_password_in_the_environment_is_used_and_not_warned_of(run, desk, monkeypatch):
    fake = FakeVestige(desk.case.log)
    with fake.served() as url:
        monkeypatch.setenv("VESTIGE_SERVER", url.replace("http://", "http://ann:s3cret@"))
        ran = run("upgrade", desk.file, "--policy", desk.policy)
    assert "s3cret" not in ran.out + ran.err
    assert "warning" not in ran.err
    sent = [headers for _, path, headers, _ in fake.requests if path.endswith("/proof")]
    assert {name.lower() for name in sent[0]} >= {"authorization"}
