"""Words of the pages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from anchor_api.pages import words


def test_an_expected_time_that_has_passed_is_no_promise_any_more():
    now = datetime.now(UTC)
    assert words.expected(now + timedelta(minutes=1)) == "expected by "
    assert words.expected(now - timedelta(minutes=1)) == "was expected by "
