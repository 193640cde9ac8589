"""Before an exhibit is made: what it would show of what is withheld, and how to withhold that too.

Texts in files are those that the capture readers find in their metadata and, in files that are
text, all of it.
"""

from __future__ import annotations

import shlex
import zlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from anchor.cli._output import Output
from anchor.cli._vault import counted
from anchor.errors import UsageError
from anchor.exhibit.leaks import Leak, find_leaks, hide_differences
from anchor.vault.vault import Vault

if TYPE_CHECKING:
    from anchor.capture import Capture, CapturePool
    from anchor.exhibit.choice import Choice

_MAX_SHOWN: Final = 40
_MAX_TEXT_FILE_BYTES: Final = 16 << 20
_MAX_INFLATED_BYTES: Final = 1 << 20
_MAX_KEYWORD_BYTES: Final = 400
_ZLIB_START: Final = b"\x78"
_TEXT_TYPES: Final = ("application/json", "application/xml", "image/svg+xml")


def without_leaks(
    vault: Vault, choice: Choice, said: Mapping[str, str], out: Output, *, allow: bool
) -> Choice:
    """Return the choice with the differences hidden that it gives away; refuse what is left.

    Args:
        vault: whose records.
        choice: what is shown.
        said: further texts that the exhibit shows, by what they are.
        out: told what was hidden besides, and what is shown all the same.
        allow: go on where something is.

    Raises:
        UsageError: something that is withheld would be shown (``usage.leak``).
    """
    from anchor.capture import CapturePool

    if _shows_everything(choice):
        return choice
    records = [vault.read(seq) for seq in range(vault.size)]
    choice, hidden = hide_differences(records, choice)
    if hidden:
        numbers = ", ".join(str(rule.seq) for rule in hidden)
        out.note(
            f"the difference is hidden too in {'record' if len(hidden) == 1 else 'records'} "
            f"{numbers}: it repeats a prompt that is withheld"
        )
    with CapturePool(1) as pool:
        leaks = find_leaks(
            records,
            choice,
            lambda sha256, media_type: _texts_in(vault, pool, sha256, media_type),
            said,
        )
    if leaks:
        _tell(leaks, out, allow=allow)
    return choice


def _shows_everything(choice: Choice) -> bool:
    return not (choice.records is not None or choice.disclose or choice.hide) and not (
        choice.withheld_files
    )


def _tell(leaks: list[Leak], out: Output, *, allow: bool) -> None:
    for leak in leaks[:_MAX_SHOWN]:
        out.warn(f"{leak.withheld} is withheld and stands in {leak.shown}")
    if len(leaks) > _MAX_SHOWN:
        out.warn(f"and {len(leaks) - _MAX_SHOWN:,} more")
    if not allow:
        raise UsageError(
            f"{counted(len(leaks), 'thing')} that {'is' if len(leaks) == 1 else 'are'} withheld "
            "would be shown all the same; nothing is written",
            code="usage.leak",
            hint=f"{_remedies(leaks)}, or --allow-leaks to go on",
        )


def _remedies(leaks: list[Leak]) -> str:
    """Return the arguments that would withhold all of it: each one once, its values together."""
    values: dict[str, dict[str, None]] = {}
    for leak in leaks:
        flag, _, value = leak.remedy.rpartition(" ")
        if flag.startswith("--"):
            values.setdefault(flag, {})[value] = None
    flags = [f"{flag} {shlex.quote(','.join(found))}" for flag, found in values.items()]
    other = dict.fromkeys(leak.remedy for leak in leaks if not leak.remedy.startswith("--"))
    return "add " + " ".join(flags) if flags else ", ".join(other)


# -- texts in files --------------------------------------------------------------------------------


def _texts_in(vault: Vault, pool: CapturePool, sha256: bytes, media_type: str) -> Iterator[str]:
    path = vault.objects.path(sha256)
    if not path.is_file():  # laying out the exhibit says so
        return
    if media_type.startswith("text/") or media_type.partition(";")[0] in _TEXT_TYPES:
        with path.open("rb") as file:
            yield file.read(_MAX_TEXT_FILE_BYTES).decode("utf-8", "replace")
        return
    yield from _metadata_texts(pool.read(path))


def _metadata_texts(found: Capture) -> Iterator[str]:
    yield from _strings(found.fields)
    for item in found.raw:
        for data in (item.data, *_inflated(item.location, item.data)):
            yield data.decode("utf-8", "replace")
            if b"\0" in data:  # plain letters in UTF-16
                yield data.replace(b"\0", b"").decode("utf-8", "replace")


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _strings(item)


def _inflated(location: str, data: bytes) -> Iterator[bytes]:
    """Yield what a compressed text of a PNG holds; it begins somewhere after the keyword."""
    if not location.startswith(("png:zTXt", "png:iTXt")):
        return
    start = data.find(_ZLIB_START, 0, _MAX_KEYWORD_BYTES)
    while start >= 0:
        try:
            yield zlib.decompressobj().decompress(data[start:], _MAX_INFLATED_BYTES)
        except zlib.error:
            start = data.find(_ZLIB_START, start + 1, _MAX_KEYWORD_BYTES)
        else:
            return
