"""Addresses as people type them: told from nonsense, shown without their secrets."""

from __future__ import annotations

import pytest

from anchor.backends.address import address_problem, holds_secret, shown_address


@pytest.mark.parametrize(
    "text",
    [
        "http://127.0.0.1:8460", "https://log.example.org/", "https://a:b@log.example.org/x/y",
        "http://[::1]:80", "http://xn--exmple-cua.example", "http://exämple.example", "HTTP://host",
        "http://host.:1",
    ],
)  # fmt: skip
def test_addresses_that_will_do(text):
    assert address_problem(text) is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("localhost:8460", "begin with http"),
        ("ftp://host", "begin with http"),
        ("", "begin with http"),
        ("http:host", "begin with http"),
        ("http://a b", "space"),
        ("http://a\nb", "space"),
        ("http://a\u202eb", "not printable"),
        ("http://", "no host"),
        ("http://[::1", "no host"),
        ("http://-..", "no host"),
        ("http://a..b", "no host"),
        ("http://" + "a" * 64, "no host"),
        ("http://" + "a." * 200, "no host"),
        ("http://host:99999", "port"),
        ("http://host:0", "port"),
        ("http://host:x", "port"),
        ("http://host/?key=1", "query"),
        ("http://host/#top", "fragment"),
    ],
)
def test_what_is_wrong_is_said(text, why):
    assert why in (address_problem(text) or "")


@pytest.mark.parametrize(
    "text",
    [
        "http://ann:secret@host:1/path?key=secret#secret", "http://secret@host:1/path",
        "ann:secret@host:1/path", "http://ann:secret@host:99999/path",
        "//ann:secret@host:1/path?secret", "http://[ann:secret@host:1/path",
    ],
)  # fmt: skip
def test_no_secret_is_shown(text):
    assert holds_secret(text) or "//" not in text
    shown = shown_address(text)
    assert "secret" not in shown
    assert shown.endswith("/path")


def test_an_address_without_secrets_is_shown_as_it_is():
    assert shown_address("https://log.example.org:8/a/b") == "https://log.example.org:8/a/b"
    assert not holds_secret("https://log.example.org:8/a@b")
    assert len(shown_address("http://host/" + "a" * 500)) == 121
