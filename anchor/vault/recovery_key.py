"""The recovery key as text that a person can keep on paper.

    vestige-recovery-1 ABCD-EFGH-…   14 groups of 4

Base32 (RFC 4648, section 6) of the 32-byte Ed25519 seed and the first three bytes of its SHA-256,
which catch what was copied wrongly. Letters of either case, spaces and hyphens are read; a line
that begins with ``#`` is a remark.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from pathlib import Path
from typing import Final

from anchor.client.local_file import load_bytes
from anchor.errors import FormatError, StoreConflictError
from anchor.vault.durable import flush, flush_folder, translated, want_folder_of
from anchor.vault.signer import Signer

_PREFIX: Final = "vestige-recovery-1"
_SUM_BYTES: Final = 3
_GROUP: Final = 4
_MAX_BYTES: Final = 4096
_REMARKS: Final = """\
# The recovery key of a Vestige project. Whoever has it can take the signing key away from its
# creator; without it a lost or stolen signing key can not be replaced. Keep it offline, on paper or
# on a medium in a drawer, and not on the machine that the project is on.
# Public thumbprint: {thumbprint}
"""


def recovery_text(signer: Signer) -> str:
    """Return the line that holds the key."""
    seed = signer.seed
    data = base64.b32encode(seed + hashlib.sha256(seed).digest()[:_SUM_BYTES]).decode()
    groups = [data[start : start + _GROUP] for start in range(0, len(data), _GROUP)]
    return f"{_PREFIX} {'-'.join(groups)}"


def parse_recovery(text: str) -> Signer:
    """Read the text again.

    Raises:
        FormatError: it is not one, or was copied wrongly. The message holds none of it.
    """
    lines = [line.strip() for line in text.splitlines()]
    words = " ".join(line for line in lines if line and not line.startswith("#"))
    head, _, rest = words.partition(" ")
    if head.lower() != _PREFIX:
        raise FormatError(f"no recovery key: it begins with {_PREFIX}", code="keys.recovery")
    try:
        data = base64.b32decode("".join(rest.upper().replace("-", "").split()))
    except (binascii.Error, ValueError):
        data = b""
    seed, checksum = data[:-_SUM_BYTES], data[-_SUM_BYTES:]
    if len(seed) != 32 or hashlib.sha256(seed).digest()[:_SUM_BYTES] != checksum:
        raise FormatError(
            "the recovery key was not copied correctly: its last characters do not fit the others",
            code="keys.recovery",
        )
    return Signer.of_seed(seed)


def store_recovery(path: Path, signer: Signer) -> None:
    """Write the key to a new file that only its owner may read; durable on return.

    Raises:
        StoreConflictError: there is a file of that name.
        NotFoundError: there is no folder for it.
        StoreUnavailableError: it can not be written.
    """
    want_folder_of(path)
    text = _REMARKS.format(thumbprint=signer.thumbprint.hex()) + recovery_text(signer) + "\n"
    try:
        with translated(path):
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(text.encode())
                file.flush()
                flush(file.fileno())
            flush_folder(path.parent)
    except StoreConflictError as error:
        raise StoreConflictError(
            f"{path} is there already; a recovery key is not written over anything",
            code="keys.recovery_exists",
            hint="name a file that is not there",
        ) from error


def load_recovery(path: Path) -> Signer:
    """Read the key from a file.

    Raises:
        NotFoundError, StoreError: it can not be read.
        FormatError: it holds no recovery key.
    """
    data = load_bytes(path, max_bytes=_MAX_BYTES, what="recovery key")
    try:
        return parse_recovery(data.decode("ascii"))
    except UnicodeDecodeError as error:
        raise FormatError(f"{path} holds no recovery key", code="keys.recovery") from error
