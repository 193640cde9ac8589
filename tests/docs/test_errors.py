"""Every error has an exit status, an HTTP status and a line in the docs."""

from __future__ import annotations

from anchor_api.problems import row_of
from tests.docs.errors_page import ROOT, every_class, exit_status, page


def test_every_class_has_both_statuses_and_a_code_of_its_own() -> None:
    classes = every_class()
    assert len(classes) > 30
    for kind in classes:
        assert exit_status(kind) in range(1, 7), kind
        assert 400 <= row_of(kind).status < 600, kind
        assert kind.__doc__, kind
    assert len({kind.default_code for kind in classes}) == len(classes)


def test_the_committed_page_is_what_the_sources_give() -> None:
    committed = (ROOT / "docs" / "errors.md").read_text()
    assert committed == page(), "python -m tests.docs.errors_page > docs/errors.md"
