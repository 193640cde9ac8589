"""What a bag is read from, and step E1's rules about names.

A container was looked through before it is handed on: its names are plain, no two of them mean one
file on any system, and every entry is a plain file. What its files *hold* is not judged here.

Specification: ``docs/spec/exhibit.md``, step E1.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Protocol

from anchor import limits
from anchor.errors import FormatError, LimitExceededError

BLOCK_BYTES: Final = 1 << 20
# Windows takes none of these in a name.
_RESERVED: Final = frozenset('\\:*?"<>|')


class Container(Protocol):
    """A bag's files, by their paths within the bag."""

    @property
    def folder(self) -> str | None:
        """Return the name of the top folder; None where it may be called anything."""
        ...

    @property
    def sizes(self) -> Mapping[str, int]:
        """Return the size in bytes of every file, by path, in the order of paths (as bytes)."""
        ...

    def blocks(self, path: str) -> Iterator[bytes]:
        """Yield a file's bytes, never more than its size, a MiB at a time.

        Raises:
            FormatError: it does not keep to its size.
            StoreError: it can not be read.
        """
        ...


def check_count(count: int) -> None:
    """Raise LimitExceededError if there are more entries than are read (``exhibit.entries``)."""
    if count > limits.MAX_EXHIBIT_ENTRIES:
        raise LimitExceededError(
            f"{count:,} entries, at most {limits.MAX_EXHIBIT_ENTRIES:,} are read",
            code="exhibit.entries",
        )


def check_names(names: Iterable[str]) -> None:
    """Check the names of all entries, top folder included.

    Raises:
        FormatError: one is not plain (``exhibit.name``), or two of them are one on some system
            (``exhibit.duplicate``).
    """
    seen: dict[str, str] = {}
    for name in names:
        why = _fault(name)
        if why is not None:
            raise FormatError(f"an entry is called {_quoted(name)}: {why}", code="exhibit.name")
        key = name.lower()
        if key in seen:
            same = "twice" if seen[key] == name else f"as {_quoted(seen[key])}, too"
            raise FormatError(
                f"{_quoted(name)} is there {same}: systems differ in which one they take",
                code="exhibit.duplicate",
            )
        seen[key] = name
    for key, name in seen.items():
        parent = key.rpartition("/")[0]
        while parent:
            if parent in seen:
                raise FormatError(
                    f"{_quoted(seen[parent])} is a file, and the folder of {_quoted(name)}",
                    code="exhibit.duplicate",
                )
            parent = parent.rpartition("/")[0]


def _fault(name: str) -> str | None:
    if len(name.encode("utf-8", "surrogatepass")) > limits.MAX_EXHIBIT_NAME_BYTES:
        return f"more than {limits.MAX_EXHIBIT_NAME_BYTES} bytes"
    if not (name.isascii() and name.isprintable()):
        return "a character that is not printable ASCII"
    if not _RESERVED.isdisjoint(name):
        return 'one of the characters \\ : * ? " < > |'
    if name.startswith("/"):
        return "an absolute path"
    for part in name.split("/"):
        if part in ("", ".", ".."):
            return "a part that leads elsewhere"
        if part[-1] in ". ":
            return "a part that ends in a dot or a space"
    return None


def _quoted(name: str) -> str:
    shown = "".join(c if c.isprintable() else "?" for c in name[:80])
    return f"{shown!r}" + ("…" if len(name) > 80 else "")
