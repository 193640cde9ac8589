"""Which exit status an error gives: one table for the whole command line.

The statuses are those of ``vestige verify`` (``docs/guides/commands.md``), used by every verb:
0 done or verified, 1 something is false, 2 wrong use, 3 not finished yet, 4 not checked, 5 could
not be read or an outside system failed, 6 genuine evidence does not show it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from anchor import errors

OK: Final = 0
FAILED: Final = 1
USAGE: Final = 2
PENDING: Final = 3
NOT_CHECKED: Final = 4
UNREADABLE: Final = 5
NOT_SHOWN: Final = 6
INTERRUPTED: Final = 130
BROKEN_PIPE: Final = 141

EXIT_STATUS: Final[dict[type[errors.VestigeError], int]] = {
    errors.VestigeError: UNREADABLE,
    errors.FormatError: UNREADABLE,
    errors.VerificationError: FAILED,
    errors.PolicyNotMetError: NOT_CHECKED,
    errors.IncompleteProofError: PENDING,
    errors.BackendError: UNREADABLE,
    errors.StoreError: UNREADABLE,
    errors.LogIntegrityError: FAILED,
    errors.ConfigError: USAGE,
    errors.UsageError: USAGE,
    errors.NotFoundError: UNREADABLE,
    errors.OverloadedError: UNREADABLE,
}

# Several inputs give the first of these that any of them gave.
_PRECEDENCE: Final = (USAGE, UNREADABLE, FAILED, NOT_SHOWN, NOT_CHECKED, PENDING, OK)


def exit_status_of(error: errors.VestigeError) -> int:
    """Return the status of the nearest class in the table."""
    return next(EXIT_STATUS[kind] for kind in type(error).__mro__ if kind in EXIT_STATUS)


def worst_status(statuses: Iterable[int]) -> int:
    """Return the status that a command over several inputs ends with; 0 for none."""
    found = set(statuses)
    return next((status for status in _PRECEDENCE if status in found), OK)
