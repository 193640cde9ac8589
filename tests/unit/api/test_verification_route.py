from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import json
import zipfile
from datetime import UTC, datetime, timedelta

import pytest

from anchor.exhibit.contents import read_contents
from anchor.exhibit.judge import judge_exhibit
from anchor.exhibit.verdict import exhibit_to_json
from anchor.exhibit.zip_container import ZipContainer
from anchor.formats.encoding import parse_json, utc_text
from anchor.proof.codec import parse_proof
from anchor.proof.policy import parse_policy
from anchor.verify import Judge
from anchor.verify.report import verdict_to_json
from anchor_api import verification
from anchor_api.app import create_app
from anchor_api.verification import Verification
from tests import exhibits
from tests.unit.api.conftest import POLICY, Client, problem, running

RAW = {"content-type": "application/octet-stream"}
DIGEST = hashlib.sha256(b"a file").digest()
PATH = f"/v1/digests/{DIGEST.hex()}/proof"


@pytest.fixture
def proof(anchored):
    anchored.client.submit(DIGEST)
    anchored.wait_final(1, "rfc3161:local")
    return anchored.client.get(PATH).content


def verify(client, data, **params):
    response = client.post("/v1/verify", content=data, headers=RAW, params=params)
    assert response.status_code == 200, response.text
    return parse_json(response.content, max_bytes=1 << 20, what="verdict")


def test_the_verdict_is_that_of_the_kernel(anchored, proof):
    verdict = verify(anchored.client, proof, file_digest=DIGEST.hex())
    judge = Judge(anchored.service.policy, now=datetime.now(UTC))
    wanted = verdict_to_json(judge.verify_proof(parse_proof(proof), file_digest=DIGEST))
    assert verdict == json.loads(json.dumps(wanted))
    assert verdict["status"] == "verified"
    assert verdict["file"] == "verified"
    assert "steps" not in verdict


def test_another_file_fails(anchored, proof):
    verdict = verify(anchored.client, proof, file_digest="00" * 32)
    assert (verdict["status"], verdict["exit_status"]) == ("failed", 1)


def test_steps_on_demand(anchored, proof):
    steps = verify(anchored.client, proof, steps="true", file_digest=DIGEST.hex())["steps"]
    assert any(DIGEST.hex() in line for step in steps for line in step["lines"])


def test_before(anchored, proof):
    later = utc_text((datetime.now(UTC) + timedelta(days=1)).replace(microsecond=0))
    assert verify(anchored.client, proof, before=later)["answer"] == "yes"
    earlier = verify(anchored.client, proof, before="2020-01-01T00:00:00Z")
    assert earlier["answer"] != "yes"


def test_a_flipped_bit_is_not_verified(anchored, proof):
    value = json.loads(proof)
    for row in value["attestations"]:
        if row["kind"] == "rfc3161":
            token = bytearray(base64.b64decode(row["token"]))
            # The signature stands at the end.
            token[-5] ^= 1
            row["token"] = base64.b64encode(token).decode()
    verdict = verify(anchored.client, json.dumps(value).encode())
    assert verdict["status"] == "failed"
    assert verdict["existed_before"]["headline"] is None


def test_an_ots_file(anchored):
    anchored.client.submit(DIGEST)
    anchored.wait_pending(1)
    accept = {"accept": "application/vnd.opentimestamps.ots"}
    data = anchored.client.get(PATH, headers=accept).content
    verdict = verify(anchored.client, data, file_digest=DIGEST.hex())
    assert (verdict["status"], verdict["file"]) == ("pending", "verified")


def test_nothing_that_is_sent_is_kept(untouched):
    untouched.post("/v1/verify", content=b'{"version": 1}', headers=RAW)


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (b"", 400, "format.json"),
        (b"{}", 400, None),
        (b"[]", 400, None),
        (b"\xff\xfe", 400, "format.utf8"),
        (b'{"version": 2}', 415, "format.unsupported_version"),
        (b"[" * 10_000, 413, "format.json.depth"),
        (b'{"a":' * 10_000, 413, "format.json.depth"),
        (b"PK\x03\x04zip", 400, "exhibit.zip"),
        (bytes.fromhex("004f70656e54696d657374616d7073"), 400, None),
        (b" " * (9 << 20), 413, "format.limit_exceeded"),
    ],
)
def test_what_is_no_evidence(untouched, data, status, code):
    response = untouched.post("/v1/verify", content=data, headers=RAW)
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    if code is not None:
        assert response.json()["code"] == code


