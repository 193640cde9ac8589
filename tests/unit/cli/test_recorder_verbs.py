"""The recorder's verbs, as a person gives them, from init to close, without a network."""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from anchor.records.chain import verify_chain
from anchor.records.keys import key_thumbprint
from anchor.records.kinds import KINDS
from anchor.vault import Vault
from anchor.vault.public_key import parse_public_key
from anchor.vault.recovery_key import load_recovery
from anchor.vault.signer import Signer
from tests.unit.vault.conftest import FakeKeyring

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def keyring(monkeypatch) -> FakeKeyring:
    import keyring

    backend = FakeKeyring()
    monkeypatch.setattr(keyring, "get_keyring", lambda: backend)
    return backend


@pytest.fixture
def work(run, keyring, tmp_path: Path, monkeypatch) -> Path:
    """A folder with a vault, and the person in it; offline."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("VESTIGE_OFFLINE", "1")
    folder = tmp_path / "cats"
    folder.mkdir()
    monkeypatch.chdir(folder)
    ran = run("init", "--recovery", tmp_path / "recovery.txt")
    assert ran.status == 0, ran.err
    return folder


def image(folder: Path, name: str, data: bytes = b"cat") -> Path:
    path = folder / name
    path.write_bytes(PNG + data + name.encode())
    return path


def kinds(folder: Path) -> list[str]:
    with Vault.open(folder) as vault:
        records = [vault.read(seq) for seq in vault.files.numbers()]
    report = verify_chain(records)
    assert report.complete_up_to == len(records) - 1
    return [record.kind.name for record in records]


def record(folder: Path, seq: int = -1):
    with Vault.open(folder) as vault:
        return vault.read(seq % vault.size)


# -- a whole project -------------------------------------------------------------------------------


def test_a_project_from_the_idea_to_the_publication(run, work: Path):
    for number in range(4):
        image(work, f"{number}.png")
    image(work, "drawing.png", b"by hand")
    image(work, "after.png", b"after")
    said = [
        run("idea", "a cat on a roof, at night"),
        run("sketch", "drawing.png", "--medium", "paper", "--from", "1"),
        run("prompt", "a", "cat", "on", "a", "roof", "--negative", "dogs"),
        run("prompt", "a black cat on a roof", "--purpose", "darker"),
        run("add", "0.png", "1.png", "2.png", "3.png", "--from", "4"),
        run("select", "7", "--from", "5", "6", "7", "8", "--why", "the light"),
        run("edit", "7.0", "after.png", "--app", "Krita", "--did", "ears", "--minutes", "40"),
        run("edit", "after.png", "after.png", "--box", "1", "2", "3", "4", "--prompt", "whiskers"),
        run("final", "after.png", "--human", "the ears", "--from", "9", "10"),
        run("publish", "https://example.org/cat", "--at", "2026-11-24", "--platform", "Example"),
        run("correct", "1", "it was in the morning"),
        run("note", "--on", "9", "no more"),
        run("close", "--yes", "--statement", "done"),
    ]
    assert [ran.err for ran in said] == [""] * len(said)
    assert [ran.status for ran in said] == [0] * len(said)
    assert kinds(work) == [
        "genesis", "idea", "sketch", "prompt", "prompt", *["generation"] * 4, "selection",
        "manual_edit", "region_edit", "final", "publication", "correction", "note", "close",
    ]  # fmt: skip
    assert record(work, 3).fields["positive"] == "a cat on a roof"
    assert record(work, 4).fields["difference"][1] == ["+", "black "]
    assert record(work, 9).fields["rejected"] == ["5", "6", "8"]
    edit = record(work, 10)
    assert edit.fields["before"] == "7.0"
    assert edit.fields["operations"] == ["ears"]
    assert edit.fields["minutes"] == 40
    region = record(work, 11)
    assert region.fields["before"] == "10.0", "a file is found where it was recorded before"
    assert region.fields["box"] == ["1", "2", "3", "4"]
    assert record(work, 13).fields["parents"] == ["12"]
    refused = run("note", "one more")
    assert refused.status == 5
    assert "closed" in refused.err


def test_what_a_command_says_is_one_line_a_record(run, work: Path):
    ran = run("prompt", "a cat on a roof")
    assert ran.out == f"{'record 1  prompt: a cat on a roof':72}… pending\n"
    assert ran.err == ""


def test_json_says_what_was_made(run, work: Path):
    image(work, "0.png")
    ran = run("add", "0.png", "--json")
    value = ran.json
    (made,) = value["records"]
    assert (made["seq"], made["kind"], made["late"]) == (1, "generation", False)
    assert made["files"][0]["ref"] == "1.0"
    assert Path(made["path"]).is_file()
    assert value["queued"] == 2
    assert (value["errors"], value["sent"], value["exit_status"]) == ([], [], 0)


# -- init ------------------------------------------------------------------------------------------


def test_init_hands_over_the_recovery_key_once(run, work: Path, tmp_path: Path, monkeypatch):
    signer = load_recovery(tmp_path / "recovery.txt")
    assert record(work, 0).fields["recovery"] == signer.thumbprint.hex()
    for path in [*work.rglob("*"), *(tmp_path / "data").rglob("*")]:
        assert not path.is_file() or signer.seed not in path.read_bytes()
    second = tmp_path / "dogs"
    second.mkdir()
    monkeypatch.chdir(second)
    ran = run("init", "--title", "Dogs", "--author", "somebody", "--tool", "ComfyUI")
    assert ran.status == 0
    made = record(second, 0).fields
    assert made["recovery"] == signer.thumbprint.hex()
    assert (made["title"], made["author"], made["tools"]) == ("Dogs", "somebody", ["ComfyUI"])
    assert made["project_index"] == 1
    assert record(second, 0).actor.key == record(work, 0).actor.key


def test_init_without_a_place_for_the_recovery_key_makes_nothing(
    run, keyring, tmp_path: Path, monkeypatch
):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    ran = run("init", tmp_path, "--offline")
    assert ran.status == 2
    assert "--recovery FILE" in ran.err
    inside = run("init", tmp_path, "--offline", "--recovery", tmp_path / ".vestige" / "key")
    assert inside.status == 2
    assert keyring.secrets == {}
    assert not (tmp_path / ".vestige").exists()
    assert not list((tmp_path / "state").rglob("*.json"))
    assert run("init", tmp_path, "--offline", "--recovery", tmp_path / "key").status == 0


def test_init_that_fails_leaves_a_vault_that_was_there(run, keyring, work: Path, tmp_path: Path):
    assert run("init", work, "--recovery", tmp_path / "recovery.txt").status == 5
    assert record(work, 0).kind.name == "genesis"


def test_init_keeps_no_password_in_the_vault(run, keyring, tmp_path: Path):
    words = ("--recovery", tmp_path / "key", "--server", "https://ann:s3cret@log.example")
    ran = run("init", tmp_path, "--offline", *words)
    assert ran.status == 2
    assert "s3cret" not in ran.err
    assert not (tmp_path / ".vestige").exists()


def test_init_shows_the_recovery_key_on_a_terminal(run, keyring, tmp_path: Path, monkeypatch):
    from anchor.cli._output import Output

    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setattr(Output, "is_terminal", lambda *_: True)
    ran = run("init", tmp_path, "--offline")
    assert ran.status == 0
    (line,) = [line for line in ran.out.splitlines() if "vestige-recovery-1" in line]
    from anchor.vault.recovery_key import parse_recovery

    signer = parse_recovery(line)
    assert record(tmp_path, 0).fields["recovery"] == signer.thumbprint.hex()


def answers(monkeypatch, *said: str) -> list[str]:
    """Answer what is asked for a passphrase; return the questions."""
    import getpass

    waiting, asked = list(said), []
    monkeypatch.setenv("VESTIGE_KEYS", "file")
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))

    def answer(question: str) -> str:
        asked.append(question)
        return waiting.pop(0)

    monkeypatch.setattr(getpass, "getpass", answer)
    return asked


def test_init_asks_for_the_passphrase_before_it_shows_the_recovery_key(
    run, tmp_path: Path, monkeypatch
):
    from anchor.cli._output import Output

    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setattr(Output, "is_terminal", lambda *_: True)
    asked = answers(monkeypatch, *(f"horse battery {number}" for number in range(6)))
    given_up = run("init", tmp_path, "--offline")
    assert given_up.status == 2
    assert len(asked) == 6
    assert "vestige-recovery-1" not in given_up.out, "nobody keeps a key that stands for nothing"
    assert not (tmp_path / ".vestige").exists()
    asked = answers(
        monkeypatch, "short", "horse battery", "horse butter", "horse battery", "horse battery"
    )
    ran = run("init", tmp_path, "--offline")
    assert ran.status == 0, ran.err
    assert len(asked) == 5
    assert ran.out.count("vestige-recovery-1") == 1
    assert "the two differ" in ran.err


def test_a_recovery_key_that_no_project_came_of_is_told_of(
    run, keyring, tmp_path: Path, monkeypatch
):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    link = os.link

    def failing(source, target, **more):
        if Path(target).suffix == ".sdjwt":
            raise OSError(errno.EIO, "the disk fails")
        return link(source, target, **more)

    monkeypatch.setattr(os, "link", failing)
    ran = run("init", tmp_path, "--offline", "--recovery", tmp_path / "key")
    assert ran.status != 0
    thumbprint = load_recovery(tmp_path / "key").thumbprint.hex()[:8]
    assert f"the recovery key {thumbprint}… stands for nothing yet" in ran.err
    monkeypatch.undo()


def test_a_new_recovery_key_of_a_later_project_says_that_the_old_one_still_holds(
    run, work: Path, tmp_path: Path
):
    old = load_recovery(tmp_path / "recovery.txt").thumbprint.hex()[:8]
    ran = run("init", tmp_path / "dogs", "--recovery", tmp_path / "second.txt")
    assert ran.status == 5, "the folder is not there"
    (tmp_path / "dogs").mkdir()
    ran = run("init", tmp_path / "dogs", "--recovery", tmp_path / "second.txt")
    new = load_recovery(tmp_path / "second.txt").thumbprint.hex()[:8]
    assert f"a NEW recovery key {new}" in ran.err + ran.out
    assert f"{old}… still holds for your other projects" in ran.err + ran.out
    (tmp_path / "cows").mkdir()
    ran = run("init", tmp_path / "cows")
    assert f"recovery key {new}… (that of your last project)" in ran.err + ran.out


def test_a_vault_inside_a_vault_is_warned_of(run, work: Path, tmp_path: Path):
    (work / "kittens").mkdir()
    ran = run("init", work / "kittens")
    assert ran.status == 0
    assert f"{work} above has a vault already" in ran.err


def test_a_file_to_be_written_where_no_folder_is_names_the_folder(run, work: Path, tmp_path: Path):
    stick = tmp_path / "media" / "usb"
    (tmp_path / "dogs").mkdir()
    for words in (
        ["init", tmp_path / "dogs", "--recovery", stick / "recovery.txt"],
        ["log", "--html", stick / "page.html"],
    ):
        ran = run(*words)
        assert ran.status == 5
        assert f"there is no folder {stick}" in ran.err
    assert not (tmp_path / "dogs" / ".vestige").exists()


def test_a_passphrase_file_that_is_not_there_names_the_variable(run, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("VESTIGE_PASSPHRASE_FILE", str(tmp_path / "nothing"))
    ran = run("init", tmp_path, "--offline", "--recovery", tmp_path / "key")
    assert ran.status == 2
    assert "VESTIGE_PASSPHRASE_FILE" in ran.err
    assert str(tmp_path / "nothing") in ran.err
    assert not (tmp_path / "key").exists()


def test_a_second_init_is_refused(run, work: Path, tmp_path: Path):
    ran = run("init", "--recovery", tmp_path / "recovery.txt")
    assert ran.status == 5
    assert "has a vault already" in ran.err
    assert kinds(work) == ["genesis"]


def test_without_a_vault_every_verb_says_how_to_make_one(run, keyring, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.png").write_bytes(PNG)
    for words in (["note", "x"], ["log"], ["status"], ["show", "1"], ["send"], ["add", "a.png"]):
        ran = run(*words)
        assert ran.status == 5, words
        assert "vestige init" in ran.err, words


# -- text ------------------------------------------------------------------------------------------


def standard_input(monkeypatch, data: bytes) -> None:
    stdin = SimpleNamespace(buffer=io.BytesIO(data), isatty=lambda: False)
    monkeypatch.setattr(sys, "stdin", stdin)


def test_a_prompt_comes_from_words_standard_input_or_a_file(run, work: Path, monkeypatch):
    (work / "prompt.txt").write_text("from a file\n")
    assert run("prompt", "--file", "prompt.txt").status == 0
    assert record(work).fields["positive"] == "from a file"
    standard_input(monkeypatch, "von der Eingabe, 猫\n".encode())
    assert run("prompt", "-").status == 0
    assert record(work).fields["positive"] == "von der Eingabe, 猫"


@pytest.mark.parametrize("way", ["file", "input", "words"])
def test_text_that_is_not_utf8_is_recorded_and_its_bytes_are_kept(
    run, work: Path, monkeypatch, way: str
):
    data = "ein schöner Kater".encode("latin-1")
    if way == "file":
        (work / "prompt.txt").write_bytes(data)
        ran = run("prompt", "--file", "prompt.txt")
    elif way == "input":
        standard_input(monkeypatch, data)
        ran = run("prompt", "-")
    else:
        ran = run("prompt", os.fsdecode(data))
    assert ran.status == 0, ran.err
    made = record(work)
    assert made.fields["positive"] == "ein sch�ner Kater"
    (entry,) = made.files.values()
    assert entry["role"] == "original_prompt"
    with Vault.open(work) as vault:
        assert vault.objects.path(bytes.fromhex(entry["sha256"])).read_bytes() == data


def test_a_prompt_of_five_megabytes_is_recorded(run, work: Path):
    (work / "long.txt").write_text("cat, " * 1_000_000)
    for _ in range(2):
        assert run("prompt", "--file", "long.txt").status == 0
    assert len(record(work).fields["positive"]) == 5_000_000
    assert "difference" not in record(work).fields
    assert run("log").status == 0
    assert run("show", "2").status == 0


@pytest.mark.parametrize(
    "words", [["prompt"], ["prompt", " "], ["prompt", "x", "--file", "f"], ["note"], ["idea", ""]]
)
def test_no_text_or_two_is_refused(run, work: Path, words: list[str]):
    (work / "f").write_text("y")
    assert run(*words).status == 2
    assert kinds(work) == ["genesis"]


def test_a_text_past_the_limit_is_refused_with_a_way_out(run, work: Path):
    (work / "huge.txt").write_bytes(b"x" * ((8 << 20) + 1))
    assert run("prompt", "--file", "huge.txt").status in (2, 5)
    assert kinds(work) == ["genesis"]


def test_any_other_field_can_be_set(run, work: Path):
    ran = run("prompt", "x", "--set", "syntax=a1111", "--set", "language=de", "--note", "why not")
    assert ran.status == 0
    fields = record(work).fields
    assert (fields["syntax"], fields["language"], fields["note"]) == ("a1111", "de", "why not")
    wrong = run("prompt", "x", "--set", "sampler=Euler")
    assert wrong.status == 2
    assert "no field 'sampler'" in wrong.err
    assert "syntax" in wrong.err
    assert run("sketch", "x", "--set", "layers=many").status == 2


def test_fields_of_every_type_can_be_set(run, work: Path):
    image(work, "a.png")
    ran = run(
        "add", "a.png", "--set", "steps=20", "--set", "guidance=7.5", "--set", "tool=mine",
        "--set", "environment=GPU: A100", "--set", "environment=driver: 550",
        "--set", "models=role:checkpoint,name:x", "--set", "started=2026-11-23T10:00:00Z",
    )  # fmt: skip
    assert ran.status == 0, ran.err
    fields = record(work).fields
    assert (fields["steps"], fields["guidance"], fields["tool"]) == (20, "7.5", "mine")
    assert fields["environment"] == [["GPU", "A100"], ["driver", "550"]]
    assert fields["models"] == [{"role": "checkpoint", "name": "x"}]
    for wrong in ("steps=-1", "steps=x", "guidance=1e9", "started=now", "width", "models=x"):
        ran = run("add", "a.png", "--again", "--set", wrong)
        assert ran.status == 2, wrong
    assert kinds(work) == ["genesis", "generation"]


def test_an_edit_by_a_mask_of_a_file_that_was_never_recorded(run, work: Path):
    for name in ("before.png", "after.png", "mask.png"):
        image(work, name)
    ran = run("edit", "before.png", "after.png", "--mask", "mask.png", "--element", "hand",
              "--app", "Fooocus")  # fmt: skip
    assert ran.status == 0, ran.err
    made = record(work)
    assert made.kind.name == "region_edit"
    assert [entry["role"] for entry in made.files.values()] == ["before", "after", "mask"]
    assert made.fields["settings"] == [["app", "Fooocus"]]


# -- files -----------------------------------------------------------------------------------------


def test_what_add_takes_a_file_for(run, work: Path):
    image(work, "new.png")
    old = image(work, "old.png")
    past = (datetime.now(UTC) - timedelta(days=30)).timestamp()
    os.utime(old, (past, past))
    (work / "model.bin").write_bytes(b"weights")
    assert run("add", "new.png").status == 0
    assert run("add", "old.png").status == 0
    unknown = run("add", "model.bin")
    assert unknown.status == 2
    assert "--as" in unknown.err
    assert run("add", "model.bin", "--as", "reference", "--set", "licence=CC0").status == 0
    assert run("add", "old.png", "--as", "sketch", "--again").status == 0
    assert kinds(work)[1:] == ["generation", "import", "reference", "sketch"]
    lates = [record(work, seq).sd_jwt.payload["late"] for seq in range(1, 5)]
    assert lates == [False, True, False, True]
    assert record(work, 2).capture.mode == "import"
    assert record(work, 2).capture.lag_s >= 30 * 24 * 3600
    assert record(work, 3).fields["licence"] == "CC0"


def test_the_same_content_is_recorded_once_unless_it_is_meant(run, work: Path):
    image(work, "a.png")
    assert run("add", "a.png").status == 0
    shutil.copy(work / "a.png", work / "b.png")
    image(work, "c.png")
    ran = run("add", "a.png", "b.png", "c.png")
    assert ran.status == 0
    assert "a.png was recorded before, as 1.0" in ran.err
    assert "b.png was recorded before, as 1.0" in ran.err
    assert kinds(work) == ["genesis", "generation", "generation"]
    assert run("add", "a.png", "--json").json["records"] == []
    assert run("add", "a.png", "--again").status == 0
    assert kinds(work)[-1] == "generation"


def test_a_rotten_original_is_put_right_and_said(run, work: Path):
    path = image(work, "one.png")
    assert run("add", "one.png").status == 0
    with Vault.open(work) as vault:
        there = vault.objects.path(bytes.fromhex(record(work).files[0]["sha256"]))
    there.chmod(0o644)
    there.write_bytes(bytes(path.stat().st_size))
    ran = run("add", "one.png")
    assert "no longer held what was recorded" in ran.err
    assert there.read_bytes() == path.read_bytes()
    assert run("rebuild", "--originals").status == 0


def test_the_outputs_of_one_run_are_one_record(run, work: Path):
    for number in range(3):
        image(work, f"{number}.png")
    assert run("add", "--together", "0.png", "1.png", "2.png").status == 0
    made = record(work)
    assert made.fields["outputs"] == 3
    assert [entry["name"] for entry in made.files.values()] == ["0.png", "1.png", "2.png"]
    assert run("select", "1.1", "--from", "1.0", "1.1", "1.2").status == 0
    assert record(work).fields["chosen"] == ["1.1"]


def test_one_bad_file_stops_no_other_and_shows_in_the_exit_status(run, work: Path, tmp_path: Path):
    image(work, "good.png")
    (work / "empty.png").touch()
    (tmp_path / "secret.png").write_bytes(PNG)
    (work / "link.png").symlink_to(tmp_path / "secret.png")
    ran = run("add", "empty.png", "link.png", "gone.png", "good.png")
    assert ran.status == 2
    assert "holds no bytes" in ran.err
    assert "leads out of the working folder" in ran.err
    assert "gone.png" in ran.err
    assert "record 1  generation" in ran.out
    assert kinds(work) == ["genesis", "generation"]
    none = run("add", "gone.png")
    assert none.status == 5
    assert none.out == ""


def test_a_folder_is_taken_whole_and_the_vault_is_not(run, work: Path):
    for number in range(3):
        image(work, f"{number}.png")
    assert run("add", ".").status == 0
    assert kinds(work)[1:] == ["generation"] * 3


@pytest.mark.parametrize(
    "words",
    [
        ["select", "9", "--from", "9", "1"],
        ["select", "1", "--from", "0"],
        ["select", "x", "--from", "x"],
        ["edit", "9", "a.png"],
        ["edit", "0", "gone.png"],
        ["correct", "7", "x"],
        ["note", "x", "--on", "5.1"],
        ["prompt", "x", "--previous", "0"],
        ["show", "99"],
        ["show", "x"],
        ["log", "-n", "0"],
        ["close"],
        ["note", "x", "--role", "nobody"],
        ["keys", "revoke", "abcd", "--recovery", "gone"],
    ],
)
def test_what_can_not_be_is_refused_and_recorded_nowhere(run, work: Path, words: list[str]):
    image(work, "a.png")
    ran = run(*words)
    assert ran.status in (2, 5)
    assert ran.err.startswith("vestige: error: ")
    assert "unexpected" not in ran.err
    assert kinds(work) == ["genesis"]


# -- looking ---------------------------------------------------------------------------------------


@pytest.fixture
def filled(run, work: Path) -> Path:
    for number in range(3):
        image(work, f"{number}.png")
    run("prompt", "a cat")
    run("prompt", "a black cat\nat night")
    run("add", "0.png", "1.png", "2.png")
    run("select", "4", "--from", "3", "4", "5", "--why", "ears\x1b[31m")
    return work


def test_log_shows_the_newest_first_with_its_rails(run, filled: Path):
    ran = run("log")
    lines = ran.out.splitlines()
    assert ran.err == "vestige: 7 records queued: vestige send sends them\n"
    assert [line.split()[0] for line in lines[:2]] == ["●", "├─┬─╮"]
    numbers = [line.replace("│", " ").split()[1] for line in lines if "●" in line]
    assert numbers == ["6", "5", "4", "3", "2", "1", "0"]
    assert "chose 4 among 3: ears?[31m" in lines[0], "what was recorded can not steer a terminal"
    assert "a black cat at night" in ran.out
    assert all("… pending" in line for line in lines if "●" in line)


def test_log_can_be_cut_and_filtered(run, filled: Path):
    ran = run("log", "-n", "2")
    assert ran.out.count("●") == 2
    assert "5 earlier records" in ran.err
    prompts = run("log", "--kind", "prompt")
    assert prompts.out.count("●") == 2
    assert run("log", "--kind", "final").out == ""
    ran = run("log", "--kind", "prmpt")
    assert ran.status == 2
    assert "did you mean 'prompt'?" in ran.err
    assert run("log", "--all").out.count("●") == 7


def test_log_where_the_terminal_knows_no_unicode(run, filled: Path, monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii", write_through=True)
    monkeypatch.setattr(sys, "stdout", stream)
    from anchor.cli import main

    assert main(["log"]) == 0
    text = stream.buffer.getvalue().decode("ascii")
    assert text.splitlines()[1].startswith("|-.-.")
    assert "... pending" in text


def test_log_json_has_every_row(run, filled: Path):
    value = run("log", "--json").json
    assert value["count"] == 7
    assert [row["seq"] for row in value["records"]] == [6, 5, 4, 3, 2, 1, 0]
    assert set(value["records"][0]["parents"]) == {"3", "4", "5"}
    assert value["records"][0]["proof"] == {
        "status": "pending", "queued": True, "existed_before": None, "complete": False,
    }  # fmt: skip


def test_the_page_is_written_for_its_owner_alone(run, filled: Path, tmp_path: Path):
    path = tmp_path / "log.html"
    ran = run("log", "--html", path)
    assert ran.status == 0
    assert path.stat().st_mode & 0o777 == 0o600
    text = path.read_text()
    assert "a <ins>black </ins>cat" in text
    assert "chose" in text
    assert run("log", "--html", path, "--json").json["records"] == 7


def test_show_shows_everything_of_a_record(run, filled: Path):
    ran = run("show", "2")
    assert "a {+black +}cat{+" in ran.out
    assert record(filled, 2).digest.hex() in ran.out
    value = run("show", "6", "--json").json
    assert value["fields"]["chosen"] == ["4"]
    assert value["open"]["seq"] == 6
    assert value["proof"]["queued"] is True
    files = run("show", "3").out
    assert "0.png" in files
    assert "objects" in files


def test_show_says_in_words_what_a_record_rests_on(run, work: Path):
    models = ["models=role:checkpoint,name:cat.safetensors", "models=role:lora,name:ears"]
    ran = run("record", "generation", *(word for model in models for word in ("--set", model)))
    assert ran.status == 0, ran.err
    shown = run("show", "1").out
    assert "role: checkpoint, name: cat.safetensors" in shown
    assert "role: lora, name: ears" in shown
    assert "{" not in shown
    assert "by a command, with vestige" in shown
    assert "what its maker states (T0)" in shown
    assert "that of the machine" in shown


def test_a_kind_that_there_is_not_names_the_nearest(run, work: Path):
    for said, meant in (("licence", "rights"), ("custdy", "custody"), ("collage", "composite")):
        ran = run("record", said)
        assert ran.status == 2
        assert f"the nearest is {meant}" in ran.err
        assert "tool_export" not in ran.err
    assert "has a verb of its own" in run("record", "close").err


def test_a_choice_of_a_record_that_there_is_not_says_so(run, filled: Path):
    for words in (("99", "--from", "2", "3"), ("2", "--from", "2", "99.1")):
        ran = run("select", *words)
        assert ran.status == 5
        assert "there is no record 99; the newest is 6" in ran.err


def test_closing_is_not_said_to_have_happened_before_it_did(run, work: Path):
    ran = run("close")
    assert ran.status == 2
    assert "closing ends the project for good" in ran.err
    assert "--yes" in ran.err
    assert run("note", "still open").status == 0


def test_times_in_the_log_name_their_zone_and_unrelated_records_stand_apart(run, work: Path):
    run("note", "one")
    run("note", "two")
    lines = run("log").out.splitlines()
    assert [line[:1] for line in lines] == ["●", "", "●", "", "●"]
    assert all(" UTC  " in line for line in lines if line)


def test_status_says_how_it_stands(run, filled: Path):
    ran = run("status")
    assert ran.out.startswith(f"{filled}: 7 records, the newest at ")
    assert "7 not sent" in ran.out
    value = run("status", "--json").json
    assert (value["records"], value["queued"], value["closed"]) == (7, 7, False)
    assert value["kinds"] == {"generation": 3, "genesis": 1, "prompt": 2, "selection": 1}
    assert value["read_only"] is None
    assert value["keys"][0]["here"] is True


def test_status_notices_what_is_missing(run, filled: Path):
    (filled / ".vestige" / "records" / "00000003.sdjwt").unlink()
    ran = run("status")
    assert "1 record file missing" in ran.err
    rebuilt = run("rebuild")
    assert rebuilt.status == 5
    assert "record 3 is missing" in rebuilt.err


def test_rebuild_says_what_is_wrong(run, filled: Path):
    sound = run("rebuild", "--originals")
    assert sound.status == 0
    assert sound.out.rstrip().endswith("  whole")
    assert "verified" not in sound.out, "its proofs are another matter"
    assert run("rebuild", "--json").json["complete_up_to"] == 6
    with Vault.open(filled) as vault:
        path = vault.layout.object(vault.index.entry(3).files[0].sha256)
    path.chmod(0o644)
    path.write_bytes(b"x")
    wrong = run("rebuild")
    assert wrong.status == 1
    assert "✕ failed" in wrong.out
    assert "record 3" in wrong.err


# -- keys ------------------------------------------------------------------------------------------


def test_keys_are_listed_rotated_revoked_and_exported(run, work: Path, tmp_path: Path):
    recovery = tmp_path / "recovery.txt"
    (first,) = run("keys", "list", "--json").json["keys"]
    assert first["in_force"] is True
    rotated = run("keys", "rotate", "--recovery", recovery, "--reason", "lost")
    assert rotated.status == 0, rotated.err
    assert run("note", "after").status == 0
    revoked = run(
        "keys", "revoke", first["thumbprint"][:10], "--recovery", recovery,
        "--compromised-at", "2026-01-01",
    )  # fmt: skip
    assert revoked.status == 0, revoked.err
    assert kinds(work) == ["genesis", "key_rotate", "note", "key_revoke"]
    values = {key["thumbprint"]: key for key in run("keys", "list", "--json").json["keys"]}
    assert len(values) == 2
    assert values[first["thumbprint"]]["in_force"] is False
    jwk = json.loads(run("keys", "export-public").out)
    assert jwk["kty"] == "OKP"
    assert "BEGIN PUBLIC KEY" in run("keys", "export-public", "--format", "pem").out
    named = run("keys", "export-public", first["thumbprint"], "--format", "hex").out.strip()
    assert named == first["public_key"]
    wrong = run("keys", "export-public", "ffffffff")
    assert wrong.status == 2


def test_a_new_recovery_key_is_handed_over_on_request(run, work: Path, tmp_path: Path):
    old, new = tmp_path / "recovery.txt", tmp_path / "new.txt"
    assert run("keys", "rotate", "--recovery", old, "--new-recovery", new).status == 0
    assert run("keys", "rotate", "--recovery", old).status == 2
    assert run("keys", "rotate", "--recovery", new).status == 0
    assert kinds(work) == ["genesis", "key_rotate", "key_rotate"]


def test_the_wrong_recovery_key_does_nothing(run, work: Path, tmp_path: Path):
    from anchor.vault.recovery_key import store_recovery
    from anchor.vault.signer import Signer

    store_recovery(tmp_path / "other.txt", Signer.generate())
    ran = run("keys", "rotate", "--recovery", tmp_path / "other.txt")
    assert ran.status == 2
    assert "not the recovery key of the project" in ran.err
    (tmp_path / "noise.txt").write_bytes(b"vestige-recovery-1 \xff")
    assert run("keys", "rotate", "--recovery", tmp_path / "noise.txt").status == 5
    assert kinds(work) == ["genesis"]


def test_keys_in_files_ask_for_the_passphrase(run, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("VESTIGE_OFFLINE", "1")
    (tmp_path / "passphrase").write_text("correct horse\n")
    monkeypatch.setenv("VESTIGE_PASSPHRASE_FILE", str(tmp_path / "passphrase"))
    assert run("init", tmp_path, "--recovery", tmp_path / "recovery.txt").status == 0
    assert run("note", "x", "--vault", tmp_path).status == 0
    (tmp_path / "passphrase").write_text("wrong horse\n")
    wrong = run("note", "x", "--vault", tmp_path)
    assert wrong.status == 2
    assert "correct horse" not in wrong.err + wrong.out
    assert "wrong horse" not in wrong.err + wrong.out
    monkeypatch.delenv("VESTIGE_PASSPHRASE_FILE")
    standard_input(monkeypatch, b"")
    nobody = run("note", "x", "--vault", tmp_path)
    assert nobody.status == 2
    assert "VESTIGE_PASSPHRASE_FILE" in nobody.err


def test_a_place_for_keys_that_does_not_exist_is_refused(run, work: Path, monkeypatch):
    monkeypatch.setenv("VESTIGE_KEYS", "cloud")
    ran = run("note", "x")
    assert ran.status == 2
    assert "VESTIGE_KEYS" in ran.err


# -- copies ----------------------------------------------------------------------------------------


def test_a_copy_is_read_only_until_it_is_adopted(run, work: Path, tmp_path: Path, monkeypatch):
    run("note", "one")
    image(work, "a.png")
    shutil.copytree(work, tmp_path / "copy")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "other machine"))
    monkeypatch.chdir(tmp_path / "copy")
    for words in (["note", "two"], ["add", "a.png"], ["close", "--yes"]):
        ran = run(*words)
        assert ran.status == 5
        assert "vestige adopt" in ran.err
    assert run("log").status == 0
    assert "read-only" in run("status").err
    assert run("rebuild").status == 0
    adopted = run("adopt", "--recovery", tmp_path / "recovery.txt", "--name", "laptop")
    assert adopted.status == 0, adopted.err
    assert run("note", "two").status == 0
    assert kinds(tmp_path / "copy") == ["genesis", "note", "key_rotate", "branch", "note"]
    assert run("adopt").status == 5


def test_a_copy_that_is_adopted_with_the_old_key_is_warned_of(
    run, work: Path, tmp_path: Path, monkeypatch
):
    shutil.copytree(work, tmp_path / "copy")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "other machine"))
    ran = run("adopt", "--vault", tmp_path / "copy")
    assert ran.status == 0
    assert "count as false" in ran.err
    assert kinds(tmp_path / "copy") == ["genesis", "branch"]


# -- every kind has a way to be made ---------------------------------------------------------------


def test_every_kind_can_be_made_by_a_verb_or_by_the_watcher(run, work: Path, tmp_path: Path):
    """The 27 kinds of the table: none is there for programs alone."""
    for name in ("a.png", "b.png", "joined.png", "again.png", "contract.pdf", "old.png"):
        image(work, name, name.encode())
    day_before = datetime.now(UTC) - timedelta(days=3)
    os.utime(work / "old.png", (day_before.timestamp(),) * 2)
    key = Signer.generate()
    recovery = ("--recovery", tmp_path / "recovery.txt")
    said = [
        run("idea", "a cat"),
        run("note", "a remark"),
        run("sketch", "a.png"),
        run("add", "b.png", "--as", "reference"),
        run("prompt", "a cat"),
        run("add", "joined.png", "--again"),
        run("record", "candidate_set", "--on", "6", "3.0"),
        run("select", "6", "--from", "6", "3.0"),
        run("edit", "6", "again.png", "--box", "1", "2", "3", "4"),
        run("edit", "6", "again.png", "--app", "Krita"),
        run("record", "composite", "--on", "6", "3.0", "--file", "joined.png",
            "--set", "layers=source:6,position:0 0"),
        run("add", "a.png", "--as", "recording", "--again"),
        run("add", "a.png", "--as", "tool_export", "--again", "--set", "service=Example"),
        run("record", "metadata", "--on", "6.0", "--set", "parser=exiftool 13",
            "--set", "values=Software: Example"),
        run("final", "joined.png"),
        run("publish", "https://example.org/cat"),
        run("record", "rights", "--file", "contract.pdf", "--set", "act=licence"),
        run("record", "custody", "--set", "event=moved to a new disk"),
        run("add", "old.png"),
        run("correct", "1", "a dog"),
        run("record", "reproduction_test", "--on", "6", "--file", "again.png",
            "--set", "result=the same pixels"),
        run("keys", "bind", key.public_key.hex(), "--name", "B"),
        run("keys", "revoke", key.thumbprint.hex(), *recovery),
        run("keys", "rotate", *recovery),
    ]  # fmt: skip
    assert [(ran.status, ran.err) for ran in said if ran.status] == []
    (work / ".vestige" / "instance.json").unlink()
    assert run("adopt").status == 0
    assert run("close", "--yes").status == 0
    made = kinds(work)
    assert set(made) == set(KINDS)
    assert record(work, made.index("import")).sd_jwt.payload["late"]
    composite = record(work, made.index("composite"))
    assert composite.fields["sources"] == ["6", "3.0"]
    assert [item["role"] for item in composite.files.values()] == ["output"]


def test_a_record_that_lacks_what_its_kind_wants_is_told_what_it_is(run, work: Path):
    ran = run("record", "reproduction_test", "--set", "result=the same")
    assert ran.status == 2
    assert "wants of" in ran.err
    assert "--on N" in ran.err
    assert "about one record" in run("record", "metadata", "--on", "0", "0").err
    assert run("record", "genesis").status == 2
    assert kinds(work) == ["genesis"]


# -- two people ------------------------------------------------------------------------------------


def test_a_second_person_joins_signs_in_that_role_and_is_ended(
    run, work: Path, tmp_path: Path, keyring, monkeypatch
):
    """The co-author has keys and state of an own; the author binds the key and later ends it."""
    import keyring as keyring_module

    other = FakeKeyring()

    def be(person: str) -> None:
        backend = keyring if person == "author" else other
        monkeypatch.setattr(keyring_module, "get_keyring", lambda: backend)
        folder = tmp_path if person == "author" else tmp_path / person
        monkeypatch.setenv("XDG_DATA_HOME", str(folder / "data"))
        monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))

    author_state = os.environ["XDG_STATE_HOME"]
    be("co-author")
    jwk = tmp_path / "key.jwk"
    jwk.write_text(run("keys", "new", "--format", "jwk").out)
    be("author")
    monkeypatch.setenv("XDG_STATE_HOME", author_state)
    image(work, "passport.png")
    bound = run("keys", "bind", jwk, "--name", "B", "--method", "in person", "--evidence",
                "passport.png", "--json")  # fmt: skip
    assert bound.status == 0, bound.err
    binding = record(work)
    assert binding.fields["key_role"] == "co-author"
    assert binding.fields["evidence_sha256"] == binding.files[0]["sha256"]
    assert run("keys", "bind", jwk).status == 2, "twice"

    be("co-author")
    refused = run("note", "mine", "--role", "co-author")
    assert refused.status != 0
    assert "read-only" in refused.err
    assert run("adopt", "--role", "co-author", "--name", "B's desk").status == 0
    assert run("note", "mine", "--role", "co-author").status == 0
    as_author = run("note", "not mine")
    assert as_author.status != 0
    assert "not on this machine" in as_author.err
    assert kinds(work) == ["genesis", "key_bind", "branch", "note"]
    mine = record(work)
    assert mine.actor.role == "co-author"
    assert mine.actor.key.hex() in jwk_thumbprint(jwk)

    be("author")
    monkeypatch.setenv("XDG_STATE_HOME", author_state)
    assert run("adopt").status == 0
    ended = run("keys", "revoke", mine.actor.key.hex(), "--recovery", tmp_path / "recovery.txt")
    assert ended.status == 0, ended.err
    be("co-author")
    assert run("adopt", "--role", "co-author").status != 0
    assert kinds(work)[-2:] == ["branch", "key_revoke"]


def jwk_thumbprint(path: Path) -> str:
    return key_thumbprint(parse_public_key(str(path))).hex()


@pytest.mark.parametrize("form", ["hex", "jwk", "pem"])
def test_a_public_key_is_read_in_each_form_that_is_printed(run, work: Path, form: str):
    printed = run("keys", "export-public", "--format", form).out
    (work / "key").write_text(printed)
    assert (
        parse_public_key("key").hex() == run("keys", "export-public", "--format", "hex").out.strip()
    )


@pytest.mark.parametrize("text", ["", "00" * 31, "no file", '{"kty": "EC"}', "-----BEGIN X-----"])
def test_what_is_no_public_key_is_refused(run, work: Path, text: str):
    (work / "key").write_text(text)
    assert run("keys", "bind", "key").status == 2
    assert kinds(work) == ["genesis"]
