"""A value that must never be shown: passphrases, passwords, private keys.

Rules: ``repr`` and ``str`` say only that there is one; comparison takes the same time whatever
differs; a file that holds a secret must belong to its owner alone (mode 0600 or stricter).
"""

from __future__ import annotations

import hmac
import os
import stat
from pathlib import Path
from typing import Final

from anchor.errors import ConfigError

_MAX_SECRET_BYTES: Final = 64 << 10


class Secret:
    """Text that is not shown.

    Args:
        text: the secret; :meth:`reveal` gives it back.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the secret, for the one call that needs it."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        return hash((Secret, len(self._text)))

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("a secret is not pickled")


def load_secret(path: Path, key: str) -> Secret:
    """Read a secret from a file; one newline at its end is not part of it.

    Args:
        path: the file.
        key: the setting that names it, for messages.

    Raises:
        ConfigError: the file cannot be read, is no regular file, is open to others than its owner,
            is empty, or is not UTF-8 text of at most 64 KiB.
    """
    try:
        # Checked on the open file: between a look at the path and its opening it could be swapped.
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            data = file.read(_MAX_SECRET_BYTES + 1) if stat.S_ISREG(found.st_mode) else None
    except OSError as exc:
        reason = exc.strerror or type(exc).__name__
        raise ConfigError(f"{key}: {path} cannot be read: {reason}", code="config.secret") from exc
    if data is None:
        raise ConfigError(f"{key}: {path} is no regular file", code="config.secret")
    if found.st_mode & 0o077:
        raise ConfigError(
            f"{key}: {path} has mode {stat.S_IMODE(found.st_mode):04o}, wanted 0600 or stricter",
            code="config.secret.mode",
            hint=f"chmod 600 {path}",
        )
    try:
        text = data.decode("utf-8").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise ConfigError(f"{key}: {path} is not UTF-8 text", code="config.secret") from None
    if not text or len(data) > _MAX_SECRET_BYTES:
        raise ConfigError(
            f"{key}: {path} holds {'nothing' if not text else 'more than 64 KiB'}",
            code="config.secret",
        )
    return Secret(text)
