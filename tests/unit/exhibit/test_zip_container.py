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

TIME = datetime(2026, 11, 23, 10, 2, 9, tzinfo=UTC)


def info(name: str, **changes) -> zipfile.ZipInfo:
    found = zipfile.ZipInfo(name, (2026, 11, 23, 10, 2, 8))
    found.create_system = 3
    found.external_attr = 0o100644 << 16
    for key, value in changes.items():
        setattr(found, key, value)
    return found


def zipped(*entries: tuple[zipfile.ZipInfo | str, bytes]) -> bytes:
    """Return a zip file by Python's own writer."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for name, data in entries:
            file.writestr(info(name) if isinstance(name, str) else name, data)
    return out.getvalue()


def read(data: bytes) -> dict[str, bytes]:
    container = ZipContainer(io.BytesIO(data))
    return {path: b"".join(container.blocks(path)) for path in container.sizes}


def refused(data: bytes) -> VestigeError:
    with pytest.raises(FormatError) as caught:
        read(data)
    message = caught.value.message
    assert message.isprintable(), "one line, and nothing that a terminal acts upon"
    return caught.value


GOOD = zipped(("x.exhibit/b", b"two"), ("x.exhibit/a/c", b""))


# -- what is taken ---------------------------------------------------------------------------------


def test_what_is_plain_is_read():
    assert read(GOOD) == {"a/c": b"", "b": b"two"}


def test_deflated_entries_are_read():
    data = b"the same again and again " * 5
    entry = info("x.exhibit/a", compress_type=zipfile.ZIP_DEFLATED)
    assert read(zipped((entry, data))) == {"a": data}


def test_our_own_writer_is_read_by_us_and_by_others():
    out = io.BytesIO()
    writer = ZipWriter(out, TIME)
    files = {"x.exhibit/a": b"", "x.exhibit/水": b"water" * 1000}
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


def test_what_changes_while_it_is_written_is_noticed():
    writer = ZipWriter(io.BytesIO(), TIME)
    with pytest.raises(VestigeError, match="changed while it was written"):
        writer.add("x.exhibit/a", 3, zlib.crc32(b"abc"), [b"abd"])


# -- what is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd",
        "x.exhibit/../../etc/passwd",
        "x.exhibit/./a",
        "x.exhibit//a",
        "x.exhibit/a\\b",
        "x.exhibit/C:a",
        "x.exhibit/a\nb",
        "x.exhibit/\x1b[31m",
        "x.exhibit/\u202egnp.exe",
        "x.exhibit/a.",
        "x.exhibit/a ",
        "x.exhibit/cafe\u0301",
        f"x.exhibit/{'n' * 250}",
        "x.exhibit/a*",
    ],
)
def test_names_that_lead_elsewhere_or_deceive(name: str):
    assert refused(zipped(("x.exhibit/b", b""), (name, b""))).code == "exhibit.name"


@pytest.mark.parametrize(
    "names",
    [("a", "a"), ("Data/x", "data/x"), ("ä", "Ä"), ("a", "a/b"), ("A", "a/b"), ("a/b/c", "a/b")],
)
def test_two_names_that_are_one_file_somewhere(names):
    with pytest.warns(UserWarning, match="Duplicate") if len(set(names)) == 1 else _nothing():
        data = zipped(*((f"x.exhibit/{name}", b"") for name in names))
    assert refused(data).code == "exhibit.duplicate"


class _nothing:
    def __enter__(self) -> None: ...
    def __exit__(self, *_exc: object) -> None: ...


@pytest.mark.parametrize("mode", [0o120777, 0o010644, 0o060644, 0o040755, 0o140644])
def test_links_devices_pipes_and_folders(mode: int):
    entry = info("x.exhibit/a", external_attr=mode << 16)
    assert refused(zipped((entry, b"target"))).code == "exhibit.kind"


def test_an_entry_for_a_folder():
    entry = info("x.exhibit/data/", external_attr=0o40755 << 16 | 0x10)
    assert refused(zipped((entry, b""))).code == "exhibit.kind"


def patched(data: bytes, place: int, form: str, value: int) -> bytes:
    out = bytearray(data)
    struct.pack_into(form, out, place, value)
    return bytes(out)


def central(data: bytes, number: int = 0) -> int:
    """Return where a row of the directory begins."""
    place = -1
    for _ in range(number + 1):
        place = data.index(b"PK\x01\x02", place + 1)
    return place


def end(data: bytes) -> int:
    return data.rindex(b"PK\x05\x06")


def test_encrypted_entries_and_strange_methods():
    data = GOOD
    both = patched(patched(data, central(data) + 8, "<H", 1), 6, "<H", 1)
    assert "encrypted" in refused(both).message
    for method in (1, 9, 12, 14, 93):
        changed = patched(patched(data, central(data) + 10, "<H", method), 8, "<H", method)
        assert refused(changed).code == "exhibit.method"
    descriptor = patched(patched(data, central(data) + 8, "<H", 8), 6, "<H", 8)
    assert refused(descriptor).code == "exhibit.method"


@pytest.mark.parametrize(
    ("local", "form", "value"),
    [(6, "<H", 2), (14, "<I", 1), (18, "<I", 2), (22, "<I", 4), (30, "<B", ord("y"))],
)
def test_local_headers_that_differ_from_the_directory(local: int, form: str, value: int):
    assert refused(patched(GOOD, local, form, value)).code == "exhibit.header"


def test_entries_that_overlap():
    data = zipped(("x.exhibit/a", b"1" * 60), ("x.exhibit/b", b"2" * 60))
    same = patched(data, central(data, 1) + 42, "<I", 0)
    assert refused(same).code == "exhibit.overlap"
    # The quoted form of a bomb: a row of the directory whose data holds the next local header.
    long = patched(data, central(data) + 20, "<I", 130)
    long = patched(
        patched(patched(long, central(data) + 24, "<I", 130), 18, "<I", 130), 22, "<I", 130
    )
    assert refused(long).code == "exhibit.overlap"


def test_bytes_that_belong_to_nothing():
    shifted = b"#!/bin/sh\n" + GOOD
    assert refused(shifted).code in ("exhibit.zip", "exhibit.overlap")
    with_gap = GOOD[: central(GOOD)] + b"hidden" + GOOD[central(GOOD) :]
    with_gap = patched(with_gap, end(with_gap) + 16, "<I", central(GOOD) + 6)
    assert refused(with_gap).code == "exhibit.overlap"
    assert refused(GOOD + b"tail").code == "exhibit.zip"
    assert refused(patched(GOOD, end(GOOD) + 20, "<H", 4) + b"tail").code == "exhibit.zip"


def test_no_zip_file_at_all_and_pieces_of_one():
    for data in (b"", b"PK", b"\0" * 100, GOOD[:-1], GOOD[30:], GOOD[: end(GOOD)]):
        assert refused(data).code == "exhibit.zip"


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


def test_an_expansion_bomb():
    entry = info("x.exhibit/bomb", compress_type=zipfile.ZIP_DEFLATED)
    error = refused(zipped((entry, bytes(50_000_000))))
    assert error.code == "exhibit.expansion"
    assert isinstance(error, LimitExceededError)


def test_an_entry_that_inflates_to_more_or_less_than_it_states():
    entry = info("x.exhibit/a", compress_type=zipfile.ZIP_DEFLATED)
    data = zipped((entry, b"abc" * 100))
    for size in (299, 301, 100):
        changed = patched(patched(data, central(data) + 24, "<I", size), 22, "<I", size)
        assert refused(changed).code == "exhibit.size"
    broken = bytearray(data)
    broken[30 + len("x.exhibit/a")] ^= 0xFF
    assert refused(bytes(broken)).code == "exhibit.size"


def test_a_stored_entry_whose_two_sizes_differ():
    changed = patched(patched(GOOD, central(GOOD) + 24, "<I", 4), 22, "<I", 4)
    assert refused(changed).code == "exhibit.size"


def test_a_hundred_thousand_entries_are_refused_before_they_are_read():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for number in range(100_000):
            file.writestr(info(f"x.exhibit/{number}"), b"")
    error = refused(out.getvalue())
    assert error.code == "exhibit.entries"
    assert isinstance(error, LimitExceededError)
    # A directory that states fewer rows than it has.
    data = zipped(*((f"x.exhibit/{n}", b"") for n in range(3)))
    few = patched(patched(data, end(data) + 8, "<H", 2), end(data) + 10, "<H", 2)
    assert refused(few).code == "exhibit.zip"


@pytest.mark.parametrize(
    "names", [("a", "b"), ("x/a",), ("x.exhibit/a", "y.exhibit/a"), ("x.exhibit",), ()]
)
def test_anything_but_one_folder(names):
    assert refused(zipped(*((name, b"") for name in names))).code == "exhibit.folder"


def test_a_second_name_in_an_extra_field():
    extra = struct.pack("<HHBI", 0x7075, 6, 1, 0) + b"z"
    assert refused(zipped((info("x.exhibit/a", extra=extra), b""))).code == "exhibit.name"


def test_a_name_that_is_neither_ascii_nor_marked_as_utf8():
    data = zipped(("x.exhibit/a~", b"")).replace(b"a~", b"a\xe9")
    assert refused(data).code == "exhibit.name"


def test_a_text_above_its_limit_is_refused_before_it_is_read():
    entry = info("x.exhibit/signature.json", compress_type=zipfile.ZIP_DEFLATED)
    data = zipped((entry, b"%d" * 40_000))
    with pytest.raises(LimitExceededError, match=r"signature\.json") as caught:
        read_contents(ZipContainer(io.BytesIO(data)))
    assert caught.value.code == "exhibit.too_large"


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
