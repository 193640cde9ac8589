from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from anchor.backends.bitcoin_headers import EsploraHeaders
from anchor.backends.calendar import CalendarBackend, CalendarSettings
from anchor.errors import (
    BackendRejectedError,
    BackendUnavailableError,
    ConfigError,
)
from anchor.formats.bitcoin import parse_header, verify_header_chain
from anchor.formats.ots.attestation import BitcoinAttestation, PendingAttestation
from anchor.formats.ots.codec import parse_tree
from anchor.ports import Attempt, Phase, Round
from tests.fakes.bitcoin_chain import FakeChain, mine_header
from tests.fakes.calendar import FakeCalendar, nested_answer, sha1_answer

START = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
ROUND = Round(tree_size=7, root_hash=bytes(range(32)), checkpoint="", created_at=START)


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **delta: float) -> None:
        self.now += timedelta(**delta)


@pytest.fixture
def calendar() -> Iterator[FakeCalendar]:
    with FakeCalendar() as fake:
        yield fake


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def backend(calendar: FakeCalendar, clock: Clock) -> Iterator[CalendarBackend]:
    yield from _backend(calendar, clock)


def _backend(calendar: FakeCalendar, clock: Clock, **changes) -> Iterator[CalendarBackend]:
    source = EsploraHeaders(f"{calendar.url}/esplora", timeout_s=5)
    settings = replace(CalendarSettings(calendar.url, timeout_s=0.3, min_header_work=0), **changes)
    made = CalendarBackend(settings, source, now=clock)
    yield made
    made.close()
    source.close()


def step(backend: CalendarBackend, attempt: Attempt, round_: Round = ROUND) -> Attempt:
    """Advance once, from what a disk would have kept."""
    kept = replace(
        attempt,
        data=json.loads(json.dumps(attempt.data)),
        attestations=tuple(json.loads(json.dumps(a)) for a in attempt.attestations),
    )
    return backend.advance(round_, kept)


def tree_of(attempt: Attempt, root_hash: bytes = ROUND.root_hash):
    (attestation,) = attempt.attestations
    return parse_tree(base64.b64decode(attestation["tree"]), root_hash)


def kinds(attempt: Attempt) -> set:
    return {type(path.attestation) for path in tree_of(attempt).paths()}


# -- the usual way ---------------------------------------------------------------------------------


def test_from_scheduled_to_final(calendar, backend, clock) -> None:
    assert backend.name == "calendar:" + calendar.url.removeprefix("http://")
    assert backend.family == "bitcoin"

    pending = step(backend, Attempt())
    assert pending.phase is Phase.PENDING
    assert pending.retry_at == START + timedelta(hours=2)
    assert pending.expected_at == START + timedelta(hours=12)
    assert pending.attestations[0] == {
        "kind": "opentimestamps",
        "root_hash": ROUND.root_hash.hex(),
        "calendar": calendar.url,
        "tree": pending.attestations[0]["tree"],
        "headers": [],
    }
    (promise,) = tree_of(pending).paths()
    assert promise.attestation == PendingAttestation(calendar.url)
    assert len(promise.message) == 44
    assert calendar.requests == [f"POST /digest {ROUND.root_hash.hex()}"]

    clock.forward(hours=2)
    waiting = step(backend, pending)
    assert waiting.phase is Phase.PENDING
    assert waiting.note == "Pending confirmation in Bitcoin blockchain"
    assert timedelta(minutes=30) <= waiting.retry_at - clock.now <= timedelta(minutes=60)
    assert waiting.attestations == pending.attestations
    assert calendar.requests[-1] == f"GET /timestamp/{promise.message.hex()}"
    assert backend.health().ok

    height = calendar.mine()
    calendar.chain.mine(2)
    confirmed = step(backend, waiting)
    assert confirmed.phase is Phase.CONFIRMED
    assert confirmed.note == f"in Bitcoin block {height}, 2 of 6 blocks after it"
    assert confirmed.attestations == pending.attestations

    calendar.chain.mine(3)
    assert step(backend, confirmed).phase is Phase.CONFIRMED
    calendar.chain.mine(2)
    final = step(backend, confirmed)
    assert final.phase is Phase.FINAL
    assert final.retry_at is None
    assert kinds(final) == {PendingAttestation, BitcoinAttestation}
    ((run,),) = (a["headers"] for a in final.attestations)
    assert run["height"] == height
    headers = [parse_header(bytes.fromhex(raw)) for raw in run["headers"]]
    assert [h.raw for h in headers] == calendar.chain.headers[height : height + 7]
    verify_header_chain(headers)
    (path,) = (p for p in tree_of(final).paths() if p.attestation == BitcoinAttestation(height))
    assert path.message == headers[0].merkle_root

    asked = len(calendar.requests)
    assert backend.advance(ROUND, final) == final
    assert len(calendar.requests) == asked


