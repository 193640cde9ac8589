from __future__ import annotations

import json
import logging
import shutil
from dataclasses import replace
from importlib.resources import files

import pytest

from anchor.backends.drand_signature import DrandSignatures
from anchor.config.backends import build_outside
from anchor.config.beacons import Beacons, drand_beacon
from anchor.config.kept_checkpoint import KeptCheckpoint
from anchor.config.load import load_settings
from anchor.config.service import EventFan, Service
from anchor.config.settings import LogSettings, Settings
from anchor.config.wiring import build_service
from anchor.errors import BackendUnavailableError, ConfigError, StoreConflictError
from anchor.formats.drand import QUICKNET
from anchor.policies import load_default_policy
from anchor.proof.policy import Policy
from anchor.stores.round_store import SqliteRoundStore
from tests.fakes.backends import ScriptedBackend
from tests.fakes.witness import FakeWitness
from tests.parts.drand import QUICKNET_1000, Network

AUTHORITIES = files("anchor.policies").joinpath("authorities")
POLICY = Policy("tests", bytes(32), "test")
DIGESTS = b"".join(bytes([n]) * 32 for n in range(20))


@pytest.fixture
def settings(tmp_path):
    return Settings(
        data=tmp_path / "data",
        log=LogSettings(disk_reserve_mb=0, kept_checkpoint_file=tmp_path / "outside" / "kept"),
    )


def started(settings, **more):
    service = build_service(settings, backends=(), policy=POLICY, **more)
    service.start()
    return service


# -- the folder ------------------------------------------------------------------------------------


def test_the_data_folder_is_made_for_its_owner_alone(settings):
    service = started(settings)
    try:
        assert settings.data.stat().st_mode & 0o077 == 0
        assert (settings.data / "log.key").stat().st_mode & 0o077 == 0
        assert service.signer.origin.startswith("vestige.local/log-")
    finally:
        service.stop()


def test_one_process_at_a_time_writes(settings):
    service = started(settings)
    try:
        with pytest.raises(StoreConflictError):
            build_service(settings, backends=(), policy=POLICY)
    finally:
        service.stop()
    started(settings).stop()


def test_what_failed_half_way_is_closed_again(settings, tmp_path):
    bad = replace(settings, policy=tmp_path / "none.json")
    with pytest.raises(ConfigError, match=r"none\.json"):
        build_service(bad, backends=())
    started(settings).stop()


def test_a_policy_file_that_is_none(settings, tmp_path):
    path = tmp_path / "policy.json"
    path.write_text("{}")
    with pytest.raises(ConfigError, match="policy"):
        build_service(replace(settings, policy=path), backends=())


def test_start_and_stop_are_in_order(settings):
    service = started(settings)
    with pytest.raises(RuntimeError):
        service.start()
    service.stop()
    service.stop()
    with pytest.raises(RuntimeError):
        service.start()


# -- a log that was put back -----------------------------------------------------------------------


def submit(service, digests):
    return service.sequencer.submit_blocking(digests, timeout_s=10)


def copied(folder, to):
    shutil.copytree(folder, to)


def test_a_restart_goes_on(settings):
    service = started(settings)
    submit(service, DIGESTS[: 32 * 5])
    service.stop()
    service = started(settings)
    try:
        assert service.sequencer.read_only_reason is None
        assert submit(service, DIGESTS).tree.tree_size == 20
    finally:
        service.stop()


def test_a_restored_backup_takes_no_writes_and_serves_reads(settings, tmp_path):
    service = started(settings)
    submit(service, DIGESTS[: 32 * 5])
    service.stop()
    copied(settings.data, tmp_path / "backup")
    service = started(settings)
    submit(service, DIGESTS[: 32 * 9])
    service.stop()
    restored = replace(settings, data=tmp_path / "backup")
    service = started(restored)
    try:
        assert "ends at 5" in service.sequencer.read_only_reason
        assert service.standing(DIGESTS[:32])["leaf_index"] == 0
        # Not even the operator's word lets a log that is behind go on.
        service.stop()
        trusting = replace(restored, log=replace(restored.log, trust_own_disk=True))
        service = started(trusting)
        assert service.sequencer.read_only_reason is not None
    finally:
        service.stop()


