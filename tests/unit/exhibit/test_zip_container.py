"""Step E1 on zip files: whatever readers could understand in two ways is refused, in one line."""

from __future__ import annotations

import io
import struct
import subprocess
import zipfile
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from anchor.errors import FormatError, LimitExceededError, VestigeError
from anchor.exhibit.contents import read_contents
from anchor.exhibit.folder_container import FolderContainer
from anchor.exhibit.zip_container import ZipContainer
from anchor.exhibit.zip_writer import ZipWriter
from tests import zip_attacks
from tests.zip_attacks import GOOD

ATTACKS = list(zip_attacks.attacks())
NAMES = [attack[0] for attack in ATTACKS]
TIME = datetime(2026, 11, 23, 10, 2, 9, tzinfo=UTC)


def read(data: bytes) -> dict[str, bytes]:
    container = ZipContainer(io.BytesIO(data))
    read_contents(container)
    return {path: b"".join(container.blocks(path)) for path in container.sizes}


def refused(data: bytes) -> VestigeError:
    with pytest.raises(FormatError) as caught:
        read(data)
    message = caught.value.message
    assert message.isprintable(), "one line, and nothing that a terminal acts upon"
    return caught.value


# -- what is taken ---------------------------------------------------------------------------------


def test_what_is_plain_is_read():
    assert read(GOOD) == {"a/c": b"", "b": b"two"}


def test_our_own_writer_is_read_by_us_and_by_others():
    out = io.BytesIO()
    writer = ZipWriter(out, TIME)
    files = {"x.exhibit/a": b"", "x.exhibit/water": b"water" * 1000}
    for name, data in files.items():
        writer.add(name, len(data), zlib.crc32(data), [data])
    writer.close()
    assert set(read(out.getvalue()).values()) == set(files.values())
    with zipfile.ZipFile(out) as file:
        assert file.testzip() is None
        assert {each.filename: file.read(each) for each in file.infolist()} == files
        assert {each.date_time for each in file.infolist()} == {(2026, 11, 23, 10, 2, 8)}
        assert {each.external_attr >> 16 for each in file.infolist()} == {0o100644}


def test_zip64_is_written_where_a_number_needs_it_and_read():
    out = io.BytesIO()
    writer = ZipWriter(out, TIME, zip64_from=100)
    files = {f"x.exhibit/{n}": bytes([n]) * (n * 40) for n in range(6)}
    for name, data in files.items():
        writer.add(name, len(data), zlib.crc32(data), [data])
    writer.close()
    assert list(read(out.getvalue()).values()) == list(files.values())
    with zipfile.ZipFile(out) as file:
        assert {each.filename: file.read(each) for each in file.infolist()} == files


def test_a_zip64_end_that_says_the_same_is_read():
    at = zip_attacks.end(GOOD)
    count, size, start = struct.unpack_from("<HII", GOOD, at + 10)
    for plain in ((0xFFFF, 0xFFFF, size, start), (count, count, 0xFFFFFFFF, 0xFFFFFFFF)):
        assert read(zip_attacks.with_ends(GOOD, plain=plain)) == read(GOOD)


def test_what_changes_while_it_is_written_is_noticed():
    writer = ZipWriter(io.BytesIO(), TIME)
    with pytest.raises(VestigeError, match="changed while it was written"):
        writer.add("x.exhibit/a", 3, zlib.crc32(b"abc"), [b"abd"])


# -- what is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize(("data", "code"), [attack[1:] for attack in ATTACKS], ids=NAMES)
def test_an_attack_is_refused_in_one_line(data: bytes, code: str):
    assert refused(data).code == code


def test_a_comment_that_is_said_to_follow_and_does_not():
    assert refused(GOOD[:-2] + b"\x05\x00").code == "exhibit.zip"


def test_a_flood_is_over_limits():
    """So that the service answers 413, not 400."""
    for code in ("exhibit.entries", "exhibit.too_large"):
        data = next(attack[1] for attack in ATTACKS if attack[2] == code)
        assert isinstance(refused(data), LimitExceededError)


def test_every_piece_of_a_good_file_is_refused_or_the_same():
    for length in range(len(GOOD)):
        refused(GOOD[:length])


def test_a_flipped_bit_anywhere_is_refused_or_changes_no_name_and_no_byte_unseen():
    whole = read(GOOD)
    for place in range(len(GOOD)):
        for bit in range(8):
            changed = bytearray(GOOD)
            changed[place] ^= 1 << bit
            try:
                found = read(bytes(changed))
            except FormatError:
                continue
            # Times, versions and attributes are nobody's business; the bytes of files are for the
            # manifests.
            assert set(found) == set(whole)


# -- folders ---------------------------------------------------------------------------------------


def in_folder(tmp_path: Path, make: Callable[[Path], object]) -> VestigeError:
    (tmp_path / "a").write_bytes(b"a")
    make(tmp_path)
    with pytest.raises(FormatError) as caught:
        read_contents(FolderContainer(tmp_path))
    return caught.value


def test_a_folder_is_read_as_a_zip_file_is(tmp_path: Path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "b").write_bytes(b"two")
    contents = read_contents(FolderContainer(tmp_path))
    assert dict(contents.sizes) == {"data/b": 3}
    assert contents.folder is None


def test_links_and_pipes_in_a_folder(tmp_path: Path):
    import os

    assert in_folder(tmp_path, lambda f: (f / "l").symlink_to(f / "a")).code == "exhibit.kind"
    (tmp_path / "l").unlink()
    assert in_folder(tmp_path, lambda f: os.mkfifo(f / "p")).code == "exhibit.kind"


def test_case_tricks_and_strange_names_in_a_folder(tmp_path: Path):
    assert in_folder(tmp_path, lambda f: (f / "A").touch()).code == "exhibit.duplicate"
    (tmp_path / "A").unlink()
    assert in_folder(tmp_path, lambda f: (f / "b\\c").touch()).code == "exhibit.name"


def test_folders_in_folders_without_end(tmp_path: Path):
    import os

    here = os.open(tmp_path, os.O_RDONLY)
    try:
        for _ in range(1500):
            os.mkdir("d", dir_fd=here)
            here, above = os.open("d", os.O_RDONLY, dir_fd=here), here
            os.close(above)
    finally:
        os.close(here)
    try:
        assert in_folder(tmp_path, lambda f: (f / "A0").touch()).code == "exhibit.name"
    finally:
        subprocess.run(["rm", "-rf", str(tmp_path / "d")], check=True)


def test_a_file_of_a_folder_that_grows_while_it_is_read(tmp_path: Path):
    (tmp_path / "a").write_bytes(b"a")
    container = FolderContainer(tmp_path)
    (tmp_path / "a").write_bytes(b"ab")
    with pytest.raises(FormatError, match="changed while it was read"):
        list(container.blocks("a"))
