"""What the verbs of the recorder share: finding vault, key and service, saying what was done.

A record is made, then printed, then sent: by the time anything is asked of the network the record
is durable, and whatever the network does, the exit status is that of the record.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from anchor.backends.address import shown_address
from anchor.cli import _exit_status
from anchor.cli._arguments import load_policy, server_url
from anchor.cli._output import Output, padded, word
from anchor.cli._passphrase import PASSPHRASE_FILE, ask_passphrase
from anchor.cli.program import error_to_json
from anchor.errors import ConfigError, UsageError, VestigeError
from anchor.vault.key_store import KeyStore, Place
from anchor.vault.service_memory import ServiceMemory
from anchor.vault.vault import Vault

if TYPE_CHECKING:
    from anchor.client.service_client import ServiceClient
    from anchor.records.record import Record
    from anchor.vault.draft import Draft
    from anchor.vault.proof_states import PolicySource
    from anchor.vault.recorder import Recorder
    from anchor.vault.sender import Sent
    from anchor.vault.signer import Signer

_KEYS: Final = "VESTIGE_KEYS"
_OFFLINE: Final = "VESTIGE_OFFLINE"
_SENTENCE_COLUMNS: Final = 72
_TIMEOUT_S: Final = 3.0
_ROLES: Final = ("author", "co-author", "assistant", "tool", "importer")


def add_vault(parser: argparse.ArgumentParser) -> None:
    """Add ``--vault``."""
    parser.add_argument(
        "--vault",
        metavar="DIR",
        type=Path,
        default=Path(),
        help="a folder with a vault, or below one (default: this one)",
    )


def add_recording(parser: argparse.ArgumentParser, *, note: bool = True) -> None:
    """Add what every verb takes that makes a record."""
    add_vault(parser)
    if note:
        parser.add_argument("--note", metavar="TEXT", help="a remark of your own, in the record")
    parser.add_argument(
        "--role",
        choices=_ROLES,
        default="author",
        help="who acted (default: author)",
    )
    parser.add_argument(
        "--set",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="another field of the record, as docs/spec/record.md lists them (may be repeated)",
    )
    add_sending(parser)


def add_sending(parser: argparse.ArgumentParser) -> None:
    """Add ``--server`` and ``--offline``."""
    parser.add_argument("--server", metavar="URL", help="the service to send to")
    parser.add_argument(
        "--offline", action="store_true", help="record only; what waits is sent another time"
    )


def policy_source(path: Path | None) -> PolicySource:
    """Return the policy that the person named, or the one of this release, not read yet."""
    from anchor.vault.proof_states import PolicySource

    named = path or os.environ.get("VESTIGE_POLICY")
    if named is not None:
        return PolicySource.of(load_policy(path))
    data = files("anchor").joinpath("policies", "default.json").read_bytes()
    return PolicySource(hashlib.sha256(data).digest(), lambda: load_policy(None))


def now() -> datetime:
    """Return the time, aware UTC."""
    return datetime.now(UTC)


# -- keys ------------------------------------------------------------------------------------------


def key_store() -> KeyStore:
    """Return the person's keys; ``VESTIGE_KEYS`` says where new ones go."""
    places: dict[str, Place] = {"auto": "auto", "keyring": "keyring", "file": "file"}
    default = "file" if os.environ.get(PASSPHRASE_FILE) else "auto"
    wanted = os.environ.get(_KEYS) or default
    if wanted not in places:
        raise ConfigError(
            f"{_KEYS} is {wanted!r}, wanted auto, keyring or file", code="config.keys"
        )
    return KeyStore(ask=ask_passphrase, place=places[wanted])


# -- the service -----------------------------------------------------------------------------------


def vault_server(args: argparse.Namespace, vault: Vault) -> str:
    """Return the service: the flag, the environment, the one that the vault names, this machine."""
    if args.server or os.environ.get("VESTIGE_SERVER") or vault.project.server is None:
        return server_url(args)
    return vault.project.server


class Link:
    """The way to the service: opened when first wanted, and not at all where it was silent."""

    def __init__(self, url: str, *, offline: bool) -> None:
        self.url = url
        self.place = shown_address(url.rstrip("/"))
        self._memory = ServiceMemory(time.time)
        self._offline = offline or bool(os.environ.get(_OFFLINE))
        self._client: ServiceClient | None = None

    @property
    def is_down(self) -> bool:
        """Return whether nothing is to be asked of it now."""
        return self._offline or self._memory.is_silent(self.place)

    @property
    def is_offline(self) -> bool:
        """Return whether the person wants no network."""
        return self._offline

    def client(self) -> ServiceClient:
        """Return the client: one attempt, short waits."""
        if self._client is None:
            from anchor.client.service_client import ServiceClient

            self._client = ServiceClient(self.url, timeout_s=_TIMEOUT_S, attempts=1)
        return self._client

    def fetch_beacons(self) -> dict[str, Any]:
        """Ask for beacons."""
        with self.noticed():
            return self.client().fetch_beacons()

    @contextlib.contextmanager
    def noticed(self) -> Iterator[None]:
        """Remember whether the service answered to what the block asks."""
        from anchor.errors import BackendUnavailableError

        try:
            yield
        except BackendUnavailableError:
            self._memory.was_silent(self.place)
            raise
        self._memory.answered(self.place)

    def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            self._client.close()


# -- recording -------------------------------------------------------------------------------------


