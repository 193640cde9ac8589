"""Header files for ``verify --headers``."""

from __future__ import annotations

import pytest

from anchor.client.header_archive import load_header_archive
from anchor.errors import FormatError, NotFoundError, TruncatedError

HEADERS = bytes(range(80)) * 3


@pytest.mark.parametrize(
    ("data", "given", "first"),
    [
        (HEADERS, None, 0),
        (HEADERS, 2016, 2016),
        (b"bitcoin headers from 2016\n" + HEADERS, None, 2016),
        (b"bitcoin headers from 2016\n" + HEADERS, 2016, 2016),
    ],
)
def test_file_is_headers_from_where_it_or_the_person_says(tmp_path, data, given, first):
    path = tmp_path / "headers"
    path.write_bytes(data)
    archive = load_header_archive(path, given)
    assert (archive.first_height, archive.headers, archive.count) == (first, HEADERS, 3)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", TruncatedError),
        (HEADERS[:-1], TruncatedError),
        (b"bitcoin headers from 5", TruncatedError),
        (b"bitcoin headers from 5\n", TruncatedError),
        (b"bitcoin headers from 05\n" + HEADERS, FormatError),
        (b"bitcoin headers from -5\n" + HEADERS, FormatError),
        (b"bitcoin headers from 99999999999\n" + HEADERS, FormatError),
    ],
)
def test_anything_else_is_refused(tmp_path, data, kind):
    path = tmp_path / "headers"
    path.write_bytes(data)
    with pytest.raises(kind):
        load_header_archive(path, None)


def test_person_and_file_must_not_contradict_each_other(tmp_path):
    path = tmp_path / "headers"
    path.write_bytes(b"bitcoin headers from 5\n" + HEADERS)
    with pytest.raises(FormatError, match="not 6"):
        load_header_archive(path, 6)
    with pytest.raises(NotFoundError):
        load_header_archive(tmp_path / "none", None)
