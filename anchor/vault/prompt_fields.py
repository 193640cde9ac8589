"""The fields of a prompt: its text, the prompt before, and the difference between the two."""

from __future__ import annotations

from typing import Any, Final

from anchor.errors import UsageError, VestigeError
from anchor.records.difference import prompt_difference
from anchor.vault.vault import Vault

# The difference is a convenience: it repeats the text, and nobody reads that of a book.
_MAX_CHARACTERS: Final = 64 << 10


def prompt_fields(vault: Vault, text: str, previous: str | None = None) -> dict[str, Any]:
    """Return ``positive``, ``previous`` and ``difference``.

    Args:
        vault: where the prompt before is.
        text: the instruction.
        previous: reference to the prompt before; None takes the newest one, if there is any.

    Raises:
        UsageError: ``previous`` is no prompt.
    """
    if previous is None:
        newest = vault.index.last_of_kind("prompt")
        if newest is None:
            return {"positive": text}
        previous = str(newest)
    seq = int(previous.partition(".")[0])
    entry = vault.index.entry(seq)
    if entry is None or entry.kind != "prompt":
        raise UsageError(f"record {seq} is no prompt", code="usage.reference")
    fields: dict[str, Any] = {"positive": text, "previous": previous}
    try:
        before = vault.read(seq).fields["positive"]
    except VestigeError:
        return fields  # a damaged record is no reason not to make the next one
    if max(len(before), len(text)) <= _MAX_CHARACTERS:
        fields["difference"] = prompt_difference(before, text)
    return fields
