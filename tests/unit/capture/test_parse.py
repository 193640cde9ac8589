"""What holds the readers together: limits of a collection, mistakes of ours, the worker's loop."""

from __future__ import annotations

import socket
from types import SimpleNamespace

import pytest

from anchor.capture import c2pa_manifest, parse
from anchor.capture.capture_limits import CaptureLimits
from anchor.capture.file_bytes import FileBytes, read_at
from anchor.capture.file_digests import FileDigests
from anchor.capture.findings import Findings
from anchor.capture.generators import recognise
from anchor.capture.media_type import media_type
from anchor.capture.sandbox import worker
from anchor.capture.sandbox.frames import C2PA, DONE, METADATA, json_bytes, parse_metadata_frame
from anchor.capture.sandbox.worker_process import _Answer
from anchor.errors import FormatError, LimitExceededError, StoreUnavailableError
from tests.parts.image_files import box, chunk, jumbf, parsed, png, save, text

INFO = "a cat\nSteps: 2, Sampler: x, Seed: 3"


def fail(error):
    def raising(*_, **__):
        raise error

    return raising


# -- mistakes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "note"),
    [
        (MemoryError(), "it needs more memory than a file may have"),
        (ZeroDivisionError("x"), "the metadata could not be read: ZeroDivisionError"),
        (LimitExceededError("too much of it"), "too much of it"),
    ],
)
def test_a_mistake_of_ours_is_a_note_and_keeps_what_was_found(monkeypatch, error, note):
    monkeypatch.setattr(parse, "recognise", fail(error))
    found = parsed(png(text("parameters", INFO)))
    assert (found.width, found.tool, len(found.raw)) == (3, None, 1)
    assert any(note in written for written in found.notes)


def test_a_mistake_in_one_readers_reader_leaves_the_others(monkeypatch):
    broken = fail(ZeroDivisionError())
    broken.__name__ = "read_x"
    monkeypatch.setattr(recognise, "_READERS", (broken, *recognise._READERS))
    found = parsed(png(text("parameters", INFO)))
    assert found.tool == "AUTOMATIC1111"
    assert "read_x does not understand the file: ZeroDivisionError" in found.notes


def test_memory_that_runs_out_in_a_reader_is_not_taken_for_its_mistake(monkeypatch):
    monkeypatch.setattr(recognise, "_READERS", (fail(MemoryError()),))
    assert any("more memory" in note for note in parsed(png()).notes)


# -- findings --------------------------------------------------------------------------------------


def test_notes_are_limited_and_the_last_says_so():
    found = Findings(CaptureLimits(notes=3))
    for number in range(9):
        found.note(f"note {number}")
        found.note(f"note {number}")
    assert found.notes == ["note 0", "note 1", "note 2", "there was more to note; it is left out"]


def test_raw_bytes_are_limited_together():
    found = Findings(CaptureLimits(raw_bytes=100))
    for size in (60, 60, 40, 1):
        found.keep("here", bytes(size))
    assert [len(item.data) for item in found.raw] == [60, 40]
    assert any("not all metadata is kept" in note for note in found.notes)


def test_texts_are_limited_together():
    found = Findings(CaptureLimits(raw_bytes=100))
    for key in ("a", "b", "c"):
        found.add_text(key, "x" * 60, "here")
    assert [text.key for text in found.texts()] == ["a"]
    assert not found.is_full
    found.add_text("d", "x" * 40, "here")
    assert found.is_full
    assert any("too long together" in note for note in found.notes)


# -- files -----------------------------------------------------------------------------------------


def test_reading_goes_on_where_a_call_returns_less(tmp_path, monkeypatch):
    path = save(tmp_path / "a", bytes(range(200)))
    monkeypatch.setattr(
        "anchor.capture.file_bytes.read_at", lambda fd, n, at: read_at(fd, min(n, 7), at)
    )
    with path.open("rb") as file:
        data = FileBytes.of_descriptor(file.fileno(), max_read_bytes=1000)
        assert data.read(10, 150, "x") == bytes(range(10, 160))


def test_reading_works_without_positioned_reads(tmp_path, monkeypatch):
    path = save(tmp_path / "a", bytes(range(200)))
    monkeypatch.delattr("os.pread")
    with path.open("rb") as file:
        assert read_at(file.fileno(), 5, 100) == bytes(range(100, 105))
        assert FileDigests.of_descriptor(file.fileno()).size == 200


def test_a_disk_that_does_not_answer_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "anchor.capture.file_digests.read_at", fail(OSError(5, "Input/output error"))
    )
    with (
        save(tmp_path / "a", b"x").open("rb") as file,
        pytest.raises(StoreUnavailableError, match="input"),
    ):
        FileDigests.of_descriptor(file.fileno())


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"RIFF\0\0\0\0WEBP", "image/webp"),
        (b"RIFF\0\0\0\0WAVE", "application/octet-stream"),
        (b"GIF89a", "image/gif"),
        (box(b"ftyp", b"avif" + bytes(4)), "image/avif"),
        (box(b"ftyp", b"mif1" + bytes(4) + b"miafavif"), "image/heif"),
        (box(b"ftyp", b"abcd" + bytes(4) + b"avif"), "image/avif"),
        (b"8BPS", "image/vnd.adobe.photoshop"),
        (b"<svg", "application/octet-stream"),
        (b"\0\0\0\0ftyp", "video/mp4"),
    ],
)
def test_types_are_told_by_content(start, kind):
    assert media_type(start[:64]) == kind


