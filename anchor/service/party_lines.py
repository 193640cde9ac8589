"""Lines in the service's log that say once when a party is out of reach, and once when it is back.

Steps are tried again for hours; a line for each would bury everything else. The state at any moment
is in ``vestige admin status``.
"""

from __future__ import annotations

import logging
from typing import Final

from anchor.ports import Phase
from anchor.service.attempt_step import AttemptStep

_log = logging.getLogger("vestige")

# Before these nothing was said to anybody outside: reaching one shows nothing of the party.
_AT_HOME: Final = frozenset({Phase.SCHEDULED, Phase.PREPARED})


class PartyLines:
    """Watches the steps of one backend.

    Args:
        name: of the backend.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._troubled = False
        self._good_size = 0

    def took(self, tree_size: int, step: AttemptStep) -> None:
        """Take in a step of the round of that size; log a line if it changes the picture.

        A round older than one that got through says nothing of the party.
        """
        if step.outcome != "progress":
            if not self._troubled and tree_size >= self._good_size:
                self._troubled = True
                _log.warning("%s: no round gets through (trying again): %s", self._name, step.note)
        elif step.attempt.phase not in _AT_HOME:
            self._good_size = max(self._good_size, tree_size)
            if self._troubled:
                self._troubled = False
                _log.warning("%s: rounds get through again", self._name)
