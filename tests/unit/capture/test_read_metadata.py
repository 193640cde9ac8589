"""Whole files on disk: digests, what may be opened, and files that change, vanish or are huge."""

from __future__ import annotations

import hashlib
import os

import pytest

from anchor.capture import CapturePool, FileDigests, read_metadata, read_metadata_sandboxed
from anchor.capture.capture_limits import CaptureLimits
from anchor.capture.file_bytes import FileBytes
from anchor.capture.parse import parse_metadata
from anchor.errors import LimitExceededError, NotFoundError, StoreError, TruncatedError
from tests.parts.image_files import PNG_SIGNATURE, chunk, header, jpeg, png, save, text

INFO = "a cat\nSteps: 2, Sampler: x, Seed: 3"


@pytest.fixture(scope="module")
def confined():
    with CapturePool(1) as pool:
        yield pool.read


@pytest.fixture(params=["here", "confined"])
def read(request, confined):
    """Return one of the two ways to read a file."""
    return read_metadata if request.param == "here" else confined


def test_a_single_file_may_have_a_process_of_its_own(tmp_path):
    capture = read_metadata_sandboxed(save(tmp_path / "a.png", png(text("parameters", INFO))))
    assert (capture.tool, capture.notes) == ("AUTOMATIC1111", ())


def test_gives_metadata_and_digests(tmp_path, read):
    data = png(text("parameters", INFO))
    capture = read(save(tmp_path / "a.png", data))
    assert capture.size == len(data)
    assert capture.sha256 == hashlib.sha256(data).hexdigest()
    assert capture.sha3_256 == hashlib.sha3_256(data).hexdigest()
    assert (capture.media_type, capture.width, capture.height) == ("image/png", 3, 2)
    assert (capture.tool, capture.fields["prompt"]) == ("AUTOMATIC1111", "a cat")
    assert capture.raw[0].data == b"parameters\0" + INFO.encode()
    assert capture.stable
    assert capture.notes == ()


def test_both_readers_say_the_same(tmp_path, read):
    data = png(text("parameters", INFO), text("Title", "ü"), chunk(b"zTXt", b"bad"), trailer=b"x")
    path = save(tmp_path / "a.png", data)
    assert read(path) == read_metadata(path)


def test_an_empty_file_has_digests_and_a_note(tmp_path, read):
    capture = read(save(tmp_path / "a.png", b""))
    assert (capture.size, capture.sha256) == (0, hashlib.sha256(b"").hexdigest())
    assert capture.notes == ("the file is empty",)


@pytest.mark.parametrize(
    "data", [b"\0", b"plain text", os.urandom(5000), b"\x89PNG\r\n\x1a\n", b"RIFF"]
)
def test_whatever_a_file_holds_it_is_captured(tmp_path, read, data):
    capture = read(save(tmp_path / "a.bin", data))
    assert (capture.size, capture.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert capture.notes


def test_the_name_has_no_say(tmp_path):
    assert read_metadata(save(tmp_path / "a.png", jpeg())).media_type == "image/jpeg"


def test_a_file_that_is_not_there(tmp_path, read):
    with pytest.raises(NotFoundError):
        read(tmp_path / "none.png")


def test_a_symbolic_link_is_not_followed_unasked(tmp_path, read):
    secret = save(tmp_path / "outside", png(text("parameters", INFO)))
    link = tmp_path / "a.png"
    link.symlink_to(secret)
    with pytest.raises(StoreError, match="symbolic link"):
        read(link)
    assert read(link, follow_links=True).fields["prompt"] == "a cat"


def test_what_is_no_file_is_refused_without_waiting(tmp_path, read):
    os.mkfifo(tmp_path / "pipe.png")
    for path in (tmp_path / "pipe.png", tmp_path, "/dev/zero"):
        with pytest.raises(StoreError):
            read(tmp_path / path)


def test_a_link_to_a_device_is_refused_even_if_links_are_followed(tmp_path, read):
    link = tmp_path / "a.png"
    link.symlink_to("/dev/zero")
    with pytest.raises(StoreError, match="no regular file"):
        read(link, follow_links=True)


def test_a_name_with_a_zero_is_refused(tmp_path):
    with pytest.raises(StoreError):
        read_metadata(tmp_path / "a\0.png")


def test_a_name_that_is_no_text_is_read(tmp_path):
    path = os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.png")
    assert read_metadata(save(tmp_path / path, png())).width == 3


def test_a_file_that_grows_while_it_is_hashed_is_not_stable(tmp_path):
    path = save(tmp_path / "a.png", png() + bytes(3 << 20))
    with path.open("rb+") as file:
        written: list[int] = []

        def grow() -> None:
            if not written:
                file.seek(0, os.SEEK_END)
                written.append(file.write(b"more"))
                file.flush()

        digests = FileDigests.of_descriptor(file.fileno(), between=grow)
    assert not digests.stable


def test_a_file_that_is_cut_while_it_is_hashed_is_not_stable(tmp_path):
    path = save(tmp_path / "a.png", bytes(3 << 20))
    with path.open("rb") as file:
        digests = FileDigests.of_descriptor(file.fileno(), between=lambda: os.truncate(path, 100))
    assert not digests.stable


def test_a_file_that_is_cut_while_it_is_parsed_is_told(tmp_path):
    data = png(text("parameters", INFO))
    size = len(data)
    file = FileBytes(
        lambda n, at: data[at : at + n][: max(0, 40 - at)], size, max_read_bytes=1 << 20
    )
    metadata, _ = parse_metadata(file, CaptureLimits())
    assert metadata.tool is None
    assert metadata.notes


def test_a_file_that_vanishes_after_it_was_opened_is_read(tmp_path):
    path = save(tmp_path / "a.png", png(text("parameters", INFO)))
    descriptor = os.open(path, os.O_RDONLY)
    try:
        path.unlink()
        assert FileDigests.of_descriptor(descriptor).size > 0
        file = FileBytes.of_descriptor(descriptor, max_read_bytes=1 << 20)
        assert parse_metadata(file, CaptureLimits())[0].tool == "AUTOMATIC1111"
    finally:
        os.close(descriptor)


def test_eight_gibibytes_cost_what_their_metadata_do(tmp_path):
    path = tmp_path / "huge.png"
    # Four chunks of 2 GiB, of which the disk holds nothing, and a text behind them.
    with path.open("wb") as file:
        file.write(PNG_SIGNATURE + header())
        for _ in range(4):
            file.write((2**31 - 16).to_bytes(4) + b"IDAT")
            file.seek(2**31 - 16 + 4, os.SEEK_CUR)
        file.write(text("parameters", INFO) + chunk(b"IEND"))
    assert path.stat().st_size > 8 * 10**9
    with path.open("rb") as file:
        data = FileBytes.of_descriptor(file.fileno(), max_read_bytes=4 << 20)
        metadata, _ = parse_metadata(data, CaptureLimits())
    assert metadata.fields["prompt"] == "a cat"


def test_no_more_is_read_than_the_budget_allows():
    file = FileBytes.of_bytes(bytes(1000), max_read_bytes=100)
    file.read(0, 90, "x")
    with pytest.raises(LimitExceededError):
        file.read(0, 11, "x")
    assert file.peek(995, 50) == bytes(5)
    with pytest.raises(TruncatedError):
        file.read(995, 6, "x")


def test_a_budget_that_is_used_up_is_told():
    data = png(text("a", "x" * 5000), text("parameters", INFO))
    file = FileBytes.of_bytes(data, max_read_bytes=3000)
    metadata, _ = parse_metadata(file, CaptureLimits())
    assert any("of what one file may cost" in note for note in metadata.notes)
