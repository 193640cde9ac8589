"""What is remembered of logs: keys on first use, newest checkpoints, evidence of forks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from anchor.client.known_logs import KnownLogs
from anchor.client.state_folder import state_folder
from anchor.errors import (
    BackendUnavailableError,
    ConsistencyError,
    FormatError,
    NotFoundError,
    SignatureError,
)
from anchor.formats.checkpoint import Checkpoint
from anchor.formats.note import sign_note
from anchor.formats.tiles import parse_tile, tile_path
from tests.evidence import Log, Signer, digest_of, policy
from tests.fakes.vestige_service import FakeVestige

POLICY = policy()


class Seen:
    """A machine that looks at a log again and again."""

    def __init__(self, folder: Path, trusted=POLICY) -> None:
        self.folder = folder
        self.logs = KnownLogs(folder, trusted)
        self.asked_for_key = 0

    def look(self, log: Log, size: int, *, key: str | None = None, tiles: Log | None = None):
        fake = FakeVestige(tiles or log)

        def offered_key() -> str:
            self.asked_for_key += 1
            return key or log.signer.key.text

        def fetch_tile(level: int, index: int, width: int) -> list[bytes]:
            status, _, body = fake.handle("GET", f"/{tile_path(level, index, width)}", {}, b"")
            if status != 200:
                raise NotFoundError("no such tile")
            return parse_tile(body, width=width)

        note = log.checkpoint(size)
        return self.logs.observe(note, offered_key=offered_key, fetch_tile=fetch_tile)

    def evidence(self) -> list[str]:
        return sorted(path.name.split("-")[0] for path in self.folder.rglob("*.checkpoint"))


def grown(count: int, *, other: bool = False) -> Log:
    log = Log()
    log.add(*(digest_of(f"{'other ' if other else ''}entry {n}") for n in range(count)))
    return log


def test_key_is_taken_once_and_the_newest_checkpoint_kept(tmp_path):
    seen = Seen(tmp_path)
    log = grown(700)
    for size in (3, 3, 256, 257, 700):
        assert seen.look(log, size).tree_size == size
    assert seen.asked_for_key == 1
    assert seen.logs.newest(log.signer.name).tree_size == 700
    assert seen.evidence() == []


def test_older_checkpoint_that_agrees_is_fine_and_does_not_replace_the_newer(tmp_path):
    seen = Seen(tmp_path)
    log = grown(20)
    seen.look(log, 20)
    seen.look(log, 7)
    assert seen.logs.newest(log.signer.name).tree_size == 20


def test_two_trees_of_one_size_are_kept_and_refused(tmp_path):
    seen = Seen(tmp_path)
    seen.look(grown(5), 5)
    with pytest.raises(ConsistencyError) as raised:
        seen.look(grown(5, other=True), 5)
    assert raised.value.code == "log.inconsistent"
    assert str(tmp_path) in raised.value.hint
    assert seen.evidence() == ["5", "5"]
    assert seen.logs.newest("log.example.org/test").root_hash == grown(5).root(5)


@pytest.mark.parametrize("sizes", [(5, 9), (9, 5)])
def test_fork_is_kept_and_refused_in_either_direction(tmp_path, sizes):
    seen = Seen(tmp_path)
    seen.look(grown(sizes[0]), sizes[0])
    with pytest.raises(ConsistencyError):
        seen.look(grown(sizes[1], other=True), sizes[1])
    assert seen.evidence() == ["5", "9"]


def test_larger_tree_whose_tiles_are_missing_is_kept_and_refused(tmp_path):
    seen = Seen(tmp_path)
    log = grown(9)
    seen.look(log, 5)
    with pytest.raises(ConsistencyError):
        seen.look(log, 9, tiles=Log())
    assert seen.evidence() == ["5", "9"]
    assert seen.logs.newest(log.signer.name).tree_size == 5


def test_silent_service_is_no_fork_and_still_both_are_kept(tmp_path):
    seen = Seen(tmp_path)
    log = grown(9)
    seen.look(log, 5)

    def silent(*_: int) -> list[bytes]:
        raise BackendUnavailableError("gone")

    with pytest.raises(BackendUnavailableError):
        seen.logs.observe(
            log.checkpoint(9), offered_key=lambda: log.signer.key.text, fetch_tile=silent
        )
    assert seen.evidence() == ["5", "9"]
    seen.look(log, 9)


def test_another_key_under_the_same_origin_is_refused_whatever_is_offered(tmp_path):
    seen = Seen(tmp_path)
    seen.look(grown(3), 3)
    forged = grown(4)
    forged.signer = Signer(forged.signer.name, seed=b"\x08" * 32)
    with pytest.raises(SignatureError) as raised:
        seen.look(forged, 4)
    assert raised.value.code == "log.key_changed"
    assert seen.asked_for_key == 1


def test_offered_key_that_did_not_sign_is_refused_and_not_remembered(tmp_path):
    seen = Seen(tmp_path)
    log = grown(3)
    with pytest.raises(SignatureError):
        seen.look(log, 3, key=Signer(log.signer.name, seed=b"\x08" * 32).key.text)
    assert seen.logs.newest(log.signer.name) is None


def test_log_of_the_policy_is_held_to_the_policys_key_and_never_asked_for_it(tmp_path):
    log = grown(3)
    trusted = policy(logs=[{"origin": log.signer.name, "key": log.signer.key.text}])
    seen = Seen(tmp_path, trusted)
    seen.look(log, 3)
    assert seen.asked_for_key == 0
    impostor = Signer("impostor", seed=b"\x08" * 32)
    text = Checkpoint(log.signer.name, 4, grown(4).root(4)).text
    note = sign_note(text, impostor.key, impostor.private.sign).serialize()
    with pytest.raises(SignatureError, match="not signed by the policy's key"):
        seen.logs.observe(note, offered_key=lambda: impostor.key.text, fetch_tile=None)


def test_empty_tree_is_consistent_with_everything(tmp_path):
    seen = Seen(tmp_path)
    log = grown(2)
    seen.look(log, 0)
    seen.look(log, 2)
    assert seen.logs.newest(log.signer.name).tree_size == 2


def test_state_of_another_log_or_damaged_is_not_believed(tmp_path):
    seen = Seen(tmp_path)
    log = grown(2)
    seen.look(log, 2)
    (path,) = tmp_path.rglob("*.json")
    value = json.loads(path.read_text())
    path.write_text(json.dumps({**value, "origin": "somebody.example"}))
    with pytest.raises(FormatError, match="another log"):
        seen.look(log, 2)
    path.write_text("{")
    with pytest.raises(FormatError):
        seen.look(log, 2)


def test_state_folder_follows_the_environment_and_ignores_relative_paths(tmp_path, monkeypatch):
    assert state_folder({"XDG_STATE_HOME": str(tmp_path)}) == tmp_path / "vestige"
    monkeypatch.setenv("HOME", str(tmp_path))
    home = tmp_path / ".local" / "state" / "vestige"
    assert state_folder({"XDG_STATE_HOME": "relative"}) == home
    assert state_folder({}) == home
