"""The client of a Vestige service, and what a person's own machine does with its answers.

:class:`ServiceClient` and :class:`AsyncServiceClient` speak the HTTP interface
(``docs/spec/http.md``); the modules beside them stamp files, upgrade proofs and remember which logs
were seen with which key and checkpoint. Importing this package loads neither httpx nor any of
them: each name brings in its module when it is first used (PEP 562).

Nothing here is believed because a service said it: receipts are verified before they are written.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from anchor.client.async_service_client import AsyncServiceClient
    from anchor.client.service_client import ServiceClient

__all__ = ["AsyncServiceClient", "ServiceClient"]

_HOME_OF: Final = {
    "AsyncServiceClient": "anchor.client.async_service_client",
    "ServiceClient": "anchor.client.service_client",
}


def __getattr__(name: str) -> Any:
    """Import the module of a public name, and remember the name."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value
