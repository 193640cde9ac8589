"""Publishing rounds and building the log again from what was published."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime

import httpx
import pytest

from anchor.backends.ipfs import IpfsPublisher, fetch_head, head_path
from anchor.backends.ipfs_manifest import (
    RoundManifest,
    added_tiles,
    parse_manifest,
    parse_tile_list,
    partial_tiles,
    serialize_tile_list,
)
from anchor.backends.ipfs_node import MAX_BLOCK_BYTES, IpfsNode, IpfsSettings
from anchor.backends.ipfs_restore import restore_log
from anchor.errors import (
    BackendProtocolError,
    BackendRejectedError,
    BackendUnavailableError,
    ConfigError,
    FormatError,
    SignatureError,
    UsageError,
    VerificationError,
    VestigeError,
)
from anchor.formats.cid import DAG_JSON, Cid, cid_of, parse_cid
from anchor.formats.note import sign_note
from anchor.formats.tiles import TilePath
from anchor.ports import Attempt, Phase, Round
from anchor.service.anchorer import Anchorer
from anchor.service.publication import publication_of
from anchor.stores.round_store import SqliteRoundStore
from tests import evidence
from tests.fakes.backends import ScriptedBackend, final
from tests.fakes.clock import FakeClock
from tests.fakes.kubo import FakeKubo, MemoryShelf
from tests.fakes.memory_log import MemoryLog

ORIGIN = "log.example.org/test"


class Scene:
    """A log with a real key, a node, and a publisher between them."""

    def __init__(self, path, kubo: FakeKubo) -> None:
        self.signer = evidence.Signer(ORIGIN)
        self.kubo = kubo
        self.log = MemoryLog(ORIGIN, self.sign)
        self.rounds = SqliteRoundStore(path)
        self.node = IpfsNode(IpfsSettings(kubo.url, timeout_s=20))
        self.publisher = IpfsPublisher(self.node, self.log, self.rounds.journal("ipfs"))
        self.attempts: dict[int, dict[str, Attempt]] = {}

    def sign(self, text: str) -> str:
        return sign_note(text, self.signer.key, self.signer.private.sign).serialize()

    def round(self, count: int) -> Round:
        self.log.grow(count)
        tree = self.log.tree()
        return Round(tree.tree_size, tree.root_hash, tree.checkpoint, datetime.now(UTC))

    def publish(self, round_: Round, *backends: str, **more) -> Cid:
        for name in backends or ("evm:1",):
            attempt = final(round_, Attempt(), by=name, **more)
            self.attempts.setdefault(round_.tree_size, {})[name] = attempt
        described = self.publisher.publish(round_, self.attempts[round_.tree_size])
        return parse_cid(described["cid"])

    def restore(self, head: Cid, **more):
        entries: list[bytes] = []

        def keep(start: int, some: list[bytes]) -> None:
            assert start == len(entries)
            entries.extend(some)

        more.setdefault("log_key", self.signer.key)
        restored = restore_log(self.node, head, on_entries=keep, **more)
        return restored, entries

    def check(self, head: Cid, *sizes: int) -> None:
        """Check that the published history is the whole log with all that was final."""
        restored, entries = self.restore(head)
        assert entries == self.log.entries[: restored.tree_size]
        assert restored.root_hash == self.log.root_hash(restored.tree_size)
        assert [r.tree_size for r in restored.rounds] == list(sizes)
        for one in restored.rounds:
            assert one.attestations == {
                name: list(attempt.attestations)
                for name, attempt in self.attempts[one.tree_size].items()
            }

    def close(self) -> None:
        self.publisher.close()
        self.rounds.close()


@pytest.fixture
def scene(tmp_path):
    with FakeKubo() as kubo:
        one = Scene(tmp_path / "r.db", kubo)
        yield one
        one.close()


# -- which tiles -----------------------------------------------------------------------------------


def test_added_tiles_are_exactly_those_with_new_hashes():
    def texts(old: int, new: int) -> list[str]:
        return [path.text for path in added_tiles(old, new)]

    assert texts(0, 1) == ["tile/entries/000.p/1", "tile/0/000.p/1"]
    assert texts(1, 3) == ["tile/entries/000.p/3", "tile/0/000.p/3"]
    assert texts(0, 256) == ["tile/entries/000", "tile/0/000", "tile/1/000.p/1"]
    assert texts(255, 257) == [
        "tile/entries/000",
        "tile/entries/001.p/1",
        "tile/0/000",
        "tile/0/001.p/1",
        "tile/1/000.p/1",
    ]
    assert texts(257, 300) == ["tile/entries/001.p/44", "tile/0/001.p/44"]
    assert texts(65535, 65536)[-3:] == ["tile/0/255", "tile/1/000", "tile/2/000.p/1"]
    assert texts(5, 5) == []


def test_tiles_added_by_steps_cover_the_tree():
    draw = random.Random(3)
    for _ in range(30):
        sizes = sorted(draw.sample(range(1, 200_000), 6))
        have: set[TilePath] = set()
        for old, new in zip([0, *sizes], sizes, strict=False):
            have |= set(added_tiles(old, new))
        wanted = set(added_tiles(0, sizes[-1]))
        assert wanted <= have
        assert set(partial_tiles(sizes[-1])) == {p for p in wanted if p.width < 256}


# -- publishing and restoring ----------------------------------------------------------------------


def test_a_log_is_built_again_from_its_newest_manifest(scene):
    sizes = []
    for count in (1, 1, 254, 1, 300, 256, 2):
        round_ = scene.round(count)
        sizes.append(round_.tree_size)
        head = scene.publish(round_)
    scene.check(head, *sizes)
    assert fetch_head(scene.node, ORIGIN) == head
    assert scene.publisher.fetch_checkpoint(ORIGIN) == scene.log.tree().checkpoint
    assert scene.publisher.fetch_checkpoint("other.example/log") is None
    assert scene.publisher.health().ok
    assert scene.publisher.health().detail["cid"] == head.text


def test_a_great_log_is_published_in_several_lists(scene, monkeypatch):
    monkeypatch.setattr("anchor.backends.ipfs.TILES_IN_LIST", 7)
    head = scene.publish(scene.round(5000))
    manifest = parse_manifest(scene.node.get_block(head))
    assert len(manifest.tile_lists) == 6
    scene.check(head, 5000)


def test_tiles_that_are_there_are_not_put_again(scene):
    scene.publish(scene.round(600))
    before = scene.kubo.count("block/put")
    scene.publish(scene.round(1))
    # an entry bundle, a hash tile, their list, one attestation file, the manifest
    assert scene.kubo.count("block/put") - before == 5


def test_everything_hangs_on_the_pin(scene):
    head = scene.publish(scene.round(600))
    head = scene.publish(scene.round(10))
    scene.kubo.shelf.collect()
    scene.check(head, 600, 610)


def test_one_more_final_backend_gives_the_head_anew(scene):
    round_ = scene.round(3)
    first = scene.publish(round_, "rfc3161:x")
    second = scene.publish(round_, "calendar:a")
    assert first != second
    assert fetch_head(scene.node, ORIGIN) == second
    scene.check(second, 3)
    later = scene.publish(scene.round(3))
    scene.check(later, 3, 6)


def test_attestations_that_come_after_later_rounds_are_found_from_the_head(scene):
    one, two = scene.round(3), scene.round(300)
    scene.publish(one, "rfc3161:x")
    scene.publish(two, "rfc3161:x")
    scene.publish(one, "evm:1")
    scene.publish(one, "calendar:a")
    scene.publish(two, "evm:1")
    head = scene.publish(scene.round(5), "rfc3161:x")
    scene.check(head, 3, 303, 308)
    manifest = parse_manifest(scene.node.get_block(head))
    assert len(manifest.also) == 1  # only the last word on round 3; round 303 was still the head
    assert parse_manifest(scene.node.get_block(scene.publish(scene.round(1)))).also == ()


def test_a_round_that_is_final_only_after_a_greater_one_is_found_too(scene):
    early, late = scene.round(300), scene.round(300)
    scene.publish(late)
    side = scene.publish(early)
    manifest = parse_manifest(scene.node.get_block(side))
    assert manifest.previous is None
    assert manifest.within is not None
    scene.check(side, 300, 600)
    head = scene.publish(scene.round(1))
    scene.check(head, 300, 600, 601)
    assert fetch_head(scene.node, ORIGIN) == head


def test_publishing_the_same_again_names_the_same(scene):
    round_ = scene.round(300)
    cid = scene.publish(round_)
    puts = scene.kubo.count("block/put")
    assert scene.publish(round_) == cid
    assert scene.kubo.count("block/put") == puts + 2  # attestation file and manifest


def test_attestations_larger_than_a_block_are_cut_and_joined(scene):
    head = scene.publish(scene.round(3), token="x" * (2 * MAX_BLOCK_BYTES + 5))
    manifest = parse_manifest(scene.node.get_block(head))
    assert len(manifest.attestations["evm:1"]) == 3
    assert all(len(block) <= MAX_BLOCK_BYTES for block in scene.kubo.shelf.blocks.values())
    scene.check(head, 3)


def test_attestations_beyond_any_proof_are_refused(scene):
    with pytest.raises(BackendProtocolError):
        scene.publish(scene.round(3), token="x" * (9 << 20))
    assert not scene.publisher.health().ok


def test_two_runs_give_the_same_cids(tmp_path):
    heads = []
    for name in ("a", "b"):
        with FakeKubo() as kubo:
            one = Scene(tmp_path / name, kubo)
            one.publish(one.round(300))
            heads.append(one.publish(one.round(10)))
            one.close()
    assert heads[0] == heads[1]


# -- faults ----------------------------------------------------------------------------------------


def test_a_publication_cut_at_any_call_goes_on_and_ends_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr("anchor.backends.ipfs.TILES_IN_LIST", 3)

    def run(path, fail_after: int | None) -> tuple[Cid, int]:
        with FakeKubo() as kubo:
            one = Scene(path, kubo)
            failures = 0
            for count in (700, 5, 300):
                round_ = one.round(count)
                while True:
                    kubo.faults.fail_after = fail_after
                    try:
                        head = one.publish(round_)
                        break
                    except BackendUnavailableError:
                        failures += 1
                        assert failures < 1000
                    kubo.faults.fail_after = None
                    if fail_after is not None:
                        fail_after += 3
            kubo.faults.fail_after = None
            one.kubo.shelf.collect()
            one.check(head, 700, 705, 1005)
            one.close()
            return head, failures

    whole, none = run(tmp_path / "whole", None)
    assert none == 0
    for number in range(12):
        head, failures = run(tmp_path / str(number), number)
        assert failures
        assert head == whole


@pytest.mark.parametrize("persisted", [False, True], ids=["lost", "persisted"])
@pytest.mark.parametrize("row", range(14))
def test_a_crash_at_any_write_of_the_journal_leaves_no_gap_in_the_chain(tmp_path, row, persisted):
    class Crash(BaseException):
        pass

    class FaultyJournal:
        def __init__(self, journal) -> None:
            self.journal, self.writes = journal, 0

        def __getattr__(self, name):
            return getattr(self.journal, name)

        def put(self, key, value) -> None:
            number, self.writes = self.writes, self.writes + 1
            if number != row or persisted:
                self.journal.put(key, value)
            if number == row:
                raise Crash

    with FakeKubo() as kubo:
        one = Scene(tmp_path / "r.db", kubo)
        journal = FaultyJournal(one.rounds.journal("ipfs"))
        one.publisher = IpfsPublisher(one.node, one.log, journal)
        first, second = one.round(300), one.round(10)
        plan = [(first, "a"), (second, "a"), (first, "b"), (first, "c"), (one.round(5), "a")]
        for round_, backend in plan:
            try:
                head = one.publish(round_, backend)
            except Crash:
                head = one.publish(round_, backend)
        one.check(head, 300, 310, 315)
        assert journal.writes > row
        one.close()


def test_a_node_that_lost_blocks_before_the_pin_gets_them_again(scene):
    round_ = scene.round(600)
    scene.kubo.faults.status, scene.kubo.faults.only = 500, "pin"
    with pytest.raises(BackendUnavailableError):
        scene.publish(round_)
    assert scene.kubo.shelf.collect() > 5
    scene.kubo.faults.status = None
    head = scene.publish(round_)
    scene.check(head, 600)


def test_a_smaller_round_that_slips_in_before_an_interrupted_one_leaves_no_gap(scene):
    small, great = scene.round(300), scene.round(300)
    scene.kubo.faults.status, scene.kubo.faults.only = 500, "pin"
    with pytest.raises(BackendUnavailableError):
        scene.publish(great)
    scene.kubo.faults.status = None
    scene.publish(small)
    head = scene.publish(great)
    scene.check(head, 300, 600)


def test_an_interrupted_round_that_a_greater_one_overtook_is_kept_beside(scene):
    small, great = scene.round(300), scene.round(300)
    scene.kubo.faults.status, scene.kubo.faults.only = 500, "pin"
    with pytest.raises(BackendUnavailableError):
        scene.publish(small)
    scene.kubo.faults.status = None
    scene.publish(great)
    scene.publish(small)
    scene.check(scene.publish(scene.round(1)), 300, 600, 601)


def test_a_node_without_files_publishes_all_the_same(scene):
    scene.kubo.faults.no_files = True
    head = scene.publish(scene.round(3))
    scene.check(head, 3)
    assert scene.publisher.health().ok
    assert "pointer" in scene.publisher.health().note


@pytest.mark.parametrize(
    "key",
    [
        lambda _key: cid_of(b"something else").text,
        lambda key: key[:-1],
        lambda key: key.upper(),
        lambda _key: "QmXZSW216AYLPuzMVLyNXdLcmc5k87HUGJWRSjA8eQ7YoD",
        lambda _key: None,
        lambda _key: 7,
        lambda key: "z" + key,
        lambda key: key * 100,
    ],
    ids=range(8),
)
def test_a_node_that_names_another_cid_is_caught(scene, key):
    scene.kubo.faults.key = key
    with pytest.raises(BackendProtocolError) as caught:
        scene.node.put_block(b"hello")
    assert caught.value.code == "backend.protocol.cid"


def test_a_node_that_stores_other_bytes_is_caught(scene):
    scene.kubo.faults.stored = lambda data: data + b"!"
    with pytest.raises(BackendProtocolError) as caught:
        scene.publish(scene.round(3))
    assert caught.value.code == "backend.protocol.cid"
    assert scene.rounds.journal("ipfs").get("head") is None


def test_the_same_cid_in_another_alphabet_is_the_same(scene):
    scene.kubo.faults.base58 = True
    scene.check(scene.publish(scene.round(300)), 300)


@pytest.mark.parametrize("block", [b"", b"\r\n", b"--", b"\r\n--vestige--\r\n", bytes(range(256))])
def test_any_bytes_survive_the_form(scene, block):
    cid = scene.node.put_block(block)
    assert scene.node.get_block(cid) == block


def test_a_block_over_the_limit_is_not_sent(scene):
    scene.node.put_block(bytes(MAX_BLOCK_BYTES))
    with pytest.raises(UsageError):
        scene.node.put_block(bytes(MAX_BLOCK_BYTES + 1))
    assert scene.kubo.count("block/put") == 1


@pytest.mark.parametrize(
    "returned", [lambda b: b + b"!", lambda b: b[:-1], lambda _b: b"", lambda b: b * 100_000]
)
def test_other_bytes_from_the_node_are_caught(scene, returned):
    cid = scene.node.put_block(b"hello")
    scene.kubo.faults.returned = returned
    with pytest.raises(BackendProtocolError):
        scene.node.get_block(cid)


def test_a_pin_that_is_not_confirmed_is_caught(scene):
    scene.kubo.faults.no_pins = True
    with pytest.raises(BackendProtocolError) as caught:
        scene.publish(scene.round(3))
    assert caught.value.code == "backend.protocol.pin"


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (500, BackendUnavailableError),
        (503, BackendUnavailableError),
        (429, BackendUnavailableError),
        (401, BackendRejectedError),
        (403, BackendRejectedError),
        (404, BackendProtocolError),
        (405, BackendProtocolError),
        (301, BackendProtocolError),
    ],
)
def test_each_status_has_its_meaning(scene, status, error):
    scene.kubo.faults.status = status
    with pytest.raises(error) as caught:
        scene.publish(scene.round(3))
    assert "\x1b" not in caught.value.message
    assert not scene.publisher.health().ok


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"null", b"{", b"\xff", b'{"Key":1e5}', b"7" * 99_999]
)
def test_answers_that_are_not_the_protocols_are_protocol_errors(scene, body):
    scene.kubo.faults.status, scene.kubo.faults.body = 200, body
    with pytest.raises(BackendProtocolError):
        scene.node.put_block(b"hello")
    with pytest.raises(BackendProtocolError):
        scene.node.pin(cid_of(b"hello"))


def test_a_lost_answer_is_unavailable_and_the_next_call_works(scene):
    scene.kubo.faults.lose_answer = True
    with pytest.raises(BackendUnavailableError):
        scene.node.put_block(b"hello")
    scene.kubo.faults.lose_answer = False
    scene.node.put_block(b"hello")


def test_authorization_is_sent_and_never_shown(tmp_path):
    secret = "Bearer hunter2"
    with FakeKubo(authorization=secret) as kubo:
        node = IpfsNode(IpfsSettings(kubo.url, authorization=secret))
        node.put_block(b"hello")
        node.close()
        node = IpfsNode(IpfsSettings(kubo.url, authorization="Bearer wrong-secret"))
        with pytest.raises(BackendRejectedError) as caught:
            node.put_block(b"hello")
        assert "secret" not in str(caught.value)
        node.close()


def test_a_pointer_that_is_no_cid_is_a_protocol_error(scene):
    scene.kubo.files[head_path(ORIGIN)] = b"not a cid"
    with pytest.raises(BackendProtocolError):
        fetch_head(scene.node, ORIGIN)
    scene.kubo.files[head_path(ORIGIN)] = b"b" * 1000
    with pytest.raises(BackendProtocolError):
        fetch_head(scene.node, ORIGIN)
    other = scene.node.put_block(b"{}", DAG_JSON)
    scene.kubo.files[head_path(ORIGIN)] = other.text.encode()
    with pytest.raises(BackendProtocolError):
        scene.publisher.fetch_checkpoint(ORIGIN)


def test_an_address_that_is_none_is_a_config_error():
    with pytest.raises(ConfigError):
        IpfsNode(IpfsSettings("unix:/var/run/ipfs"))


def test_nobody_listening_is_unavailable():
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    node = IpfsNode(IpfsSettings("http://127.0.0.1:1"), transport=httpx.MockTransport(refuse))
    with pytest.raises(BackendUnavailableError):
        node.put_block(b"hello")
    node.close()


# -- what restoring notices ------------------------------------------------------------------------


def republished(scene: Scene, head: Cid, **changes) -> Cid:
    """Put a manifest that differs from a published one, as a forger would."""
    manifest = parse_manifest(scene.node.get_block(head))
    values = {name: getattr(manifest, name) for name in RoundManifest.__slots__}
    return scene.node.put_block(RoundManifest(**{**values, **changes}).serialize(), DAG_JSON)


def with_tiles(scene: Scene, head: Cid, change) -> Cid:
    manifest = parse_manifest(scene.node.get_block(head))
    (tile_list,) = manifest.tile_lists
    tiles = parse_tile_list(scene.node.get_block(tile_list))
    block = serialize_tile_list(change(tiles))
    return republished(scene, head, tile_lists=(scene.node.put_block(block, DAG_JSON),))


def test_any_tile_replaced_by_another_is_noticed(scene):
    head = scene.publish(scene.round(600))
    manifest = parse_manifest(scene.node.get_block(head))
    tiles = parse_tile_list(scene.node.get_block(manifest.tile_lists[0]))
    assert [path.text for path, _ in tiles] == [
        "tile/entries/000",
        "tile/entries/001",
        "tile/entries/002.p/88",
        "tile/0/000",
        "tile/0/001",
        "tile/0/002.p/88",
        "tile/1/000.p/2",
    ]
    for number, (_, cid) in enumerate(tiles):
        block = bytearray(scene.node.get_block(cid))
        block[40] ^= 1
        forged = scene.node.put_block(bytes(block))

        def change(items, number=number, forged=forged):
            path, _ = items[number]
            return [*items[:number], (path, forged), *items[number + 1 :]]

        with pytest.raises(VerificationError):
            scene.restore(with_tiles(scene, head, change))


@pytest.mark.parametrize(
    "change",
    [
        lambda tiles: tiles[:-1][::-1],
        lambda tiles: tiles[1:],
        lambda tiles: [tiles[1], tiles[0], *tiles[2:]],
        lambda tiles: [tiles[0], *tiles],
        lambda tiles: [*tiles[:2], *tiles[3:]],
        lambda _tiles: [],
        lambda tiles: [*tiles[:3], (TilePath(0, 7), tiles[3][1]), *tiles[4:]],
        lambda tiles: [*tiles[:3], (TilePath(5, 0), tiles[3][1]), *tiles[4:]],
        lambda tiles: [*tiles[:3], (TilePath(1, 3, 2), tiles[6][1])],
    ],
    ids=range(9),
)
def test_tiles_missing_doubled_or_out_of_order_are_noticed(scene, change):
    head = scene.publish(scene.round(600))
    with pytest.raises((VerificationError, FormatError)):
        scene.restore(with_tiles(scene, head, change))


def test_a_checkpoint_of_another_tree_is_noticed(scene):
    round_ = scene.round(10)
    head = scene.publish(round_)
    other = MemoryLog(ORIGIN, scene.sign)
    other.add(*(bytes([n]) * 32 for n in range(10)))
    forged = republished(scene, head, checkpoint=other.tree().checkpoint)
    with pytest.raises(VerificationError) as caught:
        scene.restore(forged)
    assert caught.value.code == "verify.ipfs.root"
    other.add(b"\x77" * 32)
    with pytest.raises(VerificationError) as caught:
        scene.restore(republished(scene, head, checkpoint=other.tree().checkpoint))
    assert caught.value.code == "verify.ipfs.checkpoint"


def test_a_history_that_was_rewritten_is_noticed(scene, tmp_path):
    scene.publish(scene.round(10))
    fork = Scene(tmp_path / "fork.db", scene.kubo)
    fork.log.add(*(bytes([n]) * 32 for n in range(10)))
    tree = fork.log.tree()
    forged = fork.publish(Round(10, tree.root_hash, tree.checkpoint, datetime.now(UTC)))
    head = scene.publish(scene.round(3))
    with pytest.raises(VerificationError) as caught:
        scene.restore(republished(scene, head, previous=forged))
    assert caught.value.code == "verify.ipfs.rewritten"
    fork.close()


def test_another_logs_rounds_are_noticed(scene, tmp_path):
    head = scene.publish(scene.round(10))
    other = Scene(tmp_path / "other.db", scene.kubo)
    other.log.origin = "other.example.org/log"
    also = other.publish(other.round(10))
    with pytest.raises(VerificationError):
        scene.restore(republished(scene, head, also=(also,)))
    other.close()


def test_another_key_is_noticed_and_no_key_checks_no_signature(scene):
    head = scene.publish(scene.round(10))
    other = evidence.Signer(ORIGIN, seed=b"\x44" * 32)
    with pytest.raises(SignatureError):
        scene.restore(head, log_key=other.key)
    assert scene.restore(head, log_key=None)[0].tree_size == 10


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 2},
        {"tree_size": 0},
        {"tree_size": "10"},
        {"tree_size": True},
        {"checkpoint": None},
        {"checkpoint": "x" * 70_000},
        {"tiles": [{"/": "nonsense"}]},
        {"tiles": ["bafk"]},
        {"tiles": {}},
        {"attestations": []},
        {"attestations": {"evm:1": [{"/": 7}]}},
        {"previous": 7},
        {"also": "x"},
        {"also": [None]},
        {"within": []},
        {"extra": 1},
    ],
)
def test_a_block_that_is_no_manifest_is_a_format_error(scene, changes):
    value = json.loads(scene.node.get_block(scene.publish(scene.round(10))))
    value.update(changes)
    with pytest.raises(FormatError):
        parse_manifest(json.dumps(value).encode())


@pytest.mark.parametrize("block", [b"", b"{}", b"[]", b"\xff", b'{"tiles":[{"path":"x"}]}'])
def test_other_blocks_are_format_errors(block):
    for parse in (parse_manifest, parse_tile_list):
        with pytest.raises(FormatError):
            parse(block)


def test_missing_blocks_are_unavailable(scene):
    head = scene.publish(scene.round(10))
    for digest in list(scene.kubo.shelf.blocks):
        kept = scene.kubo.shelf.blocks.pop(digest)
        with pytest.raises(BackendUnavailableError):
            scene.restore(head)
        scene.kubo.shelf.blocks[digest] = kept
    scene.restore(head)


def test_blocks_of_random_bytes_raise_only_our_errors(scene):
    draw = random.Random(11)
    head = scene.publish(scene.round(300))
    for _ in range(60):
        block = bytearray(scene.node.get_block(head))
        for _ in range(draw.randrange(1, 4)):
            block[draw.randrange(len(block))] = draw.choice(b'0123456789abcdef{}[]",:/')
        forged = scene.node.put_block(bytes(block), DAG_JSON)
        try:
            scene.restore(forged)
        except VestigeError:
            continue


# -- together with the anchorer --------------------------------------------------------------------


def test_the_anchorer_publishes_each_round_and_keeps_its_cid(scene):
    clock = FakeClock()
    slow = ScriptedBackend("evm:1", "evm", [lambda _r, a: a.to(Phase.PENDING)], interval_s=60.0)
    quick = ScriptedBackend("rfc3161:x")
    anchorer = Anchorer(
        scene.log.tree, scene.rounds, [quick, slow], clock, publisher=scene.publisher
    )
    scene.log.grow(300)
    scene.kubo.faults.status = 503
    anchorer.run_once("rfc3161:x")
    assert anchorer.run_publisher() < 60.0
    assert anchorer.status()["publisher"]["failures"] == 1
    scene.kubo.faults.status = None
    anchorer.run_publisher()
    first = publication_of(scene.rounds, "ipfs", 300)
    assert first["backends"] == ["rfc3161:x"]
    for _ in range(3):
        anchorer.run_once("evm:1")
        clock.advance(5.0)
    anchorer.run_publisher()
    second = publication_of(scene.rounds, "ipfs", 300)
    assert second["backends"] == ["evm:1", "rfc3161:x"]
    assert second["cid"] != first["cid"]
    restored, entries = scene.restore(parse_cid(second["cid"]))
    assert entries == scene.log.entries
    assert set(restored.rounds[0].attestations) == {"evm:1", "rfc3161:x"}
    assert isinstance(scene.kubo.shelf, MemoryShelf)
