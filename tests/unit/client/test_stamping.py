"""Stamping: openings, receipts that are verified, proofs kept, failures that stay alone."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from anchor.client import stamping
from anchor.client.file_selection import select_files
from anchor.client.known_logs import KnownLogs
from anchor.client.service_client import ServiceClient
from anchor.client.stamping import Stampable, Stamped, Stamper
from anchor.errors import (
    BackendProtocolError,
    ConsistencyError,
    InclusionError,
    NotFoundError,
    SignatureError,
    StoreConflictError,
    StoreError,
    VestigeError,
)
from anchor.proof.codec import parse_proof
from anchor.proof.proof import ExpectedAttestation
from anchor.verify.judge import verify_proof
from tests.evidence import NOW, Log, Signer, digest_of, policy
from tests.fakes.vestige_service import FakeVestige, problem


class Desk:
    """One machine with a state folder, in front of one service."""

    def __init__(self, folder: Path, fake: FakeVestige | None = None) -> None:
        self.folder = folder / "files"
        self.folder.mkdir()
        self.fake = fake or FakeVestige()
        self.logs = KnownLogs(folder / "state", policy())

    def file(self, name: str, text: str = "") -> Path:
        path = self.folder / name
        path.write_text(text or name)
        return path

    def stamp(self, *paths: Path, **options) -> list[Stamped]:
        client = ServiceClient(
            "http://service.example", transport=self.fake.transport(), sleep=lambda _: None
        )
        stamper = Stamper(client, self.logs, **options)
        read: list[None] = []
        selected = select_files(str(path) for path in paths)
        results = list(stamper.stamp_files(selected, done=lambda: read.append(None)))
        assert len(read) == len(results)
        return results


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def test_entry_is_the_salted_digest_and_the_proof_leads_to_the_signed_root(desk):
    path = desk.file("cat.png", "a cat")
    (result,) = desk.stamp(path)
    proof = parse_proof((desk.folder / "cat.png.proof").read_bytes())
    assert proof == result.proof
    assert len(proof.opening) == 16
    assert proof.digest == sha256(sha256(b"a cat") + proof.opening)
    assert desk.fake.log.digests == [proof.digest]
    signer = desk.fake.log.signer
    trusted = policy(logs=[{"origin": signer.name, "key": signer.key.text}])
    verdict = verify_proof(proof, trusted, now=NOW, file_digest=sha256(b"a cat"))
    assert (verdict.file_status, verdict.log.status) == ("verified", "verified")


def test_equal_files_get_unequal_entries_and_bare_ones_their_own_digest(desk):
    first, second = desk.file("a", "same"), desk.file("b", "same")
    desk.stamp(first, second)
    assert len(set(desk.fake.log.digests)) == 2
    third = desk.file("c", "same")
    (result,) = desk.stamp(third, bare=True)
    assert result.proof.opening is None
    assert desk.fake.log.digests[2] == sha256(b"same")


def test_many_files_go_in_one_request(desk):
    paths = [desk.file(f"{n:04}") for n in range(1200)]
    results = desk.stamp(*paths)
    assert len({r.proof.digest for r in results}) == 1200
    posts = [r for r in desk.fake.requests if r[0] == "POST"]
    assert len(posts) == 1
    assert posts[0][2]["content-type"] == "application/octet-stream"
    tiles = [r[1] for r in desk.fake.requests if "/tile/" in r[1]]
    assert len(tiles) == len(set(tiles)) <= 6


def test_files_past_the_size_of_a_request_go_in_several(desk, monkeypatch):
    monkeypatch.setattr(stamping, "CHUNK_FILES", 4)
    results = desk.stamp(*[desk.file(str(n)) for n in range(10)])
    assert [r.proof.inclusions[0].tree_size for r in results] == [4] * 4 + [8] * 4 + [10] * 2
    assert sum(r[0] == "POST" for r in desk.fake.requests) == 3


def test_stamping_again_keeps_what_is_there_and_asks_nobody(desk):
    path = desk.file("cat.png")
    desk.stamp(path)
    before = (desk.folder / "cat.png.proof").read_bytes()
    desk.fake.requests.clear()
    (result,) = desk.stamp(path)
    assert (result.kept, desk.fake.requests) == (True, [])
    assert (desk.folder / "cat.png.proof").read_bytes() == before


@pytest.mark.parametrize("present", [None, b"{", b"\x00" * 40])
def test_proof_of_another_content_is_never_overwritten_unless_forced(desk, present):
    path = desk.file("cat.png", "old")
    if present is None:
        desk.stamp(path)
        desk.file("cat.png", "new")
    else:
        (desk.folder / "cat.png.proof").write_bytes(present)
    before = (desk.folder / "cat.png.proof").read_bytes()
    (result,) = desk.stamp(path)
    assert isinstance(result.error, StoreConflictError)
    assert result.error.code == "proof.occupied"
    assert (desk.folder / "cat.png.proof").read_bytes() == before
    (result,) = desk.stamp(path, force=True)
    assert result.error is None
    assert parse_proof((desk.folder / "cat.png.proof").read_bytes()) == result.proof


def test_one_failure_does_not_stop_the_others(desk):
    os.mkfifo(desk.folder / "pipe")
    (desk.folder / "broken").symlink_to("nowhere")
    good = desk.file("good")
    results = desk.stamp(desk.folder / "none", desk.folder / "pipe", good, desk.folder / "broken")
    errors = {r.path.name: r.error and type(r.error) for r in results}
    assert errors == {
        "none": NotFoundError,
        "pipe": StoreError,
        "broken": NotFoundError,
        "good": None,
    }


def test_proof_that_cannot_be_written_is_that_files_failure(desk, monkeypatch):
    real = stamping.write_new

    def write(path, data, **options):
        if path.name == "a.proof":
            raise StoreError("disk full")
        real(path, data, **options)

    monkeypatch.setattr(stamping, "write_new", write)
    results = desk.stamp(desk.file("a"), desk.file("b"))
    assert [r.error is None for r in results] == [False, True]
    assert not (desk.folder / "a.proof").exists()


def test_two_that_stamp_one_file_at_once_lose_nothing(desk):
    path = desk.file("cat.png")
    other: list[Stamped] = []

    def meanwhile(method, *_request):
        if method == "POST" and not other:
            desk.fake.before = lambda *_: None
            other.extend(desk.stamp(path))

    desk.fake.before = meanwhile
    (mine,) = desk.stamp(path)
    (theirs,) = other
    assert theirs.error is None
    assert isinstance(mine.error, StoreConflictError)
    assert mine.error.code == "proof.occupied"
    assert "another command" in mine.error.message
    assert parse_proof(mine.proof_path.read_bytes()) == theirs.proof
    (again,) = desk.stamp(path)
    assert again.kept


def test_a_forced_stamp_does_not_write_through_a_link_that_leaves_the_folder(desk, tmp_path):
    path = desk.file("cat.png")
    outside = tmp_path / "theirs.proof"
    outside.write_text("theirs")
    (desk.folder / "cat.png.proof").symlink_to(outside)
    (result,) = desk.stamp(path, force=True)
    assert result.error.code == "file.link"
    assert outside.read_text() == "theirs"


def test_what_an_upgrade_kept_is_not_stamped(desk):
    for name in ("cat.png", "cat.png.proof.bak"):
        desk.file(name)
    assert [path.name for path, _ in select_files([str(desk.folder)])] == ["cat.png"]


def test_given_digest_is_submitted_as_it_is(desk):
    digest = digest_of("a record")
    client = ServiceClient("http://service.example", transport=desk.fake.transport())
    item = Stampable(None, desk.folder / "record.proof", digest, None)
    (result,) = Stamper(client, desk.logs).submit([item])
    assert (result.proof.digest, result.proof.opening, result.created) == (digest, None, True)


def test_proof_shows_what_is_expected_and_goes_without_where_nobody_says(desk):
    desk.fake.expected = [ExpectedAttestation("evm", "evm:1", None, "in an hour")]
    (result,) = desk.stamp(desk.file("a"))
    assert result.proof.attestations == tuple(desk.fake.expected)
    verdict = verify_proof(result.proof, policy(), now=NOW)
    assert verdict.exit_status == 3
    desk.fake.before = lambda _m, path, *_: (
        problem(404, "not_found") if path.endswith("/proof") else None
    )
    (result,) = desk.stamp(desk.file("b"))
    assert (result.error, result.proof.attestations) == (None, ())


# -- services that lie -----------------------------------------------------------------------------


def assert_nothing_written(desk: Desk, path: Path, kind: type[VestigeError]) -> VestigeError:
    with pytest.raises(kind) as raised:
        desk.stamp(path)
    assert not path.with_name(path.name + ".proof").exists()
    return raised.value


def test_receipt_under_a_checkpoint_that_its_key_did_not_sign_is_not_written(desk):
    other = Log(Signer(desk.fake.log.signer.name, seed=b"\x08" * 32))

    def forged(size: int) -> str:
        other.digests = desk.fake.log.digests
        return other.checkpoint(size)

    desk.fake.checkpoint = forged
    assert_nothing_written(desk, desk.file("cat"), SignatureError)


def test_receipt_whose_checkpoint_holds_another_root_is_not_written(desk):
    desk.fake.checkpoint = lambda size: desk.fake.log.checkpoint(size, digest_of("another root"))
    assert_nothing_written(desk, desk.file("cat"), InclusionError)


def test_receipt_for_a_place_that_the_digest_does_not_have_is_not_written(desk):
    desk.fake.log.add(digest_of("earlier"))
    real = desk.fake._submit

    def elsewhere(headers, body):
        status, head, data = real(headers, body)
        return status, head, data.replace(b'"leaf_index": 1', b'"leaf_index": 0')

    desk.fake._submit = elsewhere
    assert_nothing_written(desk, desk.file("cat"), InclusionError)


def test_receipt_for_a_place_past_the_tree_is_not_written(desk):
    real = desk.fake._submit

    def past(headers, body):
        status, head, data = real(headers, body)
        return status, head, data.replace(b'"leaf_index": 0', b'"leaf_index": 5')

    desk.fake._submit = past
    assert_nothing_written(desk, desk.file("cat"), InclusionError)


def test_log_that_shows_another_history_is_refused_and_both_are_kept(desk, tmp_path):
    desk.stamp(desk.file("a"), desk.file("b"))
    desk.fake.log.digests[0] = digest_of("rewritten")
    error = assert_nothing_written(desk, desk.file("c"), ConsistencyError)
    assert error.code == "log.inconsistent"
    assert len(list((tmp_path / "state").rglob("*.checkpoint"))) == 2


def test_service_that_does_not_say_its_key_is_no_service(desk):
    desk.fake.before = lambda _m, path, *_: (
        (200, {}, b'{"log": null}') if path == "/v1/status" else None
    )
    assert_nothing_written(desk, desk.file("cat"), BackendProtocolError)
