"""The stock ``ots`` client stamps and upgrades at our calendar endpoint."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from anchor.backends.bitcoin_headers import EsploraHeaders
from anchor.backends.calendar import CalendarBackend, CalendarSettings
from anchor.config.settings import CalendarEndpointSettings, LogSettings, Settings
from anchor.config.wiring import build_service
from anchor.formats.ots.attestation import BitcoinAttestation, PendingAttestation
from anchor.formats.ots.codec import parse_detached
from anchor_api.app import create_app
from anchor_api.server import BackgroundServer, bind, url_of
from tests.e2e.http_service import HTTP, POLICY
from tests.fakes.calendar import FakeCalendar

pytestmark = pytest.mark.ots_client

OTS = Path(sys.executable).with_name("ots")


@pytest.fixture
def ots(require, tmp_path):
    """Return a function that runs the stock client in its own home."""
    require(OTS.is_file(), f"the stock client (PyPI opentimestamps-client) is not at {OTS}")

    def run(*arguments):
        return subprocess.run(
            [str(OTS), "--no-cache", *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TZ": "UTC"},
        )

    return run


@pytest.fixture
def running(tmp_path):
    """Serve our calendar; behind it a public one that is a fake, and a chain."""
    with FakeCalendar() as public:
        backend = CalendarBackend(
            CalendarSettings(
                public.url,
                interval_s=0.05,
                min_gap_s=0.05,
                first_ask_s=0.05,
                ask_min_s=0.05,
                ask_max_s=0.1,
                recheck_s=0.05,
                final_depth=1,
                min_header_work=0,
            ),
            EsploraHeaders(f"{public.url}/esplora"),
        )
        # The promise names our address, so the port must be known before.
        probe = bind("127.0.0.1", 0)
        url = url_of(probe)
        probe.close()
        settings = Settings(
            data=tmp_path / "data",
            port=int(url.rpartition(":")[2]),
            public_url=url,
            log=LogSettings(disk_reserve_mb=0),
            calendar_endpoint=CalendarEndpointSettings(enabled=True),
        )
        service = build_service(settings, backends=(backend,), policy=POLICY)
        service.start()
        try:
            with BackgroundServer(create_app(service), port=settings.port) as server:
                yield server, service, public
        finally:
            service.stop()
            backend.close()


def attestations(path):
    return {p.attestation for p in parse_detached(path.read_bytes()).tree.paths()}


def test_stamp_upgrade_info(ots, running, tmp_path):
    server, service, public = running
    cat = tmp_path / "cat.txt"
    cat.write_text(f"a cat at {datetime.now(UTC)}")
    stamped = ots("stamp", "-c", server.url, "-m", "1", cat)
    assert stamped.returncode == 0, stamped.stderr
    proof = tmp_path / "cat.txt.ots"
    assert attestations(proof) == {PendingAttestation(server.url)}
    assert service.store.committed.tree_size == 1

    # Not yet in a block: the client says that it waits, and the file is not spoilt.
    early = ots("-l", server.url, "upgrade", proof)
    assert early.returncode == 1, early.stderr

    height = None
    for _ in range(200):
        if public.requests and height is None:
            try:
                height = public.mine()
                public.chain.mine(7)
            except ValueError:
                height = None  # nothing was submitted there yet
        name = service.anchorer.backend_names[0]
        if height is not None and not service.anchorer.wait_final(1, 0.1, [name]):
            break
        service.anchorer.force()
        time.sleep(0.05)
    (tmp_path / "cat.txt.ots.bak").unlink(missing_ok=True)
    upgraded = ots("-l", server.url, "upgrade", proof)
    assert upgraded.returncode == 0, upgraded.stderr
    assert "Success! Timestamp complete" in upgraded.stderr
    assert BitcoinAttestation(height) in attestations(proof)
    shown = ots("info", proof)
    assert f"BitcoinBlockHeaderAttestation({height})" in shown.stdout


def test_several_files_in_one_go(ots, running, tmp_path):
    server, service, _ = running
    files = []
    for number in range(5):
        path = tmp_path / f"{number}.bin"
        path.write_bytes(os.urandom(100))
        files.append(path)
    stamped = ots("stamp", "-c", server.url, "-m", "1", *files)
    assert stamped.returncode == 0, stamped.stderr
    # The client builds a tree of its own: one digest reaches us.
    assert service.store.committed.tree_size == 1
    for path in files:
        assert attestations(path.with_name(path.name + ".ots")) == {PendingAttestation(server.url)}


def test_a_service_that_takes_no_writes_fails_the_stamp(ots, running, tmp_path):
    server, service, _ = running
    service.sequencer.stop_accepting("for the test")
    cat = tmp_path / "cat.txt"
    cat.write_text("a cat")
    stamped = ots("stamp", "-c", server.url, "-m", "1", cat)
    assert stamped.returncode == 1
    assert not (tmp_path / "cat.txt.ots").exists()
    assert HTTP.get(f"{server.url}/healthz").status_code == 200
