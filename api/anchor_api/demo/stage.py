"""What the demo runs on: the real service, a chain in this process, an authority on loopback.

Everything is started in the constructor's order and stopped in the opposite one. The chain and the
authority's keys are in memory only and gone with the process.
"""

from __future__ import annotations

import socket
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Self

from anchor.backends.evm.backend import EvmBackend
from anchor.backends.evm.deployment import Deployment, deploy_registry
from anchor.backends.evm.in_process_node import InProcessNode
from anchor.backends.evm.keys import EvmKey
from anchor.backends.evm.settings import EvmAnchorSettings
from anchor.backends.local_tsa import LocalAuthority
from anchor.backends.local_tsa_server import LocalAuthorityServer
from anchor.backends.tsa import TsaBackend
from anchor.backends.tsa_client import TsaSettings
from anchor.config.load import load_settings
from anchor.config.wiring import build_service
from anchor.stores.round_store import SqliteRoundStore
from anchor_api.app import create_app
from anchor_api.server import BackgroundServer

_SETTINGS: Final = {
    # The folder is new: there is no older checkpoint that it could be compared with.
    "log.trust_own_disk": "true",
    "log.disk_reserve_mb": "16",
    "calendar_endpoint.enabled": "true",
    "log_level": "error",
}
_HOST: Final = "127.0.0.1"
_NO_INTERVAL_S: Final = 3600.0
_POLL_S: Final = 0.05


class Stage:
    """The running parts; a context manager.

    Args:
        folder: the data folder is made in it.

    Attributes:
        service: the service as the shells know it.
        url: its address on loopback.
        node: the chain.
        registry: the contract on it.
        authority: the time-stamping authority.
    """

    def __init__(self, folder: Path) -> None:
        with ExitStack() as opened:
            self.node = InProcessNode()
            key = EvmKey(self.node.funded_key())
            self.registry: Deployment = deploy_registry(self.node, key, poll_s=_POLL_S)
            self.authority = LocalAuthority.create(datetime.now(UTC))
            tsa = opened.enter_context(LocalAuthorityServer(self.authority))
            data = folder / "data"
            data.mkdir(mode=0o700)
            settings = load_settings({**_SETTINGS, "data": str(data)}, {})
            journals = SqliteRoundStore(data / "rounds.sqlite")
            opened.callback(journals.close)
            chain_id = self.node.fetch_chain_id()
            chain = EvmBackend(
                self.node,
                key,
                journals.journal(f"evm:{chain_id}"),
                EvmAnchorSettings(
                    chain_id=chain_id,
                    contract=self.registry.address,
                    ceiling_wei=10**12,
                    interval_s=_NO_INTERVAL_S,
                    min_gap_s=0,
                    poll_s=_POLL_S,
                ),
            )
            authority = TsaBackend(
                TsaSettings(
                    name="demo",
                    url=tsa.url,
                    roots=(self.authority.root,),
                    interval_s=_NO_INTERVAL_S,
                    min_gap_s=0,
                    fetch_revocation=False,
                )
            )
            # Promises of the calendar protocol name the address, so it is chosen first.
            port = _free_port()
            self.url = f"http://{_HOST}:{port}"
            self.service = build_service(settings, backends=[authority, chain], public_url=self.url)
            opened.callback(self.service.stop)
            opened.enter_context(BackgroundServer(create_app(self.service), _HOST, port))
            self.service.start()
            self._opened = opened.pop_all()

    def close(self) -> None:
        """Stop everything in order; safe to call twice."""
        self._opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        return int(probe.getsockname()[1])
