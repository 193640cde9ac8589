"""The creator's side on disk: the vault in a working folder, its keys, the recorder, the queue.

    vault = Vault.open(Path.cwd())
    recorder = Recorder(vault, KeyStore().signer_of(vault))
    recorder.append(Draft("prompt", {"positive": "a cat on a roof"}))

A record is in the vault when its file is durable in ``records/``; what is not there was not
acknowledged. Offline never blocks a record: what has no proof yet is the queue
(:mod:`anchor.vault.sender`).

Importing this package loads none of its modules; each name brings in its own when first used
(PEP 562), so that a command costs what it needs.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from anchor.vault.draft import Attachment, Draft
    from anchor.vault.key_store import KeyStore
    from anchor.vault.recorder import Recorder
    from anchor.vault.sender import Sender
    from anchor.vault.vault import Vault

__all__ = ["Attachment", "Draft", "KeyStore", "Recorder", "Sender", "Vault"]

_HOME_OF: Final = {
    "Attachment": "anchor.vault.draft",
    "Draft": "anchor.vault.draft",
    "KeyStore": "anchor.vault.key_store",
    "Recorder": "anchor.vault.recorder",
    "Sender": "anchor.vault.sender",
    "Vault": "anchor.vault.vault",
}


def __getattr__(name: str) -> Any:
    """Import the module of a public name, and remember the name."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value
