"""The confined reader: what it may not do, what becomes of it when it does, and what is left."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from anchor.capture import CapturePool
from anchor.capture.capture_limits import CaptureLimits
from anchor.capture.metadata import Metadata, RawItem
from anchor.capture.sandbox import worker_process
from anchor.capture.sandbox.frames import parse_metadata_frame, serialize_metadata
from anchor.errors import FormatError, NotFoundError, UsageError
from tests.parts.image_files import chunk, jumbf, png, save, text

INFO = "a cat\nSteps: 2, Sampler: x, Seed: 3"
START = (
    "import sys, os, time; sys.path.append(sys.argv[2])\n"
    "from anchor.capture.sandbox import worker\n"
    "from anchor.capture.parse import parse_metadata as real\n"
)
SERVE = "\nworker.serve(int(sys.argv[1]))"


@pytest.fixture
def pool():
    with CapturePool(1) as opened:
        yield opened


@pytest.fixture
def hostile(monkeypatch):
    """Return a function that puts code in the place of the parser: what a hole would let in."""

    def inject(body: str) -> None:
        lines = "".join(f"\n    {line}" for line in body.splitlines())
        code = f"def parse(file, limits):{lines}\n    return real(file, limits)\n"
        program = START + code + "worker.parse_metadata = parse" + SERVE
        monkeypatch.setattr(worker_process, "_PROGRAM", program)

    return inject


@pytest.fixture
def quick(monkeypatch):
    """Give the caller's clock less time than the worker's own, or more."""
    return lambda seconds: monkeypatch.setattr(worker_process, "CAPTURE_TIME_S", seconds)


@pytest.fixture
def image(tmp_path):
    return save(tmp_path / "a.png", png(text("parameters", INFO)))


def test_reads_many_files_with_one_process(pool, tmp_path):
    processes = set()
    for number in range(20):
        data = png(text("parameters", INFO.replace("cat", f"cat {number}")))
        capture = pool.read(save(tmp_path / f"{number}.png", data))
        assert capture.fields["prompt"] == f"a cat {number}"
        processes.add(id(pool._idle.queue[-1]))
    assert len(processes) == 1


def test_workers_that_were_started_before_take_the_first_files(image):
    with CapturePool(2) as pool:
        pool.start()
        before = list(pool._idle.queue)
        assert all(worker.is_usable for worker in before)
        assert pool.read(image).fields["prompt"] == "a cat"
        assert list(pool._idle.queue) == before
        pool.start()
        assert set(pool._idle.queue) == set(before), "those that live stay"
    pool.start()
    assert all(worker is None or not worker.is_usable for worker in pool._idle.queue)


def test_threads_share_a_pool(tmp_path):
    paths = [
        save(tmp_path / f"{n}.png", png(text("parameters", INFO.replace("cat", f"cat {n}"))))
        for n in range(40)
    ]
    with CapturePool(2) as pool, ThreadPoolExecutor(4) as threads:
        captures = list(threads.map(pool.read, paths))
    assert [c.fields["prompt"] for c in captures] == [f"a cat {n}" for n in range(40)]


def test_a_missing_file_does_not_use_up_a_worker(pool, image, tmp_path):
    for _ in range(3):
        with pytest.raises(NotFoundError):
            pool.read(tmp_path / "none")
    assert pool.read(image).tool == "AUTOMATIC1111"


def test_a_closed_pool_is_refused(image):
    pool = CapturePool(1)
    pool.close()
    with pytest.raises(UsageError):
        pool.read(image)
    pool.close()


def test_a_pool_without_workers_is_refused():
    with pytest.raises(UsageError):
        CapturePool(0)


def test_known_digests_are_taken_over(pool, image):
    capture = pool.read(image)
    from anchor.capture import FileDigests

    digests = FileDigests(5, "ab", "cd")
    assert pool.read(image, digests=digests).sha256 == "ab"
    assert capture.sha256 != "ab"


def test_an_endless_parse_is_ended_by_its_own_clock(hostile, image):
    hostile("while True: pass")
    with CapturePool(1) as pool:
        capture = pool.read(image)
    assert capture.sha256
    assert capture.tool is None
    assert any("took longer than 5 seconds" in note for note in capture.notes)


def test_a_parse_that_sleeps_is_ended_by_the_callers_clock(hostile, quick, image):
    hostile("import signal; signal.setitimer(signal.ITIMER_REAL, 0); signal.pause()")
    quick(1)
    with CapturePool(1) as pool:
        capture = pool.read(image)
    assert any("could not be read: it took longer" in note for note in capture.notes)
    assert capture.size


def test_the_pool_goes_on_after_a_worker_was_killed(hostile, image, tmp_path):
    hostile("if file.size == 7: os.kill(os.getpid(), 9)")
    with CapturePool(1) as pool:
        assert pool.read(image).tool == "AUTOMATIC1111"
        bad = pool.read(save(tmp_path / "bad", b"7 bytes"))
        assert bad.tool is None
        assert bad.size == 7
        assert pool.read(image).tool == "AUTOMATIC1111"


def test_a_worker_that_dies_between_files_costs_no_file(pool, image):
    assert pool.read(image).tool == "AUTOMATIC1111"
    process = pool._idle.queue[-1]._process
    os.kill(process.pid, 9)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert pool.read(image).notes == ()


def test_memory_past_the_limit_is_refused(hostile, image):
    hostile("x = bytearray(300 << 20)")
    with CapturePool(1) as pool:
        capture = pool.read(image)
        assert any("needs more memory" in note for note in capture.notes)
        assert capture.sha256
        # The next file has a fresh process.
        assert any("needs more memory" in note for note in pool.read(image).notes)


def test_address_space_is_limited_to_256_mib(hostile, image):
    if sys.platform != "linux":
        pytest.skip("only Linux enforces a limit of address space")
    limit = "resource.getrlimit(resource.RLIMIT_AS)"
    hostile(f"import resource\nif {limit} != (256 << 20,) * 2: raise OSError")
    with CapturePool(1) as pool:
        assert pool.read(image).notes == ()


FORBIDDEN = (
    "os.system('true')",
    "os.execv('/bin/true', ['true'])",
    "os.posix_spawn('/bin/true', ['true'], {})",
    "os.fork()",
    "subprocess.run(['/bin/true'])",
    "open('/etc/passwd').read()",
    "open('/tmp/x', 'w')",
    "os.remove('/tmp/x')",
    "os.listdir('/')",
    "eval('1 + 1')",
    "exec('pass')",
    "compile('1', '', 'eval')",
    "importlib.import_module('http.client')",
    "socket.socket()",
    "ctypes.CDLL(None)",
    "pickle.loads(b'cos\\nsystem\\n(S\\'true\\'\\ntR.')",
)


def test_a_reader_may_start_open_load_and_reach_nothing(monkeypatch, image):
    functions = ", ".join(f"lambda: {code}" for code in FORBIDDEN)
    program = START + (
        "import subprocess, importlib, socket, ctypes, pickle\n"
        f"FORBIDDEN = ({functions})\n"
        "def parse(file, limits):\n"
        "    for number, forbidden in enumerate(FORBIDDEN):\n"
        "        try: forbidden()\n"
        "        except PermissionError: continue\n"
        "        except BaseException: os._exit(100 + number)\n"
        "        os._exit(number)\n"
        "    return real(file, limits)\n"
        "worker.parse_metadata = parse"
    )
    monkeypatch.setattr(worker_process, "_PROGRAM", program + SERVE)
    monkeypatch.setattr(
        worker_process, "_ending", lambda status: f"not refused: {FORBIDDEN[(status or 0) % 100]}"
    )
    with CapturePool(1) as pool:
        capture = pool.read(image)
    # It went on with its work because, and only because, all of it was refused.
    assert (capture.tool, capture.notes) == ("AUTOMATIC1111", ())


def test_the_kernel_refuses_to_write_as_well(hostile, image, tmp_path):
    target = tmp_path / "written"
    with target.open("wb") as file:
        descriptor = file.fileno()
        hostile(
            "import resource\n"
            "for name in ('FSIZE', 'CORE', 'NPROC'):\n"
            "    if resource.getrlimit(getattr(resource, 'RLIMIT_' + name))[1]: os._exit(3)\n"
            f"try: os.write({descriptor}, b'x')\n"
            "except OSError: return real(file, limits)\n"
            "os._exit(3)"
        )
        with CapturePool(1) as pool:
            assert pool.read(image).tool == "AUTOMATIC1111"
    assert target.read_bytes() == b""


def test_the_worker_gets_no_environment_and_no_descriptors(hostile, image, monkeypatch):
    monkeypatch.setenv("SECRET_OF_THE_CALLER", "x")
    hostile(
        "if 'SECRET_OF_THE_CALLER' in os.environ: os._exit(3)\n"
        "for number in range(5, 64):\n"
        "    try: os.fstat(number)\n"
        "    except OSError: continue\n"
        "    if number not in (int(sys.argv[1]), getattr(file, 'descriptor', -1)):\n"
        "        import stat\n"
        "        if not stat.S_ISREG(os.fstat(number).st_mode): os._exit(3)"
    )
    with open(os.devnull) as _null, CapturePool(1) as pool:
        assert pool.read(image).tool == "AUTOMATIC1111"


def test_modules_in_the_working_folder_are_not_loaded(tmp_path, image):
    for module in ("json", "zlib", "anchor", "socket", "sitecustomize", "encodings"):
        (tmp_path / f"{module}.py").write_text("import os; os._exit(7)")
    code = (
        "from pathlib import Path; import sys; from anchor.capture import read_metadata_sandboxed;"
        f"import os; os.chdir({str(tmp_path)!r}); os.environ['PYTHONPATH'] = {str(tmp_path)!r};"
        f"print(read_metadata_sandboxed(Path({str(image)!r})).tool)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "AUTOMATIC1111", done.stderr


@pytest.mark.parametrize(
    "answer",
    [
        b"", b"X" + bytes(8), b"M" + (2**40).to_bytes(8), b"M" + bytes(8) + b"D" + bytes(8),
        b"M\0\0\0\0\0\0\0\x02{}D" + bytes(8), b"D" + bytes(8),
        b"C\0\0\0\0\0\0\0\x02[]D" + bytes(8), os.urandom(500),
    ],
)  # fmt: skip
def test_whatever_a_worker_answers_is_at_worst_a_note(monkeypatch, image, answer):
    program = (
        "import sys, socket\n"
        "s = socket.socket(fileno=int(sys.argv[1]))\n"
        f"while s.recv(9999): s.sendall({answer!r} or sys.exit())"
    )
    monkeypatch.setattr(worker_process, "_PROGRAM", program)
    monkeypatch.setattr(worker_process, "CAPTURE_TIME_S", 0.3)
    with CapturePool(1) as pool:
        capture = pool.read(image)
    assert capture.sha256
    assert capture.tool is None


def test_a_worker_that_cannot_start_is_a_note(monkeypatch, image):
    monkeypatch.setattr(worker_process, "_PROGRAM", "raise SystemExit(1)")
    with CapturePool(1) as pool:
        capture = pool.read(image)
    assert capture.notes == ("the metadata could not be read: the reader ended without an answer",)
    assert capture.size


def test_a_system_that_starts_no_further_process_is_a_note(monkeypatch, image):
    def refuse(*_, **__):
        raise BlockingIOError(11, "Resource temporarily unavailable")

    with CapturePool(1) as pool:
        with monkeypatch.context() as patch:
            patch.setattr(worker_process.subprocess, "Popen", refuse)
            capture = pool.read(image)
        assert capture.sha256
        assert any("no further process" in note for note in capture.notes)
        assert pool.read(image).tool == "AUTOMATIC1111"


def test_a_process_with_many_open_files_reads_too(image):
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < 1200:
        pytest.skip("this system lets a process have fewer files open")
    with ExitStack() as stack, CapturePool(1) as pool:
        for _ in range(1100):
            stack.enter_context(open(os.devnull))
        assert pool.read(image).tool == "AUTOMATIC1111"


def test_a_system_that_cannot_confine_reads_no_metadata(monkeypatch, image):
    monkeypatch.setattr("anchor.capture.capture_pool.can_confine", lambda: False)
    with CapturePool(1) as pool:
        capture = pool.read(image)
    assert capture.sha256
    assert (capture.tool, capture.raw) == (None, ())
    assert any("cannot confine" in note for note in capture.notes)


def test_an_answer_larger_than_a_socket_holds_does_not_wait_for_the_digests(pool, tmp_path):
    # The worker writes while the file is hashed; nobody taking its answer would stop it there.
    data = png(text("parameters", "x" * 3_000_000 + "\n" + INFO), trailer=bytes(5 << 20))
    capture = pool.read(save(tmp_path / "a.png", data))
    assert len(capture.fields["prompt"]) > 3_000_000
    assert capture.notes == ("png: 5242880 bytes after the end of the image",)


def test_limits_reach_the_worker(image):
    with CapturePool(1, CaptureLimits(text_bytes=10)) as pool:
        assert pool.read(image).tool is None


def test_nothing_is_left_running_when_a_read_is_interrupted(image, monkeypatch):
    pool = CapturePool(1)
    monkeypatch.setattr(
        "anchor.capture.capture_pool.FileDigests.of_descriptor",
        lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt),
    )
    with pytest.raises(KeyboardInterrupt):
        pool.read(image)
    monkeypatch.undo()
    assert pool.read(image).tool == "AUTOMATIC1111"
    pool.close()


def test_closing_waits_for_a_reader(image):
    pool = CapturePool(1)
    results = []
    thread = threading.Thread(target=lambda: results.append(pool.read(image)))
    thread.start()
    thread.join()
    pool.close()
    assert results[0].tool == "AUTOMATIC1111"


# -- frames ----------------------------------------------------------------------------------------


def test_metadata_travel_unchanged():
    metadata = Metadata(
        "image/png", 3, None, "x", {"a": ["ü", "1.5", {"b": 2}]},
        (RawItem("here", b"\0\xff", 5), RawItem("there", b"", None)), ("note", "猫"),
    )  # fmt: skip
    assert parse_metadata_frame(serialize_metadata(metadata)) == metadata


def test_a_frame_cut_or_padded_anywhere_is_refused():
    content = serialize_metadata(Metadata(raw=(RawItem("a", b"12345", 0),)))
    for changed in (*(content[:end] for end in range(len(content))), content + b"x"):
        with pytest.raises(FormatError):
            parse_metadata_frame(changed)


@pytest.mark.parametrize(
    "item", ['["a", -1, 0]', '["a", true, 0]', '["a", 1]', '[1, 0, 0]', '["a", 0, -1]', '5']
)  # fmt: skip
def test_an_item_that_lies_is_refused(item):
    header = f'{{"media_type": "x", "fields": {{}}, "notes": [], "raw": [{item}]}}'.encode()
    with pytest.raises(FormatError):
        parse_metadata_frame(len(header).to_bytes(8) + header + b"x")


# -- C2PA ------------------------------------------------------------------------------------------


def test_a_manifest_is_read_where_the_library_is_installed(pool, vectors):
    pytest.importorskip("c2pa", reason="needs the c2pa extra")
    capture = pool.read(vectors / "ai-images" / "c2pa" / "C.jpg")
    assert capture.fields["c2pa"] == {
        "found": True,
        "read": True,
        "claim_generator": "make_test_images/0.26.0 c2pa-rs/0.26.0",
        "signer": "C2PA Test Signing Cert",
        "signer_name": "C2PA Signer",
        "signed_at": "2023-09-29T17:40:14+00:00",
        "state": "Valid",
        "source_types": ["algorithmicMedia"],
    }
    assert capture.tool == "make_test_images/0.26.0 c2pa-rs/0.26.0"
    assert capture.notes == ()


def test_an_altered_file_is_not_called_valid(pool, vectors, tmp_path):
    pytest.importorskip("c2pa", reason="needs the c2pa extra")
    data = bytearray((vectors / "ai-images" / "c2pa" / "C.jpg").read_bytes())
    data[-3000] ^= 1
    found = pool.read(save(tmp_path / "a.jpg", bytes(data))).fields["c2pa"]
    assert found["state"] == "Invalid"
    assert "assertion.dataHash.mismatch" in found["failures"]


def test_a_manifest_that_says_nothing_is_found_and_told(pool, tmp_path):
    capture = pool.read(save(tmp_path / "a.png", png(chunk(b"caBX", jumbf(b"nonsense")))))
    assert capture.fields["c2pa"] == {"found": True, "read": False}
    assert any(note.startswith("c2pa: ") for note in capture.notes)


def test_a_manifest_in_a_large_file_is_found_and_not_read(vectors, image):
    with CapturePool(1, CaptureLimits(c2pa_checked_bytes=1000)) as pool:
        capture = pool.read(vectors / "ai-images" / "c2pa" / "C.jpg")
        assert capture.fields["c2pa"] == {"found": True, "read": False}
        assert "c2pa: not read, the file is too large to be checked" in capture.notes
        assert pool.read(image).tool == "AUTOMATIC1111"


def test_a_library_that_never_comes_back_costs_its_own_answer_only(hostile, vectors, monkeypatch):
    code = START + "import signal\ndef wait(*_): signal.pause()\nworker.read_c2pa = wait\n"
    code += "worker.load_c2pa = lambda: 1" + SERVE
    monkeypatch.setattr(worker_process, "_PROGRAM", code)
    monkeypatch.setattr(worker_process, "CAPTURE_TIME_S", 1)
    with CapturePool(1) as pool:
        capture = pool.read(vectors / "ai-images" / "c2pa" / "C.jpg")
    assert (capture.width, capture.fields["c2pa"]) == (2048, {"found": True, "read": False})
    assert any(note.startswith("c2pa: the manifest could not be read") for note in capture.notes)


def test_without_the_library_a_manifest_is_found_and_not_read(vectors, monkeypatch):
    program = START + "worker.load_c2pa = lambda: None" + SERVE
    monkeypatch.setattr(worker_process, "_PROGRAM", program)
    with CapturePool(1) as pool:
        capture = pool.read(vectors / "ai-images" / "c2pa" / "C.jpg")
    assert capture.fields["c2pa"] == {"found": True, "read": False}
    assert any("extra is not installed" in note for note in capture.notes)
    assert len(capture.raw) == 1