def test_a_log_that_is_behind_its_own_rounds_hands_out_no_more(settings, tmp_path):
    backend = ScriptedBackend("test:one", interval_s=0.01)
    service = build_service(settings, backends=(backend,), policy=POLICY)
    service.start()
    submit(service, DIGESTS[:32])
    service.stop()
    copied(settings.data / "log", tmp_path / "older")
    service = build_service(settings, backends=(backend,), policy=POLICY)
    service.start()
    submit(service, DIGESTS)
    assert service.anchorer.wait_final(20, 10) == []
    service.stop()
    # The log alone is put back; the anchorer's memory and the key are the new ones.
    shutil.rmtree(settings.data / "log")
    copied(tmp_path / "older", settings.data / "log")
    settings.log.kept_checkpoint_file.unlink()
    service = build_service(settings, backends=(backend,), policy=POLICY)
    service.start()
    try:
        assert "tree size 20" in service.sequencer.read_only_reason
        assert not service.anchorer.running
        assert service.anchorer.fatal is None
        assert service.proof(DIGESTS[:32]).digest == DIGESTS[:32]
    finally:
        service.stop()


def test_a_log_on_a_new_machine_waits_for_the_operators_word(settings, tmp_path):
    service = started(settings)
    submit(service, DIGESTS[:32])
    service.stop()
    settings.log.kept_checkpoint_file.unlink()
    service = started(settings)
    assert "outside" in service.sequencer.read_only_reason
    service.stop()
    # The file that was just read as missing is not made by a log that does not write.
    told = replace(settings, log=replace(settings.log, trust_own_disk=True))
    service = started(told)
    try:
        assert service.sequencer.read_only_reason is None
        submit(service, DIGESTS)
    finally:
        service.stop()
    service = started(settings)
    assert service.sequencer.read_only_reason is None
    service.stop()


def test_a_file_of_the_operator_counts_too(settings, tmp_path):
    service = started(settings)
    submit(service, DIGESTS[:32])
    note = service.store.committed.checkpoint
    service.stop()
    settings.log.kept_checkpoint_file.unlink()
    named = tmp_path / "named"
    named.write_text(note)
    told = replace(settings, log=replace(settings.log, known_checkpoint_file=named))
    service = started(told)
    try:
        assert service.sequencer.read_only_reason is None
    finally:
        service.stop()


def test_a_log_that_is_behind_its_witness(settings, tmp_path):
    """The whole way: a real witness cosigns, the data folder is put back, the witness tells."""
    service = started(settings)
    key, origin = service.signer.note_key, service.signer.origin
    submit(service, DIGESTS[: 32 * 2])
    service.stop()
    copied(settings.data, tmp_path / "backup")
    (tmp_path / "witness").mkdir()
    with FakeWitness(tmp_path / "witness", {origin: key}) as witness:
        flags = NO_OTHERS | {"witnesses.witnesses": f"{witness.key.text} {witness.url}"}
        watched = replace(
            load_settings(flags, {}), data=settings.data, log=settings.log, policy=None
        )
        service = build_service(watched, policy=POLICY)
        assert [b.partition(":")[0] for b in service.anchorer.backend_names] == ["witness"]
        service.start()
        submit(service, DIGESTS)
        for _ in range(50):
            # The first round may still be on its way, and then the wish is not taken up.
            service.anchorer.force()
            if not service.anchorer.wait_final(20, 0.2):
                break
        assert service.checkpoint().count("\u2014") == 2
        service.stop()
        settings.log.kept_checkpoint_file.unlink()
        service = build_service(replace(watched, data=tmp_path / "backup"), policy=POLICY)
        service.start()
        try:
            assert "tree size 20" in service.sequencer.read_only_reason
        finally:
            service.stop()


def test_a_witness_that_does_not_answer_is_as_good_as_none(settings, caplog):
    built = build_service(settings, backends=(), policy=POLICY)

    def silent(_origin):
        raise BackendUnavailableError("no answer")

    parts = replace(built._parts, outside=replace(built._parts.outside, checkpoints=(silent,)))
    service = Service(parts, EventFan())
    with caplog.at_level(logging.WARNING):
        service.start()
    assert service.sequencer.read_only_reason is None  # the log is empty
    assert "no answer" in caplog.text
    service.stop()


# -- the kept checkpoint ---------------------------------------------------------------------------


class Tree:
    def __init__(self, size) -> None:
        self.tree_size = size
        self.checkpoint = f"checkpoint {size}\n"