def test_a_block_deep_enough_at_once_is_final_at_once(calendar, backend) -> None:
    pending = step(backend, Attempt())
    calendar.mine()
    calendar.chain.mine(20)
    final = step(backend, pending)
    assert final.phase is Phase.FINAL
    assert len(final.attestations[0]["headers"][0]["headers"]) == 7


def test_two_rounds_in_one_aggregation_have_their_own_trees(calendar, backend) -> None:
    other = replace(ROUND, tree_size=8, root_hash=bytes(32))
    one, two = step(backend, Attempt()), step(backend, Attempt(), other)
    calendar.mine()
    calendar.chain.mine(6)
    assert tree_of(step(backend, one)).message == ROUND.root_hash
    assert tree_of(step(backend, two, other), bytes(32)).message == bytes(32)


def test_the_final_attestation_is_one_that_the_proof_file_takes(calendar, backend) -> None:
    from anchor.proof.codec import parse_proof

    pending = step(backend, Attempt())
    calendar.mine()
    calendar.chain.mine(6)
    final = step(backend, pending)
    for attempt in (pending, final):
        proof = {
            "version": 1,
            "digest": "00" * 32,
            "opening": None,
            "inclusions": [
                {"leaf_index": 0, "tree_size": 1, "hashes": [], "checkpoint": None},
            ],
            "attestations": list(attempt.attestations),
        }
        read = parse_proof(json.dumps(proof).encode())
        assert read.attestations[0].calendar == calendar.url
        assert read.attestations[0].root_hash == ROUND.root_hash


def test_submitting_again_after_a_crash_is_harmless(calendar, backend) -> None:
    step(backend, Attempt())
    again = step(backend, Attempt())
    calendar.mine()
    calendar.chain.mine(6)
    assert step(backend, again).phase is Phase.FINAL


# -- a calendar that does not do its part ----------------------------------------------------------


def test_silence_is_unavailable(calendar, backend) -> None:
    calendar.faults.silent = True
    with pytest.raises(BackendUnavailableError):
        step(backend, Attempt())
    assert not backend.health().ok
    calendar.faults.silent = False
    pending = step(backend, Attempt())
    assert backend.health().ok
    calendar.faults.silent = True
    with pytest.raises(BackendUnavailableError):
        step(backend, pending)


def test_a_byte_at_a_time_ends_too(calendar, backend) -> None:
    calendar.faults.drip = True
    with pytest.raises(BackendUnavailableError) as caught:
        step(backend, Attempt())
    assert caught.value.code == "backend.unavailable.slow"


def test_nobody_there(calendar, clock) -> None:
    with FakeCalendar() as gone:
        pass
    for backend in _backend(gone, clock):
        with pytest.raises(BackendUnavailableError):
            step(backend, Attempt())


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
def test_busy_is_unavailable_and_its_text_is_cleaned(calendar, backend, status) -> None:
    calendar.faults.status = status
    with pytest.raises(BackendUnavailableError, match=rf"{status}: \?\[31mgo away") as caught:
        step(backend, Attempt())
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "error"), [(400, BackendRejectedError), (301, BackendRejectedError)]
)
def test_refusal_is_visible_tried_again_and_fails_in_the_end(
    calendar, backend, clock, status, error
) -> None:
    calendar.faults.status = status
    attempt = Attempt()
    for _ in range(12):
        attempt = step(backend, attempt)
        assert attempt.phase is Phase.SCHEDULED
        assert f"answers {status}" in attempt.note
        assert attempt.retry_at > clock.now
        assert not backend.health().ok
    with pytest.raises(error):
        step(backend, attempt)
    calendar.faults.status = None
    recovered = step(backend, attempt)
    assert recovered.phase is Phase.PENDING
    assert "problem" not in recovered.data


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (bytes(10_001), "more than 10000 bytes"),
        (b"", "sent no tree"),
        (b"<html>502</html>", "sent no tree"),
        (b"\x08" * 9_000, "nested"),
    ],
)
def test_submission_answered_with_something_else(calendar, backend, body, words) -> None:
    calendar.faults.submission = body
    doubted = step(backend, Attempt())
    assert doubted.phase is Phase.SCHEDULED
    assert words in doubted.note
    assert doubted.attestations == ()


