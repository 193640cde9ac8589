from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from opentimestamps.core.notary import PendingAttestation
from opentimestamps.core.serialize import BytesDeserializationContext
from opentimestamps.core.timestamp import DetachedTimestampFile

from anchor.formats.checkpoint import parse_checkpoint
from anchor.formats.encoding import parse_json, utc_text
from anchor.formats.merkle import leaf_hash, verify_inclusion
from anchor.formats.note import parse_note, verify_note
from anchor.formats.tlog_proof import parse_tlog_proof
from anchor.proof.codec import parse_proof
from anchor.verify import Judge
from tests.unit.api.conftest import problem

PROOF = "application/vnd.vestige.proof+json"
RECEIPT = "text/x-tlog-proof"
OTS = "application/vnd.opentimestamps.ots"


def digest(number):
    return hashlib.sha256(str(number).encode()).digest()


def path(number, rest=""):
    return f"/v1/digests/{digest(number).hex()}{rest}"


# -- standing --------------------------------------------------------------------------------------


def test_a_digest_that_is_not_there(untouched):
    problem(untouched.get(path(1)), 404, "not_found.digest")
    problem(untouched.get(path(1, "/proof")), 404, "not_found.digest")


@pytest.mark.parametrize("text", ["00", "00" * 31, "g" * 64, "00" * 33, "%00" * 32, "..%2f.."])
def test_what_is_no_digest(untouched, text):
    for rest in ("", "/proof"):
        response = untouched.get(f"/v1/digests/{text}{rest}")
        assert response.status_code in (400, 404)
        assert response.headers["content-type"] == "application/problem+json"


def test_upper_case_is_refused(client):
    client.submit(digest(1))
    problem(client.get(path(1).upper().replace("/V1/DIGESTS", "/v1/digests")), 400,
            "format.non_canonical")  # fmt: skip


def test_a_standing_is_private_and_has_no_fractions(anchored):
    anchored.client.submit(digest(1))
    response = anchored.client.get(path(1))
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-robots-tag"] == "noindex"
    value = parse_json(response.content, max_bytes=1 << 20, what="standing")
    assert value["digest"] == digest(1).hex()
    assert value["leaf_index"] == 0
    assert "verdict" not in value
    assert {anchor["backend"].partition(":")[0] for anchor in value["anchors"]} == {
        "rfc3161",
        "calendar",
    }


def test_it_goes_from_accepted_to_final(anchored):
    anchored.client.submit(digest(1))
    anchored.wait_final(1, "rfc3161:local")
    anchored.wait_pending(1)
    states = {a["backend"]: a["phase"] for a in anchored.client.get(path(1)).json()["anchors"]}
    assert states["rfc3161:local"] == "final"
    assert anchored.client.get(path(1)).json()["state"] == "anchored"
    anchored.calendar.mine()
    anchored.calendar.chain.mine(7)
    anchored.wait_final(1)
    assert anchored.client.get(path(1)).json()["state"] == "final"


@pytest.mark.parametrize(("days", "answer"), [(1, "yes"), (-1, "no")])
def test_before_gives_the_verdict(anchored, days, answer):
    anchored.client.submit(digest(1))
    anchored.wait_final(1, "rfc3161:local")
    before = datetime.now(UTC).replace(microsecond=0) + timedelta(days=days)
    response = anchored.client.get(path(1), params={"before": utc_text(before)})
    verdict = parse_json(response.content, max_bytes=1 << 20, what="standing")["verdict"]
    assert verdict["status"] == "verified"
    assert verdict["policy"]["class"] == "test"
    # A calendar's promise may still show more, never an earlier time than a day ago.
    assert verdict["answer"] in (answer, "unknown")
    assert (verdict["answer"] == "yes") == (answer == "yes")


@pytest.mark.parametrize("before", ["", "yesterday", "2026-01-01", "2026-01-01T00:00:00+00:00"])
def test_before_must_be_utc(client, before):
    client.submit(digest(1))
    problem(client.get(path(1), params={"before": before}), 400, "format.time")


# -- the proof in three forms ----------------------------------------------------------------------


def test_the_proof_verifies_without_the_service(anchored):
    anchored.client.submit(*(digest(n) for n in range(5)))
    anchored.wait_final(5, "rfc3161:local")
    response = anchored.client.get(path(3, "/proof"))
    assert response.headers["content-type"] == PROOF
    assert response.headers["vary"] == "Accept"
    assert response.headers["content-disposition"].endswith('.proof"')
    proof = parse_proof(response.content)
    judge = Judge(anchored.service.policy, now=datetime.now(UTC))
    verdict = judge.verify_proof(proof)
    assert verdict.status == "verified"
    assert verdict.digest == digest(3)


def test_the_receipt_leads_to_the_signed_checkpoint(client, service):
    client.submit(*(digest(n) for n in range(5)))
    response = client.get(path(3, "/proof"), headers={"accept": RECEIPT})
    assert response.headers["content-type"] == RECEIPT
    receipt = parse_tlog_proof(response.content)
    note = parse_note(receipt.checkpoint)
    verify_note(note, service.signer.note_key)
    checkpoint = parse_checkpoint(note.text)
    verify_inclusion(
        leaf_hash(digest(3)),
        receipt.leaf_index,
        checkpoint.tree_size,
        receipt.hashes,
        checkpoint.root_hash,
    )
    assert receipt.leaf_index == 3


def test_the_ots_file_is_one_that_the_reference_library_reads(anchored):
    anchored.client.submit(*(digest(n) for n in range(5)))
    anchored.wait_pending(5)
    response = anchored.client.get(path(3, "/proof"), headers={"accept": OTS})
    assert response.headers["content-type"] == OTS
    detached = DetachedTimestampFile.deserialize(BytesDeserializationContext(response.content))
    assert detached.file_digest == digest(3)
    found = [a for _, a in detached.timestamp.all_attestations()]
    assert PendingAttestation(anchored.calendar.url) in found


def test_an_ots_file_before_any_calendar_answered(client):
    client.submit(digest(1))
    response = client.get(path(1, "/proof"), headers={"accept": OTS})
    problem(response, 409, "ots.no_attestation")
    assert "retry-after" in response.headers


def test_a_form_that_there_is_not(client):
    client.submit(digest(1))
    response = client.get(path(1, "/proof"), headers={"accept": "application/pdf"})
    problem(response, 406, "http.not_acceptable")


def test_proofs_of_many_digests_at_once(client):
    wanted = [digest(n) for n in range(40)]
    client.submit(*wanted)
    answers = client.gather([("GET", f"/v1/digests/{d.hex()}/proof", {}) for d in wanted])
    assert [parse_proof(a.content).digest for a in answers] == wanted
