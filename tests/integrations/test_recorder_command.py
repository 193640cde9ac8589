"""Recording by the ``vestige`` command, where the host's Python does not have the package."""

from __future__ import annotations

import ast
import os
import stat
import sys
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image

from .conftest import INTEGRATIONS, load, records

COMMAND = """#!{python}
import sys, keyring
sys.path.insert(0, {root!r})
from tests.integrations.conftest import FakeKeyring
backend = FakeKeyring({secrets!r})
keyring.get_keyring = lambda: backend
from anchor.cli import main
sys.exit(main())
"""


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return the recorder in a Python that has no package of ours."""
    path = INTEGRATIONS / "a1111-vestige" / "vestige_recorder.py"
    module = load("vestige_recorder", path, monkeypatch)
    monkeypatch.setattr(module, "load_anchor", lambda: None)
    return module


def program(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def image(folder: Path, name: str) -> str:
    Image.new("RGB", (8, 8)).save(folder / name)
    return str(folder / name)


def test_the_real_command_records_a_run(
    recorder, output: Path, tmp_path: Path, monkeypatch, project_root: Path
) -> None:
    import keyring

    text = COMMAND.format(
        python=sys.executable, root=str(project_root), secrets=keyring.get_keyring().secrets
    )
    monkeypatch.setenv("VESTIGE_COMMAND", str(program(tmp_path / "vestige", text)))
    paths = [image(output, "a [1]*.png"), image(output, "-b.png")]
    outcome = recorder.record_images(paths, client="tests/1")
    assert outcome == recorder.Outcome("vestige: record 1", recorded=True)
    (record,) = records(output)
    assert [file["name"] for file in record.files.values()] == ["a [1]*.png", "-b.png"]
    assert record.fields["outputs"] == 2
    assert (record.capture.mode, record.capture.client) == ("live_plugin", "tests/1")


def test_the_arguments_are_fixed(recorder, tmp_path: Path, monkeypatch) -> None:
    told = tmp_path / "told"
    script = f'#!/bin/sh\nprintf "%s\\n" "$@" > "{told}"\necho \'{{"records": [{{"seq": 7}}]}}\'\n'
    monkeypatch.setenv("VESTIGE_COMMAND", str(program(tmp_path / "vestige", script)))
    path = image(tmp_path, "$(touch x);a.png")
    outcome = recorder.record_images([path], vault="/some/vault", client="tests/1")
    assert outcome.text == "vestige: record 7"
    assert told.read_text().splitlines() == [
        "add", "--json", "--as", "generation", "--together", "--mode", "live_plugin",
        "--client", "tests/1", "--vault", "/some/vault", "--", path,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo the disk is full >&2; exit 4", "vestige: not recorded: the disk is full"),
        ("echo '[]'; exit 3", "vestige: not recorded: exit status 3"),
        ("echo nonsense; exit 0", "vestige: not recorded: exit status 0"),
    ],
)
def test_a_failing_command_is_told(
    recorder, tmp_path: Path, monkeypatch, script: str, said: str
) -> None:
    monkeypatch.setenv("VESTIGE_COMMAND", str(program(tmp_path / "v", f"#!/bin/sh\n{script}\n")))
    outcome = recorder.record_images([image(tmp_path, "a.png")], client="tests/1")
    assert outcome == recorder.Outcome(said)


def test_a_command_that_hangs_or_is_missing_breaks_nothing(
    recorder, tmp_path: Path, monkeypatch
) -> None:
    path = image(tmp_path, "a.png")
    slow = program(tmp_path / "slow", "#!/bin/sh\nexec sleep 60\n")
    monkeypatch.setattr(recorder, "_COMMAND_TIMEOUT_S", 0.2)
    monkeypatch.setenv("VESTIGE_COMMAND", str(slow))
    assert "timed out" in recorder.record_images([path], client="tests/1").text
    monkeypatch.setenv("VESTIGE_COMMAND", str(tmp_path / "gone"))
    assert not recorder.record_images([path], client="tests/1").recorded
    monkeypatch.delenv("VESTIGE_COMMAND")
    monkeypatch.setenv("PATH", os.devnull)
    assert "neither its package nor its command" in recorder.record_images(
        [path], client="tests/1"
    ).text  # fmt: skip
    assert not recorder.record_images([], client="tests/1").recorded


def test_another_package_of_that_name_is_left_alone(recorder, monkeypatch) -> None:
    path = INTEGRATIONS / "a1111-vestige" / "vestige_recorder.py"
    fresh = load("vestige_recorder", path, monkeypatch)
    assert fresh.load_anchor() is not None
    monkeypatch.setitem(fresh._NAMES, "Vault", "json")
    assert fresh.load_anchor() is None


def test_the_files_are_of_a_python_that_the_hosts_have() -> None:
    found = sorted(INTEGRATIONS.rglob("*.py"))
    assert len(found) == 6
    for path in found:
        ast.parse(path.read_text("utf-8"), feature_version=(3, 10))