def test_ten_thousand_bytes_are_read(calendar, backend) -> None:
    calendar.faults.submission = bytes(10_000)
    assert "sent no tree" in step(backend, Attempt()).note


def test_a_tree_that_fits_into_no_file(calendar, backend) -> None:
    calendar.faults.submission = nested_answer(ROUND.root_hash, 146, calendar.url)
    assert "146 nested operations" in step(backend, Attempt()).note
    calendar.faults.submission = nested_answer(ROUND.root_hash, 145, calendar.url)
    assert step(backend, Attempt()).phase is Phase.PENDING


def test_an_upgrade_that_is_too_deep_together_with_its_promise(calendar, backend) -> None:
    calendar.faults.submission = nested_answer(ROUND.root_hash, 100, calendar.url)
    pending = step(backend, Attempt())
    (path,) = tree_of(pending).paths()
    calendar.faults.upgrade = nested_answer(path.message, 100, calendar.url)
    doubted = step(backend, pending)
    assert "200 nested operations" in doubted.note
    assert doubted.attestations == pending.attestations


def test_sha1_on_the_way_is_refused(calendar, backend) -> None:
    calendar.faults.submission = sha1_answer(ROUND.root_hash, calendar.url)
    assert "SHA-1" in step(backend, Attempt()).note


def test_a_wrong_root_is_seen_kept_out_and_asked_again(calendar, backend, clock) -> None:
    pending = step(backend, Attempt())
    height = calendar.mine()
    calendar.chain.mine(6)
    calendar.faults.wrong_root = True
    doubted = pending
    for times in (1, 2, 3):
        clock.forward(hours=1)
        doubted = step(backend, doubted)
        assert doubted.phase is Phase.PENDING
        assert f"the merkle root of block {height} is" in doubted.note
        assert doubted.attestations == pending.attestations
        assert doubted.data["problems"] == times
        assert doubted.retry_at > clock.now
        assert not backend.health().ok
    calendar.faults.wrong_root = False
    final = step(backend, doubted)
    assert final.phase is Phase.FINAL
    assert backend.health().ok
    assert "problem" not in final.data


@pytest.mark.parametrize("status", [301, 400, 429, 500])
def test_a_question_answered_with_neither_tree_nor_404(calendar, backend, status) -> None:
    pending = step(backend, Attempt())
    calendar.faults.status = status
    with pytest.raises(BackendUnavailableError, match=str(status)):
        step(backend, pending)
    assert not backend.health().ok


def test_an_upgrade_that_is_no_tree(calendar, backend) -> None:
    pending = step(backend, Attempt())
    for body in (b"", bytes(10_001), b"\xff\xff", b"\x00" * 9):
        calendar.faults.upgrade = body
        doubted = step(backend, pending)
        assert doubted.phase is Phase.PENDING
        assert doubted.attestations == pending.attestations
        assert not backend.health().ok


def test_a_block_that_nobody_knows_yet(calendar, backend) -> None:
    pending = step(backend, Attempt())
    (promise,) = tree_of(pending).paths()
    far = bytes.fromhex("0588960d73d71901") + b"\x09" + b"\xff" * 8 + b"\x7f"
    calendar.faults.upgrade = b"\x00" + far
    waiting = step(backend, pending)
    assert waiting.phase is Phase.PENDING
    assert f"is at block {calendar.chain.height}, block {2**63 - 1} is named" in waiting.note
    assert waiting.attestations == pending.attestations
    assert promise.attestation == PendingAttestation(calendar.url)


def test_asked_in_vain_for_too_long(calendar, backend, clock) -> None:
    pending = step(backend, Attempt())
    clock.forward(days=60, seconds=1)
    failed = step(backend, pending)
    assert failed.phase is Phase.FAILED
    assert "60 days" in failed.note
    assert failed.attestations == pending.attestations


