from __future__ import annotations

import hashlib

import pytest

from anchor.errors import OverloadedError, StoreUnavailableError
from anchor.formats.encoding import base64_text
from anchor.service.token_log import TokenLog, token_digest
from anchor.stores.round_store import SqliteRoundStore
from tests.fakes.backends import Crash, FaultyRounds
from tests.fakes.memory_log import MemoryLog


def token(number: int) -> dict:
    return {"kind": "rfc3161", "root_hash": "00" * 32, "token": base64_text(b"token %d" % number)}


def digest(number: int) -> bytes:
    return hashlib.sha256(b"token %d" % number).digest()


@pytest.fixture
def rounds(tmp_path):
    store = SqliteRoundStore(tmp_path / "r.db")
    yield store
    store.close()


def test_the_digest_is_over_the_token_bytes():
    assert token_digest(token(1)) == digest(1)


@pytest.mark.parametrize(
    "other",
    [{"kind": "evm"}, {"kind": "rfc3161"}, {"kind": "rfc3161", "token": "@@"}, {}],
)
def test_what_holds_no_token_has_no_digest(other):
    assert token_digest(other) is None


def test_tokens_are_submitted_once_each_in_order(rounds):
    log = MemoryLog()
    tokens = TokenLog(rounds, log.submit)
    tokens.note([token(1), {"kind": "evm"}, token(2)])
    tokens.note([token(1)])
    assert tokens.waiting == 2
    tokens.submit_waiting()
    assert log.entries == [digest(1), digest(2)]
    assert tokens.waiting == 0
    tokens.submit_waiting()
    assert len(log.entries) == 2


def test_what_waits_and_what_was_put_in_survives_a_restart(rounds):
    log = MemoryLog()
    tokens = TokenLog(rounds, log.submit)
    tokens.note([token(1)])
    tokens.submit_waiting()
    tokens.note([token(2)])
    again = TokenLog(rounds, log.submit)
    assert again.waiting == 1
    assert again.only_tokens(0, 1)
    again.submit_waiting()
    assert again.only_tokens(0, 2)


def test_a_log_that_refuses_keeps_them_waiting(rounds):
    def refuse(_digest: bytes) -> int:
        raise OverloadedError("full")

    tokens = TokenLog(rounds, refuse)
    tokens.note([token(1)])
    with pytest.raises(OverloadedError):
        tokens.submit_waiting()
    assert tokens.waiting == 1


@pytest.mark.parametrize("persisted", [False, True])
def test_crash_after_submitting_submits_again_and_gets_the_same_index(rounds, persisted):
    log = MemoryLog()
    faulty = FaultyRounds(rounds, fail_at=1, persisted=persisted, fault=Crash)
    tokens = TokenLog(faulty, log.submit)
    tokens.note([token(1)])
    with pytest.raises(Crash):
        tokens.submit_waiting()
    again = TokenLog(rounds, log.submit)
    again.submit_waiting()
    assert log.entries == [digest(1)]
    assert again.waiting == 0
    assert again.only_tokens(0, 1)


def test_note_that_is_not_stored_raises(rounds):
    tokens = TokenLog(FaultyRounds(rounds, fail_at=0), MemoryLog().submit)
    with pytest.raises(StoreUnavailableError):
        tokens.note([token(1)])
    tokens.note([token(1)])
    assert tokens.waiting == 1


def test_without_a_log_nothing_is_remembered(rounds):
    tokens = TokenLog(rounds, None)
    tokens.note([token(1)])
    assert tokens.waiting == 0


def test_growth_by_tokens_alone_is_told_from_other_growth(rounds):
    log = MemoryLog()
    tokens = TokenLog(rounds, log.submit)
    log.grow(3)
    tokens.note([token(1), token(2)])
    tokens.submit_waiting()  # leaves 3 and 4
    log.grow(1)  # leaf 5
    assert tokens.only_tokens(3, 5)
    assert tokens.only_tokens(4, 5)
    assert not tokens.only_tokens(2, 5)
    assert not tokens.only_tokens(3, 6)
    assert tokens.first_other(0) == 0
    assert tokens.first_other(3) == 5
    assert tokens.first_other(4) == 5
    assert tokens.first_other(6) == 6
