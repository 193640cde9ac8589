from __future__ import annotations

import hashlib

import pytest

from anchor.formats.checkpoint import parse_checkpoint
from anchor.formats.merkle import leaf_hash, root_hash, tree_root
from anchor.formats.note import parse_note, verify_note
from anchor.formats.tiles import (
    entries_path,
    parse_entry_bundle,
    parse_tile,
    tile_path,
    tile_span,
    tile_width,
)
from anchor_api.app import create_app
from tests.unit.api.conftest import Client, problem, running, settings_in

RAW = {"content-type": "application/octet-stream"}


def digests(count):
    return [hashlib.sha256(str(n).encode()).digest() for n in range(count)]


def submit_raw(client, found):
    response = client.post("/v1/digests", content=b"".join(found), headers=RAW)
    assert response.status_code == 200


@pytest.fixture(scope="module")
def of_three(tmp_path_factory):
    """Return the client of a log of three digests, which nobody changes."""
    with running(settings_in(tmp_path_factory.mktemp("three"))) as service:
        client = Client(create_app(service))
        submit_raw(client, digests(3))
        yield client


def test_an_empty_log_has_no_checkpoint(untouched):
    problem(untouched.get("/checkpoint"), 404, "not_found.checkpoint")
    problem(untouched.get("/tile/0/000.p/1"), 404, "not_found.tile")


def test_the_checkpoint_is_the_signed_note(client, service):
    submit_raw(client, digests(3))
    response = client.get("/checkpoint")
    assert response.headers["content-type"].startswith("text/plain")
    assert "max-age=2" in response.headers["cache-control"]
    note = parse_note(response.content)
    verify_note(note, service.signer.note_key)
    assert response.text == service.store.committed.checkpoint
    assert client.request("HEAD", "/checkpoint").status_code == 200


@pytest.mark.parametrize("count", [1, 2, 255, 256, 257, 1000, 66_000])
def test_tiles_and_entries_rebuild_the_root(client, count):
    found = digests(count)
    submit_raw(client, found)
    checkpoint = parse_checkpoint(parse_note(client.get("/checkpoint").content).text)
    assert checkpoint.tree_size == count
    assert checkpoint.root_hash == root_hash([leaf_hash(d) for d in found])

    tiles = {}

    def read_hash(level, index):
        span = tile_span(level, index)
        key = (span.level, span.index)
        if key not in tiles:
            width = tile_width(span.level, span.index, count)
            response = client.get("/" + tile_path(span.level, span.index, width))
            assert response.headers["content-type"] == "application/octet-stream"
            assert ("immutable" in response.headers["cache-control"]) == (width == 256)
            tiles[key] = parse_tile(response.content, width=width)
        return root_hash(tiles[key][span.first : span.first + span.count])

    assert tree_root(count, read_hash) == checkpoint.root_hash
    served = []
    for index in range(-(-count // 256)):
        width = tile_width(0, index, count)
        if index in (0, count // 256):
            response = client.get("/" + entries_path(index, width))
            served = parse_entry_bundle(response.content, count=width)
            assert served == found[index * 256 : index * 256 + width]


@pytest.mark.parametrize(
    "path",
    [
        "0/001",
        "0/000",
        "0/000.p/4",
        "0/000.p/0",
        "0/000.p/256",
        "0/000.p/03",
        "1/000.p/1",
        "64/000",
        "0/0",
        "0/x000/000",
        "entries/000",
        "entries/001.p/1",
        "data/000",
        "",
        "0/000.p/1/",
        "..%2fcheckpoint",
        "0/" + "x999/" * 20 + "999",
    ],
)
def test_tiles_that_there_are_not(of_three, path):
    response = of_three.get(f"/tile/{path}")
    assert response.status_code == 404
    assert response.json()["code"].startswith("not_found")


def test_a_partial_tile_can_be_asked_for_at_any_width_there_is(client):
    found = digests(10)
    submit_raw(client, found)
    for width in (1, 7, 10):
        data = client.get(f"/tile/0/000.p/{width}").content
        assert parse_tile(data, width=width) == [leaf_hash(d) for d in found[:width]]


def test_cosignatures_are_appended(client, service, monkeypatch):
    from datetime import UTC, datetime

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from anchor.formats.checkpoint import sign_cosignature
    from anchor.formats.note import COSIGNATURE_V1, NoteKey
    from anchor.ports import Attempt, Phase, Round

    submit_raw(client, digests(2))
    tree = service.store.committed
    private = Ed25519PrivateKey.generate()
    key = NoteKey.of("witness.example", COSIGNATURE_V1, private.public_key().public_bytes_raw())
    note = parse_note(tree.checkpoint)
    cosigned = note.adding(sign_cosignature(note, key, 1_700_000_000, private.sign)).serialize()
    service.rounds.add_round(
        Round(tree.tree_size, tree.root_hash, tree.checkpoint, datetime.now(UTC))
    )
    attestation = {
        "kind": "witness",
        "root_hash": tree.root_hash.hex(),
        "witness": key.name,
        "checkpoint": cosigned,
    }
    attempt = Attempt(Phase.FINAL, attestations=(attestation,))
    service.rounds.set_attempt(tree.tree_size, "witness:example", attempt)
    assert client.get("/checkpoint").text == cosigned