# -- addresses inside evidence ---------------------------------------------------------------------


def test_an_address_in_the_answer_is_not_asked(calendar, backend) -> None:
    with FakeCalendar() as stranger:
        calendar.faults.named_uri = stranger.url
        doubted = step(backend, Attempt())
        assert doubted.phase is Phase.SCHEDULED
        assert "promises nothing that may be asked for" in doubted.note
        assert stranger.url in doubted.note
        assert stranger.requests == []


def test_a_second_address_in_an_upgrade_is_not_asked(calendar, backend) -> None:
    with FakeCalendar() as stranger:
        pending = step(backend, Attempt())
        (path,) = tree_of(pending).paths()
        calendar.faults.upgrade = nested_answer(path.message, 1, stranger.url)
        after = step(backend, pending)
        assert step(backend, after).phase is Phase.PENDING
        assert stranger.requests == []


def test_an_allowed_address_is_asked_there(calendar, clock) -> None:
    with FakeCalendar(calendar.chain) as pool:
        pool.faults.named_uri = calendar.url
        (backend,) = _backend_list(pool, clock, allowed_uris=(calendar.url,))
        pending = step(backend, Attempt())
        assert pending.phase is Phase.PENDING
        step(backend, pending)
        assert [r for r in pool.requests if r.startswith("GET /timestamp")] == []
        assert [r for r in calendar.requests if r.startswith("GET /timestamp")] != []
        backend.close()


def _backend_list(calendar, clock, **changes) -> list[CalendarBackend]:
    source = EsploraHeaders(f"{calendar.url}/esplora", timeout_s=5)
    settings = replace(CalendarSettings(calendar.url, timeout_s=1, min_header_work=0), **changes)
    return [CalendarBackend(settings, source, now=clock)]


# -- the chain -------------------------------------------------------------------------------------


def test_reorganised_between_confirmed_and_final(calendar, backend) -> None:
    pending = step(backend, Attempt())
    first = calendar.mine()
    calendar.chain.mine(2)
    confirmed = step(backend, pending)
    assert confirmed.phase is Phase.CONFIRMED

    calendar.reorganise(3)
    back = step(backend, confirmed)
    assert back.phase is Phase.PENDING
    assert back.note.startswith("reorganised away")
    assert back.attestations == pending.attestations
    assert "upgraded" not in back.data
    assert not backend.health().ok

    waiting = step(backend, back)
    assert waiting.note == "Pending confirmation in Bitcoin blockchain"
    second = calendar.mine()
    assert second > first
    calendar.chain.mine(6)
    final = step(backend, waiting)
    assert final.phase is Phase.FINAL
    assert [run["height"] for run in final.attestations[0]["headers"]] == [second]
    assert {p.attestation for p in tree_of(final).paths()} == {
        PendingAttestation(calendar.url),
        BitcoinAttestation(second),
    }


def test_a_source_behind_the_block_does_not_take_it_back(calendar, backend) -> None:
    pending = step(backend, Attempt())
    calendar.mine()
    confirmed = step(backend, pending)
    assert confirmed.phase is Phase.CONFIRMED
    dropped = calendar.chain.headers.pop()
    behind = step(backend, confirmed)
    assert behind.phase is Phase.CONFIRMED
    assert "is at block" in behind.note
    calendar.chain.headers.append(dropped)
    calendar.chain.mine(6)
    assert step(backend, behind).phase is Phase.FINAL


def test_headers_without_links_or_hash_confirm_nothing(calendar, backend) -> None:
    pending = step(backend, Attempt())
    height = calendar.mine()
    calendar.chain.mine(6)
    true = parse_header(calendar.chain.headers[height])
    calendar.faults.header = {height: mine_header(bytes(32), true.merkle_root, true.time)}
    doubted = step(backend, pending)
    assert doubted.phase is Phase.PENDING
    assert "the header given for block" in doubted.note
    calendar.faults.header = {}
    assert step(backend, doubted).phase is Phase.FINAL


def test_a_header_of_regtest_difficulty_confirms_nothing_by_default(calendar, clock) -> None:
    """A forged block over any root costs nothing: the default settings ask for real work."""
    for backend in _backend(calendar, clock, min_header_work=2**72):
        pending = step(backend, Attempt())
        calendar.mine()
        calendar.chain.mine(6)
        doubted = step(backend, pending)
        assert doubted.phase is Phase.PENDING
        assert "cost next to nothing" in doubted.note
        assert doubted.attestations == pending.attestations
    assert CalendarSettings("https://a.example").min_header_work == 2**72


