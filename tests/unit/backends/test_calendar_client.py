from __future__ import annotations

import pytest

from anchor.backends.calendar_client import CalendarClient
from anchor.errors import ConfigError
from anchor.formats.ots.attestation import PendingAttestation
from anchor.formats.ots.timestamp import Timestamp


def may_ask(client: CalendarClient, uri: str) -> bool:
    tree = Timestamp(b"m")
    tree.attest(PendingAttestation(uri))
    return bool(client.promises(tree))


@pytest.mark.parametrize(
    ("uri", "asked"),
    [
        ("https://pool.example", True),
        ("https://pool.example/", True),
        ("https://alice.btc.calendar.example.org", True),
        ("https://bob.calendar.example.org/", True),
        ("http://pool.example", False),
        ("https://pool.example.evil.example", False),
        ("https://evilpool.example", False),
        ("https://pool.example/x", False),
        ("https://pool.example:8443", False),
        ("https://calendar.example.org", False),
        ("http://alice.calendar.example.org", False),
        ("https://evil.example/.calendar.example.org", False),
        ("https://evil.example:80.calendar.example.org", False),
        ("https://alice.calendar.example.org.evil.example", False),
        ("https://alice.calendar.example.org:8443", False),
        ("https://alice.calendar.example.org/x", False),
        ("https://.calendar.example.org", False),
        ("https://evilcalendar.example.org", False),
        ("https://aliceXcalendar.example.org", False),
        ("", False),
    ],
)
def test_only_own_and_allowed_addresses_are_asked(uri: str, asked: bool) -> None:
    client = CalendarClient(
        "https://pool.example/", allowed_uris=["https://*.calendar.example.org"]
    )
    assert may_ask(client, uri) is asked
    client.close()


@pytest.mark.parametrize("allowed", ["*.example.org", "https://*", "https://*.", "pool", "//x"])
def test_allowed_addresses_that_are_none(allowed: str) -> None:
    with pytest.raises(ConfigError):
        CalendarClient("https://pool.example", allowed_uris=[allowed])
