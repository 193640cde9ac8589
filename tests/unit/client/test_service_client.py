"""The client against the interface, and against services that misbehave."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime

import httpx
import pytest

from anchor.client import AsyncServiceClient, ServiceClient
from anchor.errors import (
    BackendProtocolError,
    BackendUnavailableError,
    ConfigError,
    FormatError,
    LimitExceededError,
    NotFoundError,
    OverloadedError,
    StoreConflictError,
    UsageError,
)
from tests.evidence import digest_of
from tests.fakes.vestige_service import FakeVestige, problem

DIGESTS = [digest_of(f"digest {n}") for n in range(5)]


def client_of(fake: FakeVestige, **options) -> tuple[ServiceClient, list[float]]:
    waits: list[float] = []
    client = ServiceClient(
        "http://service.example/", transport=fake.transport(), sleep=waits.append, **options
    )
    return client, waits


@pytest.mark.parametrize("method", ["submit", "submit_many"])
def test_submission_gives_each_digest_its_leaf_and_one_checkpoint(method):
    fake = FakeVestige()
    fake.log.add(DIGESTS[3])
    client, _ = client_of(fake)
    submitted = getattr(client, method)(DIGESTS)
    assert [leaf.leaf_index for leaf in submitted.leaves] == [1, 2, 3, 0, 4]
    assert [leaf.created for leaf in submitted.leaves] == [True, True, True, False, True]
    assert submitted.checkpoint == fake.log.checkpoint(5)


def test_submissions_of_wrong_counts_or_lengths_are_refused_before_they_are_sent():
    fake = FakeVestige()
    client, _ = client_of(fake)
    for wrong in ([], [b"\x00" * 31], [b"\x00" * 32] * 1001):
        with pytest.raises(UsageError) as raised:
            client.submit(wrong)
        assert raised.value.code == "usage.digests"
    assert fake.requests == []


def test_busy_service_is_asked_again_as_late_as_it_says_with_the_same_key():
    fake = FakeVestige()
    answers = [problem(503, "overloaded", retry_after="7"), problem(429, "overloaded.quota")]
    fake.before = lambda *_: answers.pop(0) if answers else None
    client, waits = client_of(fake)
    assert client.submit(DIGESTS[:1]).leaves[0].created
    keys = {headers["idempotency-key"] for _, _, headers, _ in fake.requests}
    assert len(fake.requests) == 3
    assert len(keys) == 1
    assert waits[0] == 7
    assert 0.25 <= waits[1] <= 0.5


def test_two_submissions_have_two_keys():
    fake = FakeVestige()
    client, _ = client_of(fake)
    client.submit(DIGESTS[:1])
    client.submit(DIGESTS[:1])
    assert len({headers["idempotency-key"] for _, _, headers, _ in fake.requests}) == 2


def test_waits_grow_and_end_and_a_long_retry_after_is_cut():
    fake = FakeVestige()
    fake.before = lambda *_: problem(503, "overloaded")
    client, waits = client_of(fake, attempts=8)
    with pytest.raises(BackendUnavailableError) as raised:
        client.fetch_checkpoint()
    assert raised.value.code == "overloaded"
    assert raised.value.hint == "a hint"
    assert len(fake.requests) == 8
    assert len(waits) == 7
    bases = [0.25, 0.5, 1, 2, 4, 8, 8]
    assert all(base / 2 <= wait <= base for wait, base in zip(waits, bases, strict=True))
    fake.before = lambda *_: problem(503, "overloaded", retry_after="86400")
    waits.clear()
    with pytest.raises(BackendUnavailableError):
        client.fetch_checkpoint()
    assert set(waits) == {60}


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "usage.digests", UsageError),
        (400, "format.hex", FormatError),
        (404, "not_found.digest", NotFoundError),
        (409, "store.conflict", StoreConflictError),
        (413, "format.limit_exceeded", LimitExceededError),
    ],
)
def test_refusals_become_our_errors_at_once(status, code, kind):
    fake = FakeVestige()
    fake.before = lambda *_: problem(status, code, "because of \x1b[31m this\u202e")
    client, waits = client_of(fake)
    with pytest.raises(kind) as raised:
        client.submit(DIGESTS)
    assert raised.value.code == code
    assert raised.value.message == "http://service.example: because of ?[31m this?"
    assert waits == []
    assert len(fake.requests) == 1


def test_quota_that_stays_used_up_is_overloaded():
    fake = FakeVestige()
    fake.before = lambda *_: problem(429, "overloaded.quota", "your share")
    client, _ = client_of(fake, attempts=2)
    with pytest.raises(OverloadedError):
        client.fetch_status()


def test_refusal_without_problem_document_names_the_status():
    fake = FakeVestige()
    fake.before = lambda *_: (418, {}, b"<html>")
    client, _ = client_of(fake)
    with pytest.raises(Exception, match="status 418"):
        client.fetch_status()


@pytest.mark.parametrize(
    "answer",
    [
        {"digests": [], "checkpoint": "x"},
        {"digests": [{"digest": "00" * 32, "leaf_index": 0, "created": True}], "checkpoint": "x"},
        {
            "digests": [{"digest": DIGESTS[0].hex(), "leaf_index": -1, "created": True}],
            "checkpoint": "x",
        },
        {
            "digests": [{"digest": DIGESTS[0].hex(), "leaf_index": 0, "created": True}],
            "checkpoint": 3,
        },
        [],
    ],
)
def test_answers_about_something_else_are_a_broken_protocol(answer):
    fake = FakeVestige()
    fake.before = lambda *_: (200, {}, json.dumps(answer).encode())
    client, _ = client_of(fake)
    with pytest.raises(BackendProtocolError):
        client.submit(DIGESTS[:1])


@pytest.mark.parametrize("body", [b"", b"\x00" * 7, b"\xff" * 8, b"\x00" * 16])
def test_compact_answers_of_other_lengths_or_impossible_indices_are_refused(body):
    fake = FakeVestige()
    fake.before = lambda *_: (200, {"vestige-checkpoint": "eA=="}, body)
    client, _ = client_of(fake)
    with pytest.raises(BackendProtocolError):
        client.submit_many(DIGESTS[:1])


def test_compact_answer_without_a_checkpoint_that_is_text_is_refused():
    fake = FakeVestige()
    fake.before = lambda *_: (200, {"vestige-checkpoint": "?"}, b"\x00" * 8)
    client, _ = client_of(fake)
    with pytest.raises(BackendProtocolError):
        client.submit_many(DIGESTS[:1])


def test_answer_past_its_bound_is_not_read():
    fake = FakeVestige()
    fake.before = lambda *_: (200, {}, b"x" * ((64 << 10) + 1))
    client, _ = client_of(fake)
    with pytest.raises(BackendProtocolError) as raised:
        client.fetch_checkpoint()
    assert raised.value.code == "backend.protocol.oversize"


def test_redirects_are_not_followed():
    fake = FakeVestige()
    fake.before = lambda *_: (302, {"location": "http://elsewhere.example/"}, b"")
    client, _ = client_of(fake)
    with pytest.raises(Exception, match="status 302"):
        client.fetch_checkpoint()
    assert len(fake.requests) == 1


def test_unreachable_service_is_unavailable_after_every_attempt():
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("connection refused\x07", request=request)

    waits: list[float] = []
    client = ServiceClient(
        "http://service.example", transport=httpx.MockTransport(refuse), sleep=waits.append
    )
    with pytest.raises(BackendUnavailableError, match=r"refused\?"):
        client.fetch_status()
    assert len(waits) == 4


def test_everything_that_is_known_of_a_digest_can_be_fetched():
    fake = FakeVestige()
    fake.log.add(*DIGESTS)
    client, _ = client_of(fake)
    proof = client.fetch_proof(DIGESTS[2])
    assert (proof.digest, proof.inclusions[0].leaf_index) == (DIGESTS[2], 2)
    assert client.fetch_standing(DIGESTS[2])["state"] == "accepted"
    client.fetch_standing(DIGESTS[2], before=datetime(2026, 11, 23, tzinfo=UTC))
    assert fake.requests[-1][1].endswith("?before=2026-11-23T00:00:00Z")
    assert client.fetch_entries(0, 5) == DIGESTS
    assert client.fetch_log_key() == fake.log.signer.key.text
    with pytest.raises(NotFoundError):
        client.fetch_proof(digest_of("something else"))


def test_address_must_be_one():
    with pytest.raises(ConfigError):
        ServiceClient("service.example")


def test_asynchronous_client_does_the_same():
    fake = FakeVestige()
    answers = [problem(503, "overloaded", retry_after="3")]
    fake.before = lambda *_: answers.pop(0) if answers else None
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    def answer(request: httpx.Request) -> httpx.Response:
        path = request.url.raw_path.decode()
        status, headers, body = fake.handle(
            request.method, path, dict(request.headers), request.read()
        )
        return httpx.Response(status, headers=headers, stream=httpx.ByteStream(body))

    async def work() -> None:
        transport = httpx.MockTransport(answer)
        async with AsyncServiceClient(
            "http://service.example", transport=transport, sleep=sleep
        ) as client:
            assert (await client.submit(DIGESTS)).leaves[4].leaf_index == 4
            assert (await client.submit_many(DIGESTS)).leaves[4].created is False
            assert (await client.fetch_proof(DIGESTS[0])).digest == DIGESTS[0]
            assert (await client.fetch_checkpoint()) == fake.log.checkpoint(5)
            assert len(await client.fetch_tile(0, 0, 5)) == 5
            with pytest.raises(NotFoundError):
                await client.fetch_standing(digest_of("something else"))

    asyncio.run(work())
    assert waits == [3]


def test_both_clients_offer_the_same_calls():
    def calls(kind: type) -> set[str]:
        return {name for name in vars(kind) if not name.startswith("_")}

    assert calls(ServiceClient) == calls(AsyncServiceClient)