class Source:
    """A header source that answers from a list."""

    name = "list"

    def __init__(self, headers: list[bytes]) -> None:
        self.headers = headers
        self.error: Exception | None = None

    def fetch_tip_height(self) -> int:
        if self.error:
            raise self.error
        return len(self.headers) - 1

    def fetch_headers(self, first_height: int, count: int) -> list[bytes]:
        return self.headers[first_height : first_height + count]


@pytest.mark.parametrize("lie", ["unlinked", "workless", "short", "long"])
def test_what_a_source_says_is_checked_here(calendar, clock, lie) -> None:
    source = Source(calendar.chain.headers)
    settings = CalendarSettings(calendar.url, min_header_work=0)
    backend = CalendarBackend(settings, source, now=clock)
    pending = step(backend, Attempt())
    height = calendar.mine()
    calendar.chain.mine(6)
    headers = list(calendar.chain.headers)
    if lie == "unlinked":
        headers[height + 3] = mine_header(bytes(32), bytes(32), 0)
    elif lie == "workless":
        headers[height + 6] = headers[height + 6][:68] + bytes(4) + headers[height + 6][72:]
        while int.from_bytes(parse_header(headers[-1]).block_hash, "little") <= (0x7FFFFF << 232):
            headers[-1] = headers[-1][:-1] + bytes([headers[-1][-1] + 1])
    elif lie == "short":
        source.fetch_headers = lambda first, count: headers[first : first + count - 1]
    else:
        source.fetch_headers = lambda first, count: [b"", *headers[first : first + count]]
    source.headers = headers
    doubted = step(backend, pending)
    assert doubted.phase is Phase.PENDING
    assert doubted.data["problem"].startswith("list")
    assert doubted.attestations == pending.attestations
    backend.close()


def test_a_node_that_refuses_our_password_fails_no_attempt(calendar, clock) -> None:
    source = Source(calendar.chain.headers)
    settings = CalendarSettings(calendar.url, min_header_work=0)
    backend = CalendarBackend(settings, source, now=clock)
    pending = step(backend, Attempt())
    calendar.mine()
    source.error = BackendRejectedError("wrong password")
    doubted = step(backend, pending)
    assert (doubted.phase, doubted.note) == (Phase.PENDING, "wrong password")
    source.error = None
    confirmed = step(backend, doubted)
    source.error = BackendRejectedError("wrong password")
    assert step(backend, confirmed).phase is Phase.CONFIRMED
    source.error = BackendUnavailableError("away")
    with pytest.raises(BackendUnavailableError):
        step(backend, confirmed)
    backend.close()


def test_a_shallower_depth_may_be_set(calendar, clock) -> None:
    for backend in _backend(calendar, clock, final_depth=1):
        pending = step(backend, Attempt())
        calendar.mine()
        assert step(backend, pending).phase is Phase.CONFIRMED
        calendar.chain.mine()
        final = step(backend, pending)
        assert final.phase is Phase.FINAL
        assert len(final.attestations[0]["headers"][0]["headers"]) == 2


def test_the_same_block_with_two_roots(calendar, backend) -> None:
    pending = step(backend, Attempt())
    height = calendar.mine()
    attested = bytes.fromhex("000588960d73d7190101") + bytes([height])
    calendar.faults.upgrade = b"\xff\x08" + attested + attested
    doubted = step(backend, pending)
    assert "two merkle roots" in doubted.note
    calendar.faults.upgrade = (
        b"".join(b"\xff\xf0\x01" + bytes([n]) + attested[:-1] + bytes([n]) for n in range(9))
        + attested
    )
    assert "too many blocks" in step(backend, pending).note


# -- settings --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "",
        "alice.example",
        "ftp://alice.example",
        "https://alice.example?x",
        "https://u:p@alice.example",
        "https://",
        "https://alice.example:99999",
        "https://alice.example:no",
    ],
)
def test_addresses_that_are_none(url: str) -> None:
    with pytest.raises(ConfigError):
        CalendarBackend(CalendarSettings(url), Source([FakeChain(1).headers[0]]))
