"""A real service with a local authority and a beacon, which can be taken away and brought back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from anchor.backends.bitcoin_headers import EsploraHeaders
from anchor.backends.local_tsa import LocalAuthority
from anchor.backends.local_tsa_server import LocalAuthorityServer
from anchor.backends.tsa import TsaBackend
from anchor.backends.tsa_client import TsaSettings
from anchor.config.beacons import Beacons, bitcoin_beacon
from anchor.config.settings import LogSettings, Settings
from anchor.config.wiring import build_service
from anchor.proof.policy import parse_policy
from anchor_api.app import create_app
from anchor_api.server import BackgroundServer
from tests.fakes.calendar import FakeCalendar


class Served:
    """A service that can be taken away and brought back, at one address."""

    def __init__(self, folder: Path, backend: TsaBackend, policy, calendar: FakeCalendar) -> None:
        self.policy = policy
        headers = EsploraHeaders(f"{calendar.url}/esplora")
        settings = Settings(data=folder / "data", log=LogSettings(disk_reserve_mb=0))
        self.service = build_service(
            settings,
            backends=(backend,),
            policy=policy,
            public_url="http://127.0.0.1:1",
            beacons=Beacons({"bitcoin": bitcoin_beacon(headers)}),
        )
        self.service.start()
        self.server: BackgroundServer | None = None
        self.port = 0
        self.come_back()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def go_away(self) -> None:
        self.server.stop()

    def come_back(self) -> None:
        self.server = BackgroundServer(create_app(self.service), port=self.port)
        self.server.start()
        self.port = int(self.server.url.rpartition(":")[2])

    def anchor(self) -> None:
        """Wait until a round over everything sent so far is final.

        The tree is larger than the records are many: digests of tokens are entries, too.
        """
        size = self.service.committed.tree_size
        self.service.anchorer.force()
        assert self.service.anchorer.wait_final(size, 60) == []

    def stop(self) -> None:
        self.server.stop()
        self.service.stop()


@contextmanager
def recorder_service(tmp_path: Path) -> Iterator[Served]:
    """Serve; ``policy.json`` in the folder names the authority as one to be believed."""
    authority = LocalAuthority.create(datetime.now(UTC))
    entry = {
        "version": 1, "name": "tests", "class": "test", "authorities": [authority.policy_entry()],
    }  # fmt: skip
    (tmp_path / "policy.json").write_text(json.dumps(entry))
    policy = parse_policy((tmp_path / "policy.json").read_bytes())
    with FakeCalendar() as calendar, LocalAuthorityServer(authority) as tsa:
        backend = TsaBackend(
            TsaSettings("local", tsa.url, (authority.root,), interval_s=0.05, min_gap_s=0.05)
        )
        made = Served(tmp_path / "service", backend, policy, calendar)
        yield made
        made.stop()
        backend.close()
