"""The operator's wish for a round, through the data folder."""

from __future__ import annotations

import json
import threading

import pytest

from anchor.config import force_wish
from anchor.config.force_wish import ForceWishes, wish_force
from anchor.errors import BackendUnavailableError, NotFoundError


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(force_wish, "_LOOK_S", 0.02)


class Anchorer:
    def __init__(self) -> None:
        self.asked: list[str | None] = []

    def force(self, backend: str | None) -> dict[str, str]:
        self.asked.append(backend)
        if backend not in (None, "evm:1"):
            raise NotFoundError(f"there is no backend {backend!r}")
        return {"evm:1": "scheduled"}


def test_wish_is_fulfilled_and_leaves_nothing_behind(tmp_path):
    anchorer = Anchorer()
    with ForceWishes(tmp_path, anchorer.force):
        assert wish_force(tmp_path, None) == {"evm:1": "scheduled"}
        assert wish_force(tmp_path, "evm:1") == {"evm:1": "scheduled"}
    assert anchorer.asked == [None, "evm:1"]
    assert list(tmp_path.iterdir()) == []


def test_unknown_backend_is_told(tmp_path):
    with (
        ForceWishes(tmp_path, Anchorer().force),
        pytest.raises(NotFoundError, match="no backend 'evm:2'"),
    ):
        wish_force(tmp_path, "evm:2")


def test_nobody_there_is_told_and_the_wish_is_not_fulfilled_later(tmp_path):
    with pytest.raises(BackendUnavailableError):
        wish_force(tmp_path, None, timeout_s=0.05)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "force.json").write_text(json.dumps({"id": "x", "backend": None}))
    anchorer = Anchorer()
    with ForceWishes(tmp_path, anchorer.force):
        threading.Event().wait(0.1)
    assert anchorer.asked == []
    with pytest.raises(NotFoundError):
        wish_force(tmp_path / "none", None)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"id": 1, "id": 2}'])
def test_what_is_no_wish_is_dropped_and_the_next_one_heard(tmp_path, text):
    anchorer = Anchorer()
    with ForceWishes(tmp_path, anchorer.force):
        (tmp_path / "force.json").write_text(text)
        threading.Event().wait(0.1)
        assert wish_force(tmp_path, None) == {"evm:1": "scheduled"}
    assert anchorer.asked == [None]


def test_answer_to_somebody_elses_wish_is_not_taken(tmp_path):
    (tmp_path / "force-answer.json").write_text(json.dumps({"id": "old", "answers": {"x": "y"}}))
    with pytest.raises(BackendUnavailableError):
        wish_force(tmp_path, None, timeout_s=0.05)
