from __future__ import annotations

import json

import pytest

from anchor import errors
from anchor.errors import VestigeError
from anchor_api.problems import PROBLEM_TABLE, refusal, row_of
from tests.docs.errors_page import every_class

CLASSES = every_class()


def test_the_walk_finds_the_known_ones():
    assert {VestigeError, errors.ReorgError, errors.QuotaExceededError} <= set(CLASSES)
    assert len(CLASSES) > 30


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_error_class_has_a_row_of_its_family(kind):
    row = row_of(kind)
    assert 400 <= row.status < 600
    assert row.title
    if kind is not VestigeError:
        # The root's row is for what nobody thought of; every family has its own.
        assert row is not PROBLEM_TABLE[VestigeError]


def test_every_row_is_of_a_class_that_there_is():
    assert set(PROBLEM_TABLE) <= set(CLASSES)


def test_a_problem_has_its_fields():
    answer = refusal(errors.UsageError("got 3, wanted 2", code="usage.three", hint="send two"))
    assert answer.status == 400
    assert dict(answer.headers)[b"content-type"] == b"application/problem+json"
    assert json.loads(answer.body) == {
        "type": "urn:vestige:problem:usage.three",
        "title": "a request that cannot be served",
        "status": 400,
        "detail": "got 3, wanted 2",
        "code": "usage.three",
        "hint": "send two",
    }


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("password hunter2"),
        KeyError("hunter2"),
        errors.ConfigError("evm.private_key: hunter2", hint="hunter2"),
        errors.StoreError("cannot write to /srv/hunter2/log"),
        errors.StoreUnavailableError("cannot write to /srv/hunter2: disk full"),
        errors.SchemaVersionError("/srv/hunter2"),
    ],
)
def test_nothing_of_the_inside_leaves(error):
    answer = refusal(error)
    assert answer.status >= 500
    assert b"hunter2" not in answer.body


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (errors.OverloadedError, 503),
        (errors.StoreUnavailableError, 503),
        (errors.QuotaExceededError, 429),
        (errors.IncompleteProofError, 409),
        (errors.BackendUnavailableError, 503),
    ],
)
def test_what_may_succeed_later_says_when(kind, status):
    answer = refusal(kind("later"))
    assert answer.status == status
    assert int(dict(answer.headers)[b"retry-after"]) >= 1


def test_the_wait_of_a_quota_is_its_own():
    error = errors.QuotaExceededError("used up")
    error.retry_after_s = 1234.2
    assert dict(refusal(error).headers)[b"retry-after"] == b"1234"
