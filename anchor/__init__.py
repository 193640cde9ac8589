"""Vestige: timestamps that a court can check without trusting anybody who has an interest.

The names below are the public library: read a proof, read a policy, judge one under the other.

    >>> from anchor import load_default_policy, parse_proof, verify_proof

Importing this package loads nothing else; each name brings in its module when it is first used
(PEP 562). None of them needs more than ``cryptography``. The client of a Vestige service, which
needs httpx, is :mod:`anchor.client`; what the service is made of stays behind ``vestige serve``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from anchor.errors import (
        BackendError,
        ConfigError,
        FormatError,
        IncompleteProofError,
        NotFoundError,
        StoreError,
        UsageError,
        VerificationError,
        VestigeError,
    )
    from anchor.formats.ots.codec import DetachedTimestamp, parse_detached
    from anchor.policies import load_default_policy
    from anchor.proof.codec import parse_proof, serialize_proof
    from anchor.proof.merge import merge_proofs
    from anchor.proof.policy import Policy, parse_policy
    from anchor.proof.proof import Proof
    from anchor.verify.judge import Judge, verify_proof
    from anchor.verify.known import ConfirmedBlock, HeaderArchive, KnownFacts
    from anchor.verify.report import verdict_to_json
    from anchor.verify.verdict import Answer, Status, Verdict

    __version__: str

__all__ = [
    "Answer",
    "BackendError",
    "ConfigError",
    "ConfirmedBlock",
    "DetachedTimestamp",
    "FormatError",
    "HeaderArchive",
    "IncompleteProofError",
    "Judge",
    "KnownFacts",
    "NotFoundError",
    "Policy",
    "Proof",
    "Status",
    "StoreError",
    "UsageError",
    "Verdict",
    "VerificationError",
    "VestigeError",
    "__version__",
    "load_default_policy",
    "merge_proofs",
    "parse_detached",
    "parse_policy",
    "parse_proof",
    "serialize_proof",
    "verdict_to_json",
    "verify_proof",
]

_HOMES: Final = {
    "anchor.errors": (
        "BackendError",
        "ConfigError",
        "FormatError",
        "IncompleteProofError",
        "NotFoundError",
        "StoreError",
        "UsageError",
        "VerificationError",
        "VestigeError",
    ),
    "anchor.formats.ots.codec": ("DetachedTimestamp", "parse_detached"),
    "anchor.policies": ("load_default_policy",),
    "anchor.proof.codec": ("parse_proof", "serialize_proof"),
    "anchor.proof.merge": ("merge_proofs",),
    "anchor.proof.policy": ("Policy", "parse_policy"),
    "anchor.proof.proof": ("Proof",),
    "anchor.verify.judge": ("Judge", "verify_proof"),
    "anchor.verify.known": ("ConfirmedBlock", "HeaderArchive", "KnownFacts"),
    "anchor.verify.report": ("verdict_to_json",),
    "anchor.verify.verdict": ("Answer", "Status", "Verdict"),
}
_HOME_OF: Final = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import the module of a public name, and remember the name."""
    value: Any
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415 - reads the disk

        value = version("vestige")
    elif name in _HOME_OF:
        value = getattr(import_module(_HOME_OF[name]), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the public names, loaded or not."""
    return sorted(__all__)