# -- C2PA, with a library of our own making --------------------------------------------------------


class Library:
    """Stands in for the C2PA library; ``answer`` is what its reader says."""

    class Context:
        from_dict = staticmethod(dict)

    def __init__(self, answer):
        self.answer = answer
        self.read = b""

    def Reader(self, media_type, stream, context):  # the library's name
        assert context["verify"] == {
            "remote_manifest_fetch": False, "ocsp_fetch": False, "verify_trust": False,
        }  # fmt: skip
        stream.seek(-4, 2)
        self.read = stream.read(4)
        assert stream.tell() == stream.seek(0, 1)
        answer = self.answer
        if isinstance(answer, Exception):
            raise answer
        return Closing(json=lambda: answer)


class Closing(SimpleNamespace):
    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None


def read_with(answer):
    file = FileBytes.of_bytes(b"0123456789", max_read_bytes=100)
    return c2pa_manifest.read_c2pa(Library(answer), file, "image/png")


def test_reads_the_second_version_of_claims():
    answer = (
        '{"active_manifest": "m", "manifests": {"m": {"claim_generator_info": [{"name": "GPT-4o", '
        '"version": "1"}], "signature_info": {"issuer": "OpenAI"}, "assertions": [{"label": "a",'
        '"data": {"actions": [{"action": "c2pa.created", "digitalSourceType": '
        '"http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"}, 5]}}, 5]}}, '
        '"validation_state": "Invalid", "validation_status": [{"code": "a.b"}, {}, 5]}'
    )
    assert read_with(answer) == {
        "found": True,
        "read": True,
        "claim_generator": "GPT-4o 1",
        "signer": "OpenAI",
        "state": "Invalid",
        "failures": ["a.b"],
        "source_types": ["trainedAlgorithmicMedia"],
    }


@pytest.mark.parametrize("answer", ["{}", "[]", "5", '{"active_manifest": 5, "manifests": []}'])
def test_a_manifest_that_says_nothing_is_read_all_the_same(answer):
    assert read_with(answer) == {"found": True, "read": True}


@pytest.mark.parametrize("answer", [RuntimeError("native"), "not json"])
def test_whatever_the_library_raises_is_a_format_error(answer):
    with pytest.raises(FormatError, match="manifest cannot be read"):
        read_with(answer)


def test_the_library_may_seek_and_read(monkeypatch):
    library = Library(ValueError("seen enough"))
    file = FileBytes.of_bytes(b"0123456789", max_read_bytes=100)
    with pytest.raises(FormatError):
        c2pa_manifest.read_c2pa(library, file, "image/png")
    assert library.read == b"6789"


def test_a_library_that_cannot_be_loaded_is_none(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "c2pa", None)
    assert c2pa_manifest.load_c2pa() is None


# -- the worker's loop, in this process ------------------------------------------------------------


class Open:
    """Walls that are not there."""

    def __init__(self):
        self.calls = []

    def __getattr__(self, name):
        return lambda: self.calls.append(name)


@pytest.fixture
def ask(tmp_path):
    """Return a function that has a worker read bytes, and gives the frames of its answer."""

    def asking(data, *, limits=None, library=None):
        ours, theirs = socket.socketpair()
        walls = Open()
        with ours, theirs, save(tmp_path / "a", data).open("rb") as file:
            served = worker._Worker(theirs, walls)
            served._tried_c2pa, served._c2pa = library is not None, library
            socket.send_fds(ours, [json_bytes(limits or {})], [file.fileno()])
            goes_on = served.answer()
            answer = _Answer()
            while not answer.done:
                answer.take(ours.recv(1 << 16))
        return SimpleNamespace(frames=answer._frames, goes_on=goes_on, calls=walls.calls)

    return asking


def test_the_worker_answers_a_file(ask):
    asked = ask(png(text("parameters", INFO)))
    assert parse_metadata_frame(asked.frames[METADATA]).tool == "AUTOMATIC1111"
    assert asked.frames[DONE] == b""
    assert asked.goes_on
    assert asked.calls == ["begin", "end"]


def test_the_worker_calls_the_library_for_a_manifest_only(ask):
    data = png(chunk(b"caBX", jumbf(b"x")))
    asked = ask(data, library=Library(ValueError()))
    assert b"cannot be read" in asked.frames[C2PA]
    assert asked.calls == ["begin", "let_call", "end"]
    assert b"too large" in ask(data, limits={"c2pa_checked_bytes": 10}).frames[C2PA]


def test_the_worker_says_when_memory_ran_out_and_ends(ask, monkeypatch):
    monkeypatch.setattr(worker, "serialize_metadata", fail(MemoryError()))
    asked = ask(png())
    assert asked.frames[DONE] == b"memory"
    assert not asked.goes_on


def test_the_worker_ends_when_nobody_asks():
    ours, theirs = socket.socketpair()
    with theirs:
        ours.close()
        assert not worker._Worker(theirs, Open()).answer()
