"""The passphrase of the signing key: from a file that a variable names, else asked for."""

from __future__ import annotations

import getpass
import os
import sys
from pathlib import Path
from typing import Final

from anchor.errors import ConfigError, UsageError, VestigeError

PASSPHRASE_FILE: Final = "VESTIGE_PASSPHRASE_FILE"  # noqa: S105 - a name
_MAX_BYTES: Final = 4096
_TRIES: Final = 3


def ask_passphrase(which: str) -> bytes:
    """Return the passphrase of the signing key, from the file named for it or from the person.

    Args:
        which: ``new``: asked for twice, up to three times; ``known``: once.

    Raises:
        ConfigError: the file can not be read, or there is no terminal to ask on.
        UsageError: two entries differed, or were too short, each time.
    """
    named = os.environ.get(PASSPHRASE_FILE)
    if named:
        from anchor.client.local_file import load_bytes

        try:
            data = load_bytes(Path(named), max_bytes=_MAX_BYTES, what="passphrase")
        except VestigeError as error:
            raise ConfigError(
                f"{PASSPHRASE_FILE} is to name the file with the passphrase: {error.message}",
                code="keys.no_passphrase",
            ) from error
        return data.rstrip(b"\r\n")
    if not sys.stdin.isatty():
        raise ConfigError(
            "the signing key is kept under a passphrase, and there is no terminal to ask on",
            code="keys.no_passphrase",
            hint=f"{PASSPHRASE_FILE} names a file that holds it",
        )
    if which == "new":
        return _new_passphrase()
    return getpass.getpass("passphrase of your signing key: ").encode()


def _new_passphrase() -> bytes:
    """Ask for a new passphrase twice, and again where the two differ or it is too short."""
    from anchor.vault.encrypted_key import MIN_PASSPHRASE_BYTES

    for _ in range(_TRIES):
        said = getpass.getpass("a new passphrase for your signing key: ").encode()
        if len(said) < MIN_PASSPHRASE_BYTES:
            sys.stderr.write(f"at least {MIN_PASSPHRASE_BYTES} characters are wanted\n")
        elif getpass.getpass("the same again: ").encode() == said:
            return said
        else:
            sys.stderr.write("the two differ\n")
    raise UsageError(f"no passphrase after {_TRIES} tries: no key was made", code="keys.passphrase")