def test_the_copy_follows_and_is_never_half_written(tmp_path):
    trees = [Tree(1)]
    path = tmp_path / "a" / "b" / "kept"
    kept = KeptCheckpoint(path, lambda: trees[-1], "empty")
    kept.start()
    kept.stop()
    assert kept.read() == ["checkpoint 1\n"]
    assert kept.state() == {"tree_size": 1, "error": None}
    assert [p.name for p in path.parent.iterdir()] == ["kept"]
    kept.stop()


def test_a_copy_that_cannot_be_written_is_seen(tmp_path):
    (tmp_path / "file").write_text("")
    kept = KeptCheckpoint(tmp_path / "file" / "kept", lambda: Tree(1), "empty")
    kept.start()
    kept.stop()
    assert kept.state()["error"]


def test_the_copy_of_an_empty_log_is_its_signed_emptiness(tmp_path):
    kept = KeptCheckpoint(tmp_path / "kept", lambda: None, "empty")
    kept.start()
    kept.stop()
    assert kept.read() == ["empty"]


def test_a_log_that_ended_at_once_goes_on(settings):
    """As after a power cut before the copy followed for the first time."""
    service = started(settings)
    first = settings.log.kept_checkpoint_file.read_text()
    submit(service, DIGESTS[:32])
    service.stop()
    settings.log.kept_checkpoint_file.write_text(first)
    service = started(settings)
    assert service.sequencer.read_only_reason is None
    service.stop()


# -- outside parties -------------------------------------------------------------------------------


class Store:
    def consistency_path(self, old, new):
        return []


@pytest.fixture
def rounds(tmp_path):
    store = SqliteRoundStore(tmp_path / "rounds.sqlite")
    yield store
    store.close()


def outside(rounds, flags=None, environment=None):
    return build_outside(load_settings(flags or {}, environment or {}), Store(), rounds)


def test_the_defaults_are_the_proposed_authorities_and_four_calendars(rounds):
    found = outside(rounds)
    names = [backend.name for backend in found.backends]
    assert sum(name.startswith("calendar:") for name in names) == 4
    assert sum(name.startswith("rfc3161:") for name in names) >= 2
    assert not [name for name in names if name.startswith("evm")]
    assert found.publisher is None
    assert found.beacons.names == ["bitcoin"]
    for close in found.closes:
        close()


def test_none_at_all(rounds):
    found = outside(rounds, {"calendars.urls": "", "rfc3161.authorities": ""})
    assert found.backends == ()


def test_calendars_need_a_source_of_headers(rounds):
    with pytest.raises(ConfigError, match=r"calendars\.urls"):
        outside(rounds, {"bitcoin.esplora_urls": ""})


def test_a_quorum_that_cannot_be(rounds):
    with pytest.raises(ConfigError, match="quorum"):
        outside(rounds, {"bitcoin.quorum": "3"})


def test_an_authority_that_nobody_knows(rounds):
    with pytest.raises(ConfigError, match="nobody") as caught:
        outside(rounds, {"rfc3161.authorities": "nobody"})
    assert "digicert" in caught.value.hint


def test_logins_of_authorities(rounds, tmp_path):
    table = json.loads(AUTHORITIES.joinpath("authorities.json").read_bytes())["authorities"][0]
    own = {"name": "own", "url": "https://tsa.example/tsr", "roots": table["roots"]}
    (tmp_path / "own.json").write_text(json.dumps(own))
    for root in table["roots"]:
        (tmp_path / root["file"]).write_bytes(AUTHORITIES.joinpath(root["file"]).read_bytes())
    flags = {"calendars.urls": "", "rfc3161.authorities": str(tmp_path / "own.json")}
    login = "# comment\n\nown me pass word\n"
    found = outside(rounds, flags, {"VESTIGE_RFC3161_CREDENTIALS": login})
    settings = found.backends[0]._settings
    assert (settings.username, settings.password) == ("me", "pass word")
    assert "pass word" not in repr(settings)


@pytest.mark.parametrize("login", ["digicert me", "other me pass"])
def test_logins_that_cannot_be_used(rounds, login):
    flags = {"calendars.urls": "", "rfc3161.authorities": "digicert"}
    with pytest.raises(ConfigError, match="credentials") as caught:
        outside(rounds, flags, {"VESTIGE_RFC3161_CREDENTIALS": login})
    assert "pass" not in caught.value.message


