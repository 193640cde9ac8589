"""Read a file of Bitcoin headers for ``verify --headers``.

The file is 80-byte headers, consecutive, as nodes and light wallets keep them (Electrum's
``blockchain_headers`` starts at block 0). A file that starts elsewhere may begin with one line of
text, ``bitcoin headers from HEIGHT``, or the person says where it starts. What it is worth is for
the judge to say: an archive is believed from a checkpoint of the policy on.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from anchor.client.local_file import load_bytes
from anchor.errors import FormatError, TruncatedError
from anchor.formats.encoding import parse_decimal
from anchor.limits import BITCOIN_HEADER_BYTES, MAX_HEADER_ARCHIVE_BYTES
from anchor.verify.known import HeaderArchive

_HEAD: Final = b"bitcoin headers from "
_MAX_HEIGHT: Final = 2**31 - 1


def load_header_archive(path: Path, first_height: int | None) -> HeaderArchive:
    """Read a header archive.

    Args:
        path: the file.
        first_height: height of its first header; None takes it from the file's first line, else 0.

    Raises:
        FormatError: the file is not whole headers, or says another height.
        NotFoundError, StoreError: it cannot be read.
    """
    data = load_bytes(path, max_bytes=MAX_HEADER_ARCHIVE_BYTES, what="header archive")
    said = None
    if data.startswith(_HEAD):
        line, newline, data = data.partition(b"\n")
        if not newline:
            raise TruncatedError(f"{path}: the first line does not end")
        text = line.removeprefix(_HEAD).decode("latin-1")
        said = parse_decimal(text, maximum=_MAX_HEIGHT, what=f"{path}: the first height")
    if said is not None and first_height not in (None, said):
        raise FormatError(
            f"{path} says that it starts at block {said}, not {first_height}",
            code="bitcoin.archive_start",
        )
    if not data or len(data) % BITCOIN_HEADER_BYTES:
        raise TruncatedError(
            f"{path}: {len(data)} bytes are no whole number of {BITCOIN_HEADER_BYTES}-byte headers",
            code="bitcoin.archive_length",
        )
    return HeaderArchive(said if said is not None else first_height or 0, data)
