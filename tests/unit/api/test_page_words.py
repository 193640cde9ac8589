"""Words of the pages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from anchor_api.pages import words


def test_an_expected_time_that_has_passed_is_no_promise_any_more():
    now = datetime.now(UTC)
    assert words.expected(now + timedelta(minutes=1)) == "expected by "
    assert words.expected(now - timedelta(minutes=1)) == "was expected by "


BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


def test_a_browser_gets_a_page_for_an_address_that_there_is_not(client):
    answer = client.get("/a<b>", headers={"Accept": BROWSER})
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert "no-store" in answer.headers["cache-control"]
    assert "Accept" in answer.headers["vary"]
    assert "There is no such page" in answer.text
    assert "/a&lt;b&gt;" in answer.text


@pytest.mark.parametrize("accept", ["*/*", "application/json", "", "image/png"])
def test_a_program_gets_a_problem_there(client, accept):
    answer = client.get("/nowhere", headers={"Accept": accept})
    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found.path"


def test_the_pages_name_what_is_no_page(client):
    text = client.get("/").text
    assert ">Status (JSON)</a>" in text
    assert ">Checkpoint (text)</a>" in text