class Desk:
    """A vault that is open for recording; a context manager.

    Attributes:
        vault: the vault.
        link: the way to its service.
    """

    def __init__(self, args: argparse.Namespace, out: Output) -> None:
        self._args = args
        self._out = out
        self.vault = Vault.open(args.vault)
        self.vault.objects.tell_mended = self._mended
        self.link = Link(vault_server(args, self.vault), offline=args.offline)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.link.close()
        self.vault.close()

    def _mended(self, path: Path) -> None:
        self._out.warn(
            f"{path} no longer held what was recorded; the same bytes came again and are there now",
            "the disk may be failing: vestige rebuild --originals reads the others",
        )

    def recorder(self, vault: Vault, signer: Signer) -> Recorder:
        """Return a recorder with this desk's beacons."""
        from anchor.vault.beacon_cache import BeaconCache
        from anchor.vault.recorder import Recorder

        fetch = None if self.link.is_down else self.link.fetch_beacons
        return Recorder(vault, signer, beacons=BeaconCache(fetch, time.time).beacons)

    def record(self, drafts: Sequence[Draft]) -> int:
        """Make records, print them, send what waits; return the exit status."""
        from anchor.vault.key_records import signing_key

        if not drafts:
            raise UsageError("nothing to record")
        reason = self.vault.read_only_reason
        if reason is not None:
            raise reason
        signer = signing_key(self.vault, key_store(), drafts[0].role)
        made = self.recorder(self.vault, signer).append_many(drafts)
        return self.report(made)

    def report(self, made: Sequence[Record | VestigeError]) -> int:
        """Print what was made, send what waits; return the exit status."""
        errors = [item for item in made if isinstance(item, VestigeError)]
        records = [item for item in made if not isinstance(item, VestigeError)]
        for record in records:
            self._out.line(padded(record_line(record), _SENTENCE_COLUMNS), word("pending"))
        for error in errors:
            self._out.error(error)
        sent = self.send() if records else None
        status = _exit_status.worst_status(map(_exit_status.exit_status_of, errors))
        self._out.object({
            "records": [record_to_json(record, self.vault) for record in records],
            "errors": [error_to_json(error) for error in errors],
            "sent": [] if sent is None else list(sent.sent),
            "queued": self.queued(),
            "exit_status": status,
        })  # fmt: skip
        return status

    def send(self) -> Sent | None:
        """Send what waits, if the service is to be asked now; say why not otherwise."""
        if self.link.is_offline:
            return None
        if self.link.is_down:
            self._queued(f"{self.link.place} did not answer a moment ago")
            return None
        from anchor.client.known_logs import KnownLogs
        from anchor.client.state_folder import state_folder
        from anchor.errors import IncompleteProofError
        from anchor.vault.sender import Sender

        try:
            policy = load_policy(None)
            logs = KnownLogs(state_folder(), policy)
            sender = Sender(self.vault, self.link.client(), policy, logs, now)
            with self.link.noticed():
                sent = sender.send()
        except IncompleteProofError:
            return None  # another command is sending right now
        except VestigeError as error:
            self._queued(error.message)
            return None
        for _, failure in sent.failures:
            self._out.warn(failure.message, failure.hint)
        if sent.sent:
            self._out.note(f"{counted(len(sent.sent), 'record')} sent to {self.link.place}")
        return sent

    def queued(self) -> int:
        """Return how many records wait."""
        from anchor.vault.proof_states import scan_proofs

        return len(scan_proofs(self.vault).queued(self.vault.size))

    def _queued(self, why: str) -> None:
        count = self.queued()
        self._out.note(f"{counted(count, 'record')} queued, to be sent with a later one: {why}")


def record_draft(
    args: argparse.Namespace, kind: str, fields: Mapping[str, Any], **more: Any
) -> Draft:
    """Return a draft with what :func:`add_recording` added."""
    from anchor.cli._fields import parse_settings
    from anchor.vault.draft import Draft

    told = {name: value for name, value in fields.items() if value not in (None, [], ())}
    common = {"note": getattr(args, "note", None), **parse_settings(kind, args.set)}
    return Draft(kind, {**common, **told}, role=args.role, **more)


# -- words -----------------------------------------------------------------------------------------


def counted(count: int, what: str) -> str:
    """Return ``1 record``, ``2 records``."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def record_line(record: Record) -> str:
    """Return one line about a record that was made."""
    from anchor.vault.entry import entry_of

    entry = entry_of(record)
    line = f"record {entry.seq}  {entry.kind}"
    if entry.summary:
        room = _SENTENCE_COLUMNS - len(line) - 4
        cut = entry.summary if len(entry.summary) <= room else entry.summary[: room - 1] + "…"
        line = f"{line}: {cut}"
    return line


def record_to_json(record: Record, vault: Vault) -> dict[str, Any]:
    """Return what ``--json`` says of a record that was made."""
    from anchor.vault.entry import entry_of

    return {
        **entry_to_json(entry_of(record)),
        "path": str(vault.layout.record(record.seq)),
        "not_before": [beacon.to_json() for beacon in record.not_before],
    }


def entry_to_json(entry: Any) -> dict[str, Any]:
    """Return what ``--json`` says of a row of the index."""
    return {
        "seq": entry.seq,
        "kind": entry.kind,
        "digest": entry.digest.hex(),
        "claimed_time": entry.claimed_time,
        "clock_source": entry.clock_source,
        "role": entry.role,
        "mode": entry.mode,
        "tier": entry.tier,
        "late": entry.late,
        "summary": entry.summary,
        "parents": list(entry.parents),
        "files": [
            {
                "ref": f"{entry.seq}.{file.number}",
                "role": file.role,
                "name": file.name,
                "media_type": file.media_type,
                "size": file.size,
                "sha256": file.sha256.hex(),
            }
            for file in entry.files
        ],
    }
