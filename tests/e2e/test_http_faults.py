"""The disk under a real service fails: nothing is acknowledged that is not there, reads go on."""

from __future__ import annotations

import errno
import threading
from functools import partial

import pytest

from anchor.config import wiring
from anchor.stores.packed import PackedLog
from tests.e2e.http_service import HTTP, RAW, digest, served
from tests.fakes.faulty_disk import FaultyDisk


@pytest.fixture
def disk(monkeypatch):
    faulty = FaultyDisk()
    monkeypatch.setattr(wiring, "PackedLog", partial(PackedLog, disk=faulty))
    return faulty


def submit(server, *digests):
    return HTTP.post(
        f"{server.url}/v1/digests", json={"digests": [d.hex() for d in digests]}, timeout=30
    )


def reads_go_on(server, number):
    for path in (
        f"/v1/digests/{digest(number).hex()}",
        f"/v1/digests/{digest(number).hex()}/proof",
        "/checkpoint",
        "/tile/0/000.p/1",
        "/tile/entries/000.p/1",
        "/v1/status",
        "/v1/rounds",
        "/metrics",
        f"/d/{digest(number).hex()}",
    ):
        response = HTTP.get(f"{server.url}{path}")
        assert response.status_code == 200, (path, response.text)


def test_a_full_disk_stops_writes_and_never_reads(tmp_path, disk):
    with served(tmp_path) as (server, service):
        assert submit(server, digest(0)).status_code == 200
        disk.arm("entries.write", "failed", times=1_000_000, error=errno.ENOSPC)
        for number in range(1, 4):
            response = submit(server, digest(number))
            assert response.status_code == 503
            value = response.json()
            assert value["code"].startswith("store.unavailable")
            # The paths of this machine are nobody else's business.
            assert str(tmp_path) not in response.text
            assert int(response.headers["retry-after"]) > 0
        reads_go_on(server, 0)
        assert submit(server, digest(0)).status_code == 200  # is there already: nothing to write
        assert service.store.committed.tree_size == 1
        disk.disarm()
        answer = submit(server, digest(1)).json()
        assert answer["digests"] == [{"digest": digest(1).hex(), "leaf_index": 1, "created": True}]


def test_below_the_reserve_only_reads(tmp_path, disk, monkeypatch):
    with served(tmp_path) as (server, service):
        assert submit(server, digest(0)).status_code == 200
        monkeypatch.setattr(service.store, "_reserve_bytes", 1 << 40)
        disk.free = 1 << 30
        response = submit(server, digest(1))
        assert response.status_code == 503
        raw = HTTP.post(f"{server.url}/v1/digests", content=digest(1), headers=RAW)
        assert raw.status_code == 503
        assert HTTP.post(f"{server.url}/digest", content=digest(1)).status_code == 503
        reads_go_on(server, 0)
        disk.free = 1 << 41
        assert submit(server, digest(1)).status_code == 200


@pytest.mark.parametrize("mode", ["failed", "persisted", "torn"])
@pytest.mark.parametrize(
    "step", ["entries.write", "entries.flush", "level.write", "level.flush", "row.commit"]
)
def test_each_step_of_a_commit_fails_once_under_load(tmp_path, disk, step, mode):
    """Whatever step fails: who got an index has it for good, who got an error can repeat."""
    with served(tmp_path) as (server, service):
        assert submit(server, *(digest(n) for n in range(300))).status_code == 200
        acknowledged: dict[bytes, int] = {}
        statuses: list[int] = []

        def client(salt):
            for turn in range(12):
                mine = digest(turn, salt)
                response = submit(server, mine)
                statuses.append(response.status_code)
                if response.status_code == 200:
                    acknowledged[mine] = response.json()["digests"][0]["leaf_index"]

        threads = [threading.Thread(target=client, args=(f"{step}{n}",)) for n in range(6)]
        disk.arm(step, mode, times=2)
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert set(statuses) <= {200, 503}
        disk.disarm()
        # Everything again: what was acknowledged keeps its index, the rest is taken now.
        for n in range(6):
            again = submit(server, *(digest(turn, f"{step}{n}") for turn in range(12))).json()
            for item in again["digests"]:
                wanted = acknowledged.get(bytes.fromhex(item["digest"]))
                assert wanted in (None, item["leaf_index"])
        for mine, leaf_index in acknowledged.items():
            assert service.store.entry(leaf_index) == mine
        assert service.store.committed.tree_size == 300 + 6 * 12
        assert not service.sequencer.read_only_reason