def test_an_ipfs_node(rounds):
    found = outside(rounds, {"ipfs.rpc_url": "http://127.0.0.1:5001"})
    assert found.publisher.name == "ipfs"
    assert len(found.checkpoints) == 1
    for close in found.closes:
        close()


# -- EVM -------------------------------------------------------------------------------------------

NO_OTHERS = {"calendars.urls": "", "rfc3161.authorities": ""}
EVM = NO_OTHERS | {
    "evm.rpc_url": "http://127.0.0.1:1/secret-path",
    "evm.chain_id": "31337",
    "evm.contract": "0x" + "ab" * 20,
}
KEY = {"VESTIGE_EVM_PRIVATE_KEY": "0x" + "11" * 32}


def test_it_is_on_with_an_address_and_a_key(rounds):
    found = outside(rounds, EVM, KEY)
    (backend,) = found.backends
    assert backend.name == "evm:31337"
    assert backend.health().detail["contract"] == "ab" * 20
    assert "evm:31337" in found.beacons.names


def test_it_is_off_without_a_key_or_an_address(rounds):
    assert outside(rounds, EVM).backends == ()
    assert outside(rounds, NO_OTHERS, KEY).backends == ()


@pytest.mark.parametrize(
    ("flags", "environment", "wanted"),
    [
        (EVM | {"evm.contract": "0x12"}, KEY, "evm.contract"),
        ({k: v for k, v in EVM.items() if k != "evm.contract"}, KEY, "evm.contract"),
        ({k: v for k, v in EVM.items() if k != "evm.chain_id"}, KEY, "evm.chain_id"),
        (EVM, {"VESTIGE_EVM_PRIVATE_KEY": "abc"}, "hex digits"),
        (EVM | {"evm.keystore_file": "/nowhere"}, KEY, "evm.keystore_file"),
        (EVM | {"evm.keystore_file": "/nowhere"}, {}, "evm.keystore_passphrase"),
    ],
)
def test_what_is_missing_or_wrong_is_named(rounds, flags, environment, wanted):
    with pytest.raises(ConfigError) as caught:
        outside(rounds, flags, environment)
    assert wanted in caught.value.message
    assert "secret-path" not in caught.value.message
    assert "11" * 32 not in caught.value.message


def test_the_chain_is_remembered(rounds):
    rounds.put_meta("evm.chain", {"chain_id": 5})
    rounds.put_meta("evm.contract:5", {"address": "cd" * 20})
    flags = {k: v for k, v in EVM.items() if k not in ("evm.chain_id", "evm.contract")}
    (backend,) = outside(rounds, flags, KEY).backends
    assert backend.name == "evm:5"
    assert backend.health().detail["contract"] == "cd" * 20


# -- beacons ---------------------------------------------------------------------------------------


class Relay:
    name = "a relay"

    def __init__(self, found):
        self.found = found

    def fetch_round(self, number):
        return self.found


def test_drand_is_a_beacon_where_a_relay_is_set(rounds):
    found = outside(rounds, environment={"VESTIGE_DRAND_URLS": "https://relay.example"})
    assert found.beacons.names == ["bitcoin", "drand"]
    for close in found.closes:
        close()


def test_drand_round_is_handed_out_with_its_signature_checked():
    network = load_default_policy().drand_network(QUICKNET)
    ask = drand_beacon(Relay(QUICKNET_1000), network, DrandSignatures())
    assert ask() == {
        "chain_hash": QUICKNET.hex(),
        "round": 1000,
        "randomness": QUICKNET_1000.randomness.hex(),
        "signature": QUICKNET_1000.signature.hex(),
        "time": 1692806364,
    }
    forged = Relay(Network("theirs").sign(1000))
    assert "not signed" in drand_beacon(forged, network, DrandSignatures())()["error"]
    assert drand_beacon(forged, network, None)()["round"] == 1000


def test_beacons_are_remembered_for_a_while_failures_too():
    asked = []

    def ask():
        asked.append(1)
        raise BackendUnavailableError("down")

    now = [0.0]
    beacons = Beacons({"a": ask}, monotonic=lambda: now[0])
    assert beacons.recent() == {"a": {"error": "down"}}
    assert beacons.recent() == {"a": {"error": "down"}}
    assert len(asked) == 1
    now[0] = 31.0
    beacons.recent()
    assert len(asked) == 2
