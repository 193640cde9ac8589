"""Which of several copies of a vault may write: the one whose token this machine holds.

A vault that was copied, or restored from an older copy, would go on from where that copy stood, and
give numbers to records that other records have already: a fork, which counts against the creator.
So a vault names an instance by the SHA-256 of a token; the token lies outside the folder, in the
person's state folder, with what else tells a copy: the machine, the folder, and the last record
written. Where they do not agree, the vault is read-only until it is adopted (``vestige adopt``).

What this does not do: a person who copies the token along on purpose is not stopped. Two such
copies are found out when their histories meet (``docs/threat-model.md``).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, unquote_to_bytes

from anchor.client.local_file import load_bytes, write_atomically
from anchor.client.state_folder import state_folder
from anchor.errors import FormatError, NotFoundError, StoreConflictError, StoreError
from anchor.formats.encoding import parse_hex, parse_json
from anchor.vault.durable import make_folder
from anchor.vault.layout import VAULT_FOLDER, Layout

_MAX_BYTES: Final = 64 << 10
_MACHINE_ID: Final = Path("/etc/machine-id")
_HINT: Final = "vestige adopt makes it go on here, as a branch; reading needs nothing"


@dataclass(frozen=True, slots=True)
class Mark:
    """The last record that this machine wrote into the project."""

    seq: int
    digest: bytes


class Instance:
    """The instance of one vault.

    Args:
        layout: of the vault.
        project: 16 bytes in hex.
        state: the person's state folder.
    """

    def __init__(self, layout: Layout, project: str, state: Path | None = None) -> None:
        self._layout = layout
        self._project = project
        self._folder = (state or state_folder()) / "vaults"
        self._token_file = self._folder / f"{project}.json"
        self._mark_file = self._folder / f"{project}.last"

    def claim(self) -> None:
        """Make this folder on this machine the one that may write; durable on return."""
        make_folder(self._folder, mode=0o700)
        token = secrets.token_bytes(32)
        value = {
            "version": 1,
            "project": self._project,
            "token": token.hex(),
            "machine": _machine(self._project),
            **self._place(),
        }
        write_atomically(self._token_file, _json(value))
        with contextlib.suppress(OSError):
            self._token_file.chmod(0o600)
        named = {"version": 1, "token_sha256": hashlib.sha256(token).hexdigest()}
        write_atomically(self._layout.instance_file, _json(named))

    def forget(self) -> None:
        """Give up the claim of a vault that never had a record."""
        with contextlib.suppress(OSError):
            self._token_file.unlink()

    def verify(self, digest_of: Callable[[int], bytes | None]) -> None:
        """Say nothing if this is the instance that may write.

        Args:
            digest_of: the digest of a record of the vault, or None if there is none of that number.

        Raises:
            StoreConflictError: it is not: ``vault.foreign`` (no token here), ``vault.copied``,
                ``vault.older`` (records written here are not in it).
        """
        kept = self._load(self._token_file)
        named = self._load(self._layout.instance_file)
        if kept is None or named is None or not _fits(kept.get("token"), named.get("token_sha256")):
            raise StoreConflictError(
                f"{self._layout.work} is a copy: this machine does not hold the vault's token, "
                "so that it is read-only",
                code="vault.foreign",
                hint=_HINT,
            )
        if kept.get("machine") not in (None, _machine(self._project)):
            raise StoreConflictError(
                f"{self._layout.work} was made on another machine and came here with the home "
                "folder, so that it is read-only",
                code="vault.foreign",
                hint=_HINT,
            )
        self._verify_place(kept)
        mark = self.mark()
        if mark is not None and digest_of(mark.seq) != mark.digest:
            raise StoreConflictError(
                f"{self._layout.work} is an older or other state of the vault: record {mark.seq}, "
                "written on this machine, is not in it, so that it is read-only",
                code="vault.older",
                hint=f"look for the newer state first; {_HINT}",
            )

    def settle(self) -> None:
        """Remember where the vault is now, if it was moved; after :meth:`verify`, while it is held.

        Otherwise a copy of the moved vault could not be told from the vault.
        """
        kept = self._load(self._token_file)
        here = self._place()
        if kept is not None and {**kept, **here} != kept:
            write_atomically(self._token_file, _json({**kept, **here}))

    def mark(self) -> Mark | None:
        """Return the last record that this machine wrote, as far as it is remembered."""
        value = self._load(self._mark_file)
        if value is None:
            return None
        try:
            return Mark(int(value["seq"]), parse_hex(value["digest"], n_bytes=32))
        except (KeyError, TypeError, ValueError, FormatError):
            return None

    def remember(self, mark: Mark | None) -> None:
        """Remember the last record written; a power cut may take it back to an earlier one."""
        if mark is None:
            with contextlib.suppress(OSError):
                self._mark_file.unlink()
            return
        # Not flushed: a mark that is lost or behind forbids nothing.
        with contextlib.suppress(OSError):
            scratch = self._mark_file.with_suffix(f".{os.getpid()}")
            scratch.write_bytes(_json({"seq": mark.seq, "digest": mark.digest.hex()}))
            scratch.replace(self._mark_file)

    # -- the parts ---------------------------------------------------------------------------------

    def _verify_place(self, kept: dict[str, Any]) -> None:
        """Allow the folder to be moved, not to be doubled."""
        here = self._place()
        if kept.get("inode") == here["inode"] or kept.get("folder") == here["folder"]:
            return
        first = Path(os.fsdecode(unquote_to_bytes(str(kept.get("folder"))))) / VAULT_FOLDER
        if first.is_dir() and _inode(first) == kept.get("inode"):
            raise StoreConflictError(
                f"{self._layout.work} is a copy of the vault in {first.parent}, "
                "so that it is read-only",
                code="vault.copied",
                hint=f"go on in {first.parent}; {_HINT}",
            )

    def _place(self) -> dict[str, Any]:
        # Quoted: a folder's name may hold bytes that no JSON carries.
        return {
            "folder": quote(os.fsencode(self._layout.work)),
            "inode": _inode(self._layout.root),
        }

    def _load(self, path: Path) -> dict[str, Any] | None:
        try:
            data = load_bytes(path, max_bytes=_MAX_BYTES, what="state of a vault")
            value = parse_json(data, max_bytes=_MAX_BYTES, what=str(path))
        except (NotFoundError, FormatError):
            return None
        except StoreError:
            return None
        return value if isinstance(value, dict) else None


def known_projects(state: Path | None = None) -> list[str]:
    """Return the projects that this person has vaults of, by id."""
    folder = (state or state_folder()) / "vaults"
    return sorted(path.stem for path in folder.glob("*.json")) if folder.is_dir() else []


def _fits(token: object, named: object) -> bool:
    if not isinstance(token, str) or not isinstance(named, str):
        return False
    try:
        digest = hashlib.sha256(parse_hex(token, n_bytes=32)).hexdigest()
    except FormatError:
        return False
    return secrets.compare_digest(digest.encode(), named.encode())


def _inode(folder: Path) -> str:
    status = folder.stat()
    return f"{status.st_dev}:{status.st_ino}"  # text: either may be past what JSON numbers carry


def _machine(project: str) -> str | None:
    """Return a pseudonym of the machine for this project, or None where it has no id to be read."""
    try:
        machine_id = _MACHINE_ID.read_bytes()[:256].strip()
    except OSError:
        return None
    if not machine_id:
        return None
    return hashlib.sha256(b"vestige vault " + project.encode() + machine_id).hexdigest()[:32]


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, indent=2).encode() + b"\n"
