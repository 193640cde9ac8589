"""The log's own key: loaded or made once, used for every checkpoint.

An Ed25519 key in a PKCS#8 PEM file with mode 0600, as ``openssl genpkey -algorithm ed25519`` writes
it. The origin is part of what is signed and must never change; where none is set it is made from
the key, so that two logs set up by the same recipe still have different names.

The signer knows no time and no state: the same tree gives the same checkpoint, byte for byte. That
no two signed trees of one size leave the log is seen to by the store's commit and by the sequencer.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from anchor.errors import ConfigError, FormatError, SignatureError
from anchor.formats.checkpoint import Checkpoint, parse_checkpoint
from anchor.formats.note import ED25519, NoteKey, parse_note, sign_note, verify_note
from anchor.ports import CommittedTree

_OTHERS_MAY: Final = stat.S_IRWXG | stat.S_IRWXO
_MAX_KEY_BYTES: Final = 16 << 10


class LogSigner:
    """Signs the checkpoints of one log.

    Args:
        private_key: whoever has it can sign a second history of the log; witnesses and anchored
            rounds would show both.
        origin: the log's name, or None for one made from the public key.
    """

    def __init__(self, private_key: Ed25519PrivateKey, origin: str | None = None) -> None:
        public_key = private_key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.origin = origin or default_origin(public_key)
        self._private_key = private_key
        try:
            self.note_key = NoteKey.of(self.origin, ED25519, public_key)
        except FormatError as exc:
            raise ConfigError(
                f"the log's origin cannot be a key name: {exc}", code="config.origin"
            ) from exc

    def __repr__(self) -> str:
        return f"LogSigner({self.note_key.text})"

    @classmethod
    def load(cls, path: Path, origin: str | None = None) -> LogSigner:
        """Load the key file.

        Raises:
            ConfigError: it is not there, can be read by others, or holds no Ed25519 key.
        """
        try:
            with path.open("rb") as file:
                mode = os.fstat(file.fileno()).st_mode
                pem = file.read(_MAX_KEY_BYTES)
        except OSError as exc:
            raise ConfigError(
                f"the log key {path} cannot be read: {exc.strerror}", code="config.log_key"
            ) from exc
        if mode & _OTHERS_MAY:
            raise ConfigError(
                f"the log key {path} has mode {stat.S_IMODE(mode):04o}, wanted 0600",
                code="config.log_key.mode",
                hint=f"chmod 600 {path}",
            )
        try:
            key = load_pem_private_key(pem, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as exc:
            # Without the library's message: it may quote what is in the file.
            raise ConfigError(
                f"the log key {path} is no unencrypted PEM key", code="config.log_key"
            ) from exc
        if not isinstance(key, Ed25519PrivateKey):
            raise ConfigError(f"the log key {path} is no Ed25519 key", code="config.log_key")
        return cls(key, origin)

    @classmethod
    def load_or_create(cls, path: Path, origin: str | None = None) -> LogSigner:
        """Load the key file, or make a key and the file, durable before it is used.

        Raises:
            ConfigError: as :meth:`load`, or the file cannot be made.
        """
        if not path.exists():
            try:
                _write_new_key(path)
            except FileExistsError:
                pass
            except OSError as exc:
                raise ConfigError(
                    f"the log key {path} cannot be made: {exc.strerror}", code="config.log_key"
                ) from exc
        return cls.load(path, origin)

    def sign(self, tree_size: int, root_hash: bytes) -> str:
        """Return the signed checkpoint, serialized."""
        checkpoint = Checkpoint(self.origin, tree_size, root_hash)
        return sign_note(checkpoint.text, self.note_key, self._private_key.sign).serialize()

    def verify(self, checkpoint: str) -> Checkpoint:
        """Return what a signed checkpoint of this log says.

        Raises:
            FormatError: it is no checkpoint.
            SignatureError: it is another log's, or the signature is missing or false.
        """
        note = parse_note(checkpoint)
        verify_note(note, self.note_key)
        parsed = parse_checkpoint(note.text)
        if parsed.origin != self.origin:
            raise SignatureError(
                f"the checkpoint is of origin {parsed.origin!r}, wanted {self.origin!r}",
                code="verify.signature.origin",
            )
        return parsed

    def require_own(self, tree: CommittedTree | None) -> None:
        """Check that the newest tree of a store was signed with this key under this origin.

        Raises:
            ConfigError: it was not: the key, the origin or the folder is another log's.
        """
        if tree is None:
            return
        try:
            parsed = self.verify(tree.checkpoint)
        except (FormatError, SignatureError) as exc:
            raise ConfigError(
                f"the stored log was not signed by {self.note_key.text}: {exc}",
                code="config.log_key.mismatch",
                hint="use the key file and origin that this log was made with",
            ) from exc
        if (parsed.tree_size, parsed.root_hash) != (tree.tree_size, tree.root_hash):
            raise ConfigError(
                f"the stored checkpoint is of size {parsed.tree_size}, and the store says "
                f"{tree.tree_size}",
                code="config.log_key.mismatch",
            )


def default_origin(public_key: bytes) -> str:
    """Return the origin of a log that was given none: it contains the key's own id."""
    return f"vestige.local/log-{hashlib.sha256(public_key).hexdigest()[:16]}"


def _write_new_key(path: Path) -> None:
    """Make a key file; FileExistsError if somebody was quicker. Never a half-written one."""
    pem = Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        # A link, not a rename: it fails where the name is taken.
        path.hardlink_to(draft)
    finally:
        draft.unlink()
    folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
