"""What this machine remembers of each log: its key, and the newest checkpoint seen.

Rules (VERDICTS, the log part):

* A log that the policy knows is held to the policy's keys. Any other log's key is taken on first
  use and held to from then on; another key under the same origin is refused.
* Each new checkpoint must be consistent with the newest one remembered. The consistency proof is
  made here from the log's tiles.
* Two checkpoints without such a proof are both kept as evidence, and that is an error: the log may
  have shown different histories to different people.

One small JSON file an origin, written atomically, under a lock, in the person's state folder.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from anchor import limits
from anchor.client.local_file import load_bytes, write_atomically
from anchor.client.tile_hashes import FetchTile, TileHashes
from anchor.errors import (
    BackendUnavailableError,
    ConsistencyError,
    FormatError,
    NotFoundError,
    SignatureError,
    StoreUnavailableError,
    VestigeError,
)
from anchor.formats.checkpoint import Checkpoint, log_signed_only, parse_checkpoint
from anchor.formats.encoding import parse_json
from anchor.formats.merkle import consistency_path, verify_consistency
from anchor.formats.note import NoteKey, SignedNote, parse_note, parse_note_key, verify_note
from anchor.proof.fields import Fields
from anchor.proof.policy import Policy
from anchor.verify.inclusion import verify_checkpoint

_MAX_STATE_BYTES: Final = 256 << 10


@dataclass(frozen=True, slots=True)
class _Remembered:
    """What the file of one origin says."""

    key: NoteKey | None
    note: SignedNote
    checkpoint: Checkpoint


class KnownLogs:
    """Remembers logs in a folder.

    Args:
        folder: made when something is remembered first.
        policy: whose log keys are held to before any remembered one.
    """

    def __init__(self, folder: Path, policy: Policy) -> None:
        self._folder = folder / "logs"
        self._policy = policy

    def observe(
        self, note_text: str, *, offered_key: Callable[[], str], fetch_tile: FetchTile
    ) -> Checkpoint:
        """Verify a checkpoint that a log shows now, and remember it if it is the newest.

        Args:
            note_text: the signed note.
            offered_key: asks the service for its log's key; called on first use only.
            fetch_tile: reads the log's tiles.

        Raises:
            SignatureError: not signed by the key that this log is held to.
            ConsistencyError: no consistency proof leads from the one checkpoint to the other; both
                are kept.
            FormatError: it is no checkpoint.
            BackendUnavailableError: the tiles could not be fetched; both are kept.
            StoreUnavailableError: it could not be remembered.
        """
        note = parse_note(note_text)
        checkpoint = parse_checkpoint(note.text)
        with self._locked(checkpoint.origin):
            remembered = self._load(checkpoint.origin)
            key = self._verified_key(note, checkpoint, remembered, offered_key)
            if remembered is not None:
                self._compare(remembered, note, checkpoint, fetch_tile)
            if remembered is None or checkpoint.tree_size > remembered.checkpoint.tree_size:
                self._store(checkpoint.origin, key, note)
        return checkpoint

    def newest(self, origin: str) -> Checkpoint | None:
        """Return the newest checkpoint remembered of a log, or None."""
        remembered = self._load(origin)
        return None if remembered is None else remembered.checkpoint

    # -- the key -----------------------------------------------------------------------------------

    def _verified_key(
        self,
        note: SignedNote,
        checkpoint: Checkpoint,
        remembered: _Remembered | None,
        offered_key: Callable[[], str],
    ) -> NoteKey | None:
        """Verify the note; return the key taken on first use, None where the policy has one."""
        if verify_checkpoint(note, checkpoint, self._policy) is not None:
            return None
        if any(log.origin == checkpoint.origin for log in self._policy.logs):
            raise SignatureError(
                f"the checkpoint of {checkpoint.origin} is not signed by the policy's key",
                code="log.key_changed",
            )
        key = remembered.key if remembered is not None and remembered.key else None
        if key is None:
            key = parse_note_key(offered_key())
        try:
            verify_note(note, key)
        except SignatureError as error:
            raise SignatureError(
                f"the checkpoint of {checkpoint.origin} is not signed by the key "
                f"{key.key_id.hex()} that this log had before: {error.message}",
                code="log.key_changed",
                hint="ask the operator, by another way, whether the key was changed",
            ) from error
        return key

    # -- consistency -------------------------------------------------------------------------------

    def _compare(
        self,
        remembered: _Remembered,
        note: SignedNote,
        checkpoint: Checkpoint,
        fetch_tile: FetchTile,
    ) -> None:
        older, newer = sorted((remembered.checkpoint, checkpoint), key=lambda c: c.tree_size)
        try:
            _verify_consistent(older, newer, fetch_tile)
        except VestigeError as error:
            folder = self._keep_both(remembered.note, note, checkpoint.origin)
            if isinstance(error, BackendUnavailableError):
                raise
            raise ConsistencyError(
                f"{checkpoint.origin} shows a tree of size {checkpoint.tree_size} and does not "
                f"show that it agrees with the one of size {remembered.checkpoint.tree_size} seen "
                f"before: {error.message}",
                code="log.inconsistent",
                hint=f"both checkpoints are kept in {folder}: show them to others",
            ) from error

    def _keep_both(self, old: SignedNote, new: SignedNote, origin: str) -> Path:
        folder = self._folder / f"{_name(origin)}.evidence"
        for note in (old, new):
            data = note.serialize().encode()
            size = parse_checkpoint(note.text).tree_size
            name = f"{size}-{hashlib.sha256(data).hexdigest()[:16]}.checkpoint"
            _make_folder(folder)
            write_atomically(folder / name, data)
        return folder

    # -- the file ----------------------------------------------------------------------------------

    def _load(self, origin: str) -> _Remembered | None:
        path = self._folder / f"{_name(origin)}.json"
        try:
            data = load_bytes(path, max_bytes=_MAX_STATE_BYTES, what="remembered log")
        except NotFoundError:
            return None
        fields = Fields(parse_json(data, max_bytes=_MAX_STATE_BYTES, what=str(path)), str(path))
        fields.integer("version", minimum=1, maximum=1)
        if fields.text("origin") != origin:
            raise FormatError(f"{path} is about another log", hint="move it away and try again")
        key = fields.optional("key", lambda name: parse_note_key(fields.text(name)))
        note = parse_note(fields.text("checkpoint", max_characters=limits.MAX_NOTE_BYTES))
        fields.done()
        return _Remembered(key, note, parse_checkpoint(note.text))

    def _store(self, origin: str, key: NoteKey | None, note: SignedNote) -> None:
        value = {
            "version": 1,
            "origin": origin,
            "key": None if key is None else key.text,
            "checkpoint": (note if key is None else log_signed_only(note, key)).serialize(),
        }
        data = json.dumps(value, indent=2, ensure_ascii=False).encode() + b"\n"
        write_atomically(self._folder / f"{_name(origin)}.json", data)

    @contextlib.contextmanager
    def _locked(self, origin: str) -> Iterator[None]:
        """Let one process at a time read and replace the file of an origin."""
        _make_folder(self._folder)
        try:
            import fcntl  # noqa: PLC0415 - not on every system
        except ImportError:
            yield
            return
        with (self._folder / f"{_name(origin)}.lock").open("wb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _verify_consistent(older: Checkpoint, newer: Checkpoint, fetch_tile: FetchTile) -> None:
    if older.tree_size == newer.tree_size:
        if older.root_hash != newer.root_hash:
            raise ConsistencyError("the log signed two trees of one size", code="log.equivocated")
        return
    if older.tree_size == 0:
        return
    hashes = TileHashes(fetch_tile, newer.tree_size)
    path = consistency_path(older.tree_size, newer.tree_size, hashes.read_hash)
    verify_consistency(older.tree_size, newer.tree_size, older.root_hash, newer.root_hash, path)


def _name(origin: str) -> str:
    return hashlib.sha256(origin.encode()).hexdigest()[:16]


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StoreUnavailableError(f"{folder}: {error.strerror or error}") from error
