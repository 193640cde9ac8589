"""What is remembered of services: beacons that are still good, and who did not answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from anchor.client.state_folder import state_folder
from anchor.errors import BackendUnavailableError
from anchor.formats.drand import QUICKNET
from anchor.records.record import Beacon
from anchor.vault.beacon_cache import FRESH_S, BeaconCache
from anchor.vault.service_memory import SILENT_S, ServiceMemory
from tests.parts.drand import QUICKNET_1000, beacon_of

HASH = "00" * 31 + "aa"
BITCOIN = {"chain": "bitcoin", "number": 976_101, "block_hash": HASH, "time": 1_795_000_000}
EVM = {"chain": "evm:1", "number": 24_113_902, "block_hash": HASH, "time": 1_795_000_100}


class Service:
    """A service that counts how often it was asked."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked = 0

    def __call__(self) -> dict[str, Any]:
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


class Time:
    def __init__(self) -> None:
        self.now = 1_795_000_200.0

    def __call__(self) -> float:
        return self.now


def said(**beacons: Any) -> dict[str, Any]:
    return {"beacons": beacons, "drand": None, "note": None}


def test_beacons_are_asked_for_once_in_five_minutes():
    service, time = Service(said(bitcoin=BITCOIN, evm=EVM)), Time()
    expected = (
        Beacon("bitcoin", 976_101, bytes.fromhex(HASH)),
        Beacon("evm", 24_113_902, bytes.fromhex(HASH), 1),
    )
    for _ in range(3):
        assert BeaconCache(service, time).beacons() == expected
    assert service.asked == 1
    assert [item.unix_time for item in BeaconCache(None, time).recent()] == [
        1_795_000_000, 1_795_000_100,
    ]  # fmt: skip
    time.now += FRESH_S
    BeaconCache(service, time).beacons()
    assert service.asked == 2


def test_an_old_beacon_is_used_while_the_service_is_away_and_it_is_not_asked_every_time():
    time = Time()
    service = Service(said(bitcoin=BITCOIN), BackendUnavailableError("away"))
    BeaconCache(service, time).beacons()
    time.now += 7 * 24 * 3600
    for _ in range(5):
        assert [b.number for b in BeaconCache(service, time).beacons()] == [976_101]
    assert service.asked == 2
    time.now += 61
    BeaconCache(service, time).beacons()
    assert service.asked == 3


def test_a_clock_that_was_set_back_does_not_make_beacons_fresh_for_ever():
    time = Time()
    service = Service(said(bitcoin=BITCOIN))
    BeaconCache(service, time).beacons()
    time.now -= 365 * 24 * 3600
    BeaconCache(service, time).beacons()
    assert service.asked == 2


def test_nobody_is_asked_without_a_service():
    assert BeaconCache(None, Time()).beacons() == ()


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"beacons": None},
        {"beacons": []},
        said(bitcoin={"error": "no source"}),
        said(bitcoin=None),
        said(bitcoin={**BITCOIN, "chain": "litecoin"}),
        said(bitcoin={**BITCOIN, "chain": 3}),
        said(bitcoin={**BITCOIN, "block_hash": "aa"}),
        said(bitcoin={**BITCOIN, "block_hash": HASH.upper()}),
        said(bitcoin={**BITCOIN, "number": -1}),
        said(bitcoin={**BITCOIN, "number": 2**53}),
        said(bitcoin={**BITCOIN, "number": True}),
        said(bitcoin={**BITCOIN, "number": "1"}),
        said(bitcoin={**BITCOIN, "time": "now"}),
        said(evm={**EVM, "chain": "evm:"}),
        said(evm={**EVM, "chain": "evm:-1"}),
        {"drand": {"round": 1}},
        {"drand": {"round": -1, "randomness": HASH}},
        {"drand": {"error": "no relay"}},
        {"drand": {"round": 7, "randomness": HASH, "signature": "aa"}},
        {"drand": {"round": 7, "randomness": HASH, "signature": "aa" * 48}},
        {"drand": {"round": 7, "randomness": HASH, "chain_hash": "aa"}},
        {"drand": {"round": 7, "randomness": HASH, "time": "now"}},
    ],
)
def test_an_answer_that_can_not_be_read_is_no_beacon(answer: dict[str, Any]):
    assert BeaconCache(Service(answer), Time()).beacons() == ()


def test_drand_is_read_and_at_most_eight_beacons_are_given():
    many = {f"evm{n}": {**EVM, "chain": f"evm:{n}"} for n in range(20)}
    assert len(BeaconCache(Service(said(**many)), Time()).beacons()) == 8
    state_folder().joinpath("beacons.json").unlink()
    answer = {"beacons": {}, "drand": {"round": 7, "randomness": HASH}}
    assert BeaconCache(Service(answer), Time()).beacons() == (
        Beacon("drand", 7, bytes.fromhex(HASH)),
    )


def test_drand_round_keeps_its_signature_for_a_check_without_anybody():
    found = QUICKNET_1000
    answer = {
        "beacons": {},
        "drand": {
            "chain_hash": QUICKNET.hex(), "round": 1000, "randomness": found.randomness.hex(),
            "signature": found.signature.hex(), "time": 1692806364,
        },
    }  # fmt: skip
    (recent,) = BeaconCache(Service(answer), Time()).recent()
    assert (recent.beacon, recent.unix_time) == (beacon_of(found), 1692806364)


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"said": 3}', b'{"fetched_at": "x"}'])
def test_a_damaged_memory_is_no_memory(content: bytes):
    folder = state_folder()
    folder.mkdir(parents=True)
    for name in ("beacons.json", "silent.json"):
        (folder / name).write_bytes(content)
    assert BeaconCache(Service(said(bitcoin=BITCOIN)), Time()).beacons()
    memory = ServiceMemory(Time())
    assert not memory.is_silent("http://a")
    memory.was_silent("http://a")
    assert memory.is_silent("http://a")


def test_a_state_folder_that_takes_no_writes_breaks_nothing(tmp_path: Path):
    (tmp_path / "state").write_bytes(b"a file where the folder should be")
    assert BeaconCache(Service(said(bitcoin=BITCOIN)), Time()).beacons()
    ServiceMemory(Time()).was_silent("http://a")


def test_a_silent_service_is_left_alone_for_a_minute_and_only_that_one():
    time = Time()
    memory = ServiceMemory(time)
    memory.was_silent("http://a")
    assert ServiceMemory(time).is_silent("http://a")
    assert not memory.is_silent("http://b")
    time.now += SILENT_S
    assert not memory.is_silent("http://a")
    memory.was_silent("http://a")
    memory.answered("http://a")
    assert not memory.is_silent("http://a")


def test_not_more_services_are_remembered_than_make_sense():
    memory = ServiceMemory(Time())
    for number in range(200):
        memory.was_silent(f"http://{number}")
    assert memory.is_silent("http://199")
    assert not memory.is_silent("http://0")