def test_a_body_over_the_limit(untouched):
    data = b" " * ((16 << 20) + 1)
    problem(untouched.post("/v1/verify", content=data, headers=RAW), 413, "http.body.too_large")


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"before": "now"}, "format.time"),
        ({"file_digest": "xyz"}, "format.hex"),
        ({"file_digest": "AB" * 32}, "format.non_canonical"),
        ({"file_digest": "00" * 65}, "format.limit_exceeded"),
        ({"steps": "perhaps"}, "usage.parameter"),
    ],
)
def test_parameters_that_are_not_taken(untouched, params, code):
    response = untouched.post("/v1/verify", content=b"{}", headers=RAW, params=params)
    assert response.status_code in (400, 413)
    assert response.json()["code"] == code


def test_more_than_can_wait_are_refused():
    async def ask():
        verification = Verification(POLICY, 1)
        await verification._slots.acquire()
        waiting = [
            asyncio.create_task(
                verification.judge_bytes(b"{}", file_digest=None, before=None, steps=False)
            )
            for _ in range(12)
        ]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        refused = [task for task in waiting if task.done()]
        codes = {task.exception().code for task in refused}
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        return len(refused), codes

    assert asyncio.run(ask()) == (3, {"overloaded"})


def test_verifications_count_as_requests(changed):
    with running(changed(requests_per_s=0.1)) as service:
        stranger = Client(create_app(service), peer="192.0.2.1")
        assert stranger.post("/v1/verify", content=b"{}", headers=RAW).status_code == 400
        problem(stranger.post("/v1/verify", content=b"{}", headers=RAW), 429, "overloaded.quota")


# -- exhibits --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def exhibit(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exhibit")
    case = exhibits.make_vault(folder, 1)
    made, _ = exhibits.export(case, folder / "out")
    return case, made.path.read_bytes()


@pytest.fixture
def believing(exhibit, settings):
    """A service under the policy that the exhibit verifies under."""
    with running(settings, policy=parse_policy(exhibit[0].policy_bytes)) as service:
        yield Client(create_app(service))


def test_the_verdict_on_an_exhibit_is_that_of_the_command(exhibit, believing):
    case, data = exhibit
    verdict = verify(believing, data)
    assert (verdict["status"], verdict["exit_status"]) == ("verified", 0), verdict["reason"]
    contents = read_contents(ZipContainer(io.BytesIO(data)))
    judge = Judge(parse_policy(case.policy_bytes), now=datetime.now(UTC))
    wanted = exhibit_to_json(judge_exhibit(contents, lambda _items: judge))
    assert verdict == json.loads(json.dumps(wanted))


def test_a_flipped_bit_of_an_exhibit_is_named(exhibit, believing):
    data = bytearray(exhibit[1])
    data[data.index(b"What this is")] ^= 1
    verdict = verify(believing, bytes(data))
    assert verdict["exit_status"] == 1
    assert verdict["findings"][0]["path"] == "data/README.txt"


def test_an_exhibit_before_a_time_and_with_steps(exhibit, believing):
    verdict = verify(believing, exhibit[1], before="2020-01-01T00:00:00Z", steps="true")
    assert verdict["exit_status"] == 6
    assert verdict["records"]["records"][0]["steps"]


def test_an_exhibit_that_would_grow(untouched):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        entry = zipfile.ZipInfo("x.exhibit/data/files/a")
        entry.external_attr = 0o100644 << 16
        entry.compress_type = zipfile.ZIP_DEFLATED
        file.writestr(entry, bytes(65 << 20))
    response = untouched.post("/v1/verify", content=out.getvalue(), headers=RAW)
    problem(response, 400, "exhibit.method")


def test_an_exhibit_whose_proofs_ask_for_too_much_work(exhibit, believing, monkeypatch):
    monkeypatch.setattr(verification, "MAX_EXHIBIT_SERVICE_UNITS", 10_000)
    response = believing.post("/v1/verify", content=exhibit[1], headers=RAW)
    problem(response, 413, "exhibit.work")


def test_a_file_digest_with_an_exhibit(exhibit, believing):
    params = {"file_digest": "00" * 32}
    response = believing.post("/v1/verify", content=exhibit[1], headers=RAW, params=params)
    problem(response, 400, "usage.file_digest")
