"""``vestige export`` and ``vestige verify NAME.exhibit.zip``, as a person gives them, offline."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from anchor.cli import export
from anchor.records.record import parse_record
from anchor.vault import Vault
from tests import exhibits
from tests.parts import image_files
from tests.unit.vault.conftest import FakeKeyring

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def work(run, tmp_path: Path, monkeypatch) -> Path:
    """A vault with a prompt, an image, two notes, and the person in it; nothing is sent."""
    import keyring

    backend = FakeKeyring()
    monkeypatch.setattr(keyring, "get_keyring", lambda: backend)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("VESTIGE_OFFLINE", "1")
    folder = tmp_path / "cats"
    folder.mkdir()
    monkeypatch.chdir(folder)
    assert run("init", "--recovery", tmp_path / "recovery.txt").status == 0
    (folder / "1.png").write_bytes(PNG + b"cat")
    for words in (("prompt", "a cat"), ("add", "1.png"), ("note", "zanzibar"), ("note", "open")):
        assert run(*words).status == 0
    return folder


@pytest.fixture
def proven(run, tmp_path: Path, monkeypatch) -> exhibits.VaultCase:
    """A vault whose records have proofs, and the policy to believe them under."""
    case = exhibits.make_vault(tmp_path)
    (tmp_path / "policy.json").write_bytes(case.policy_bytes)
    monkeypatch.setattr(export, "_signer", lambda _vault: case.signer)
    monkeypatch.chdir(case.work)
    return case


def exported(run, *words: object) -> dict:
    ran = run("export", "--no-pdf", "--json", *words)
    assert ran.status == 0, ran.err
    return ran.json


# -- from vault to verdict -------------------------------------------------------------------------


def test_what_is_exported_is_verified(run, proven, tmp_path):
    ran = run("export", "--no-pdf", "--policy", tmp_path / "policy.json")
    assert ran.status == 0, ran.err
    assert "10 shown, 0 withheld" in ran.out
    assert "✓ verified" in ran.out.splitlines()[0]
    ran = run("verify", "cat-pendant.exhibit.zip", "--policy", tmp_path / "policy.json")
    assert ran.status == 0, ran.out
    first = ran.out.splitlines()[0]
    assert first.startswith("cat-pendant.exhibit.zip: 10 records, the last of which existed before")
    assert first.endswith("✓ verified")
    for title in ("proved", "asserted", "not checked"):
        assert title in ran.out.splitlines()
    rows = [line.split() for line in ran.out.splitlines() if line.endswith("✓ verified")][1:]
    assert [int(row[0]) for row in rows] == list(range(10))


def test_the_json_of_both(run, proven, tmp_path):
    policy = ("--policy", tmp_path / "policy.json")
    made = exported(run, "kittens", *policy)
    assert (made["path"], made["status"]) == ("kittens.exhibit.zip", "verified")
    assert (made["shown"], made["withheld"], made["open_proofs"]) == (
        list(range(10)),
        [],
        list(range(5, 10)),
    )
    assert made["signed_by"] == exhibits.SECOND.public.hex()
    verdict = run("verify", made["path"], *policy, "--json").json
    assert (verdict["status"], verdict["exit_status"]) == ("verified", 0)
    assert verdict["bundle"] == made["bundle"]
    assert verdict["path"] == made["path"]


def test_an_unpacked_exhibit_and_two_paths_at_once(run, proven, tmp_path):
    policy = ("--policy", tmp_path / "policy.json")
    path = exported(run, *policy)["path"]
    with zipfile.ZipFile(path) as file:
        file.extractall(tmp_path / "there")
    folder = tmp_path / "there" / "cat-pendant.exhibit"
    ran = run("verify", folder, path, *policy, "--json")
    assert ran.status == 0, ran.err
    assert [each["status"] for each in ran.json["verdicts"]] == ["verified", "verified"]


def test_an_exhibit_that_a_court_gave_another_name(run, proven, tmp_path):
    policy = ("--policy", tmp_path / "policy.json")
    Path(exported(run, *policy)["path"]).rename(tmp_path / "Anlage K 1.ZIP")
    ran = run("verify", tmp_path / "Anlage K 1.ZIP", *policy)
    assert ran.status == 0, ran.err
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as file:
        file.writestr("photos/1.png", b"")
    ran = run("verify", tmp_path / "photos.zip")
    assert "no photos.zip.proof" in ran.err, "another zip file is a file like any other"


def test_an_exhibit_without_its_ending_is_told_as_one(run, proven, tmp_path):
    policy = ("--policy", tmp_path / "policy.json")
    Path(exported(run, *policy)["path"]).rename(tmp_path / "Anlage K 1")
    ran = run("verify", tmp_path / "Anlage K 1", *policy)
    assert ran.status == 5
    assert "hint: it looks like an exhibit: give it a name that ends in .zip" in ran.err


def test_a_folder_s_exhibits_get_one_line_each(run, proven, tmp_path):
    policy = ("--policy", tmp_path / "policy.json")
    there = tmp_path / "there"
    there.mkdir()
    path = Path(exported(run, *policy)["path"])
    (there / "a.exhibit.zip").write_bytes(path.read_bytes())
    changed = bytearray(path.read_bytes())
    changed[len(changed) // 2] ^= 1
    (there / "b.zip").write_bytes(changed)
    (there / "photos.zip").write_bytes(b"PK no exhibit")
    ran = run("verify", there, *policy)
    (line,) = ran.out.splitlines()[:1]
    assert line.startswith("a.exhibit.zip: exhibit of 10 records; ")
    assert line.endswith("✓ verified")
    assert "b.zip" in ran.out + ran.err
    assert "photos" not in ran.out + ran.err
    assert ran.status in (1, 5)
    verdicts = run("verify", there, *policy, "--json").json["verdicts"]
    assert verdicts[0]["status"] == "verified"
    assert verdicts[0]["path"].endswith("a.exhibit.zip")


def test_under_another_policy_it_is_not_checked(run, proven, tmp_path):
    other = tmp_path / "other.json"
    other.write_text('{"version": 1, "name": "believes nobody", "class": "test"}')
    path = exported(run, "--policy", other)["path"]
    ran = run("verify", path, "--policy", other)
    assert ran.status == 4
    assert "○ not checked" in ran.out.splitlines()[0]


def test_before_a_time(run, proven, tmp_path):
    policy = ("--policy", tmp_path / "policy.json")
    path = exported(run, *policy)["path"]
    ran = run("verify", path, *policy, "--before", "2026-12-01")
    assert ran.status == 0
    assert "before 2026-12-01 00:00:00 UTC? records 0-9: yes" in ran.out.splitlines()[1]
    ran = run("verify", path, *policy, "--before", "2020-01-01")
    assert ran.status == 6
    first, second = ran.out.splitlines()[1:3]
    assert "before 2020-01-01 00:00:00 UTC? records 0-4: no: " in first
    assert "records 5-9: unknown: " in second, "a calendar has promised something for them"
    assert "UTC?" not in run("verify", path, *policy).out


def test_steps(run, proven, tmp_path):
    policy = ("--policy", tmp_path / "policy.json")
    path = exported(run, *policy)["path"]
    ran = run("verify", path, *policy, "--steps")
    assert ran.out.count("step 13.1") == 10
    value = run("verify", path, *policy, "--steps", "--json").json
    assert value["records"]["records"][3]["steps"]


def test_a_changed_exhibit_fails_and_the_file_is_named(run, proven, tmp_path):
    policy = ("--policy", tmp_path / "policy.json")
    path = Path(exported(run, *policy)["path"])
    data = bytearray(path.read_bytes())
    data[data.index(b"What this is")] ^= 1
    path.write_bytes(bytes(data))
    ran = run("verify", path, *policy)
    assert ran.status == 1
    assert "✕ failed" in ran.out.splitlines()[0]
    assert "data/README.txt" in ran.out.splitlines()[0]
    assert "proved" not in ran.out.splitlines()


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"no zip file at all, but a long text " * 9])
def test_what_is_no_zip_file_is_refused_in_one_line(run, tmp_path, data):
    path = tmp_path / "x.exhibit.zip"
    path.write_bytes(data)
    ran = run("verify", path)
    assert ran.status == 5
    assert len(ran.err.splitlines()) == 2, "an error and a hint"


def test_an_exhibit_that_is_not_there_and_one_that_is_a_pipe(run, tmp_path):
    import os

    assert run("verify", tmp_path / "x.exhibit.zip").status == 5
    os.mkfifo(tmp_path / "p.exhibit.zip")
    assert run("verify", tmp_path / "p.exhibit.zip").status == 5


def test_text_in_an_exhibit_can_not_touch_the_terminal(run, proven, tmp_path):
    path = exported(
        run, "--title", "\x1b[31m ✓ verified \u202e", "--policy", tmp_path / "policy.json"
    )
    ran = run("verify", path["path"], "--policy", tmp_path / "policy.json")
    assert ran.status == 0
    assert "\x1b" not in ran.out
    assert "\u202e" not in ran.out


# -- choosing --------------------------------------------------------------------------------------


def test_everything_by_default_with_records_that_are_not_sent(run, work):
    ran = run("export", "--no-pdf")
    assert ran.status == 0, ran.err
    assert "5 records without a finished proof" in ran.err
    assert "vestige send" in ran.err
    assert run("verify", "cats.exhibit.zip").status == 4


def test_records_and_withhold(run, work):
    made = exported(run, "a", "--records", "1-2,4")
    assert (made["shown"], made["withheld"]) == ([0, 1, 2, 4], [3])
    made = exported(run, "b", "--withhold", "3", "--reason", "3=names a client")
    assert (made["shown"], made["withheld"]) == ([0, 1, 2, 4], [3])
    with zipfile.ZipFile("b.exhibit.zip") as file:
        listing = json.loads(file.read("b.exhibit/data/exhibit.json"))
        everything = b"".join(file.read(name) for name in file.namelist())
    assert listing["records"][3]["reason"] == "names a client"
    assert b"zanzibar" not in everything


def test_fields_and_files(run, work):
    made = exported(run, "a", "--hide", "positive", "--hide", "3:*,text", "--no-files", "2")
    assert made["withheld_fields"] == 3
    assert made["files_withheld"] == 1
    made = exported(run, "b", "--disclose", "1:positive")
    with Vault.open(work) as vault:
        hidden = sum(len(vault.read(seq).sd_jwt.disclosures) for seq in range(5))
    assert made["withheld_fields"] == hidden - 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--records", "9"), "0 to 4"),
        (("--records", "x"), "numbers of records"),
        (("--records", "3-1"), "0 to 4"),
        (("--withhold", "0"), "always shown"),
        (("--records", "1", "--withhold", "2"), "not allowed with"),
        (("--hide", "positve"), "did you mean 'positive'"),
        (("--hide", "A B"), "SEQ:FIELD"),
        (("--hide", "3:why"), "record 3 has no field 'why'\nvestige: hint: it has text"),
        (("--hide", "99:why"), "no record 99"),
        (("--reason", "3=why"), "not withheld"),
        (("--withhold", "3", "--reason", "why"), "SEQ=TEXT"),
        (("--withhold", "3", "--reason", "3=" + "y" * 1001), "over 1000"),
        (("--lang", "fr"), "en, zh"),
        (("--pdf-certificate", "x.p12"), "nothing to sign"),
        (("--pdf-tsa", "http://127.0.0.1:1"), "--pdf-certificate"),
        (("../x",), "can not be the name"),
        (("CON:",), "can not be the name"),
        (("-x.",), "-x."),
    ],
)
def test_choices_that_are_none(run, work, words, said):
    ran = run("export", "--no-pdf", *words)
    assert ran.status == 2
    assert said in ran.err
    assert list(work.glob("*.zip")) == []


def test_an_exhibit_that_is_there_is_replaced_only_by_force(run, work):
    exported(run)
    ran = run("export", "--no-pdf")
    assert ran.status == 5
    assert "there already" in ran.err
    before = Path("cats.exhibit.zip").read_bytes()
    exported(run, "--force")
    assert Path("cats.exhibit.zip").read_bytes() == before


def test_where_it_is_written_and_what_stays_behind(run, work, tmp_path):
    made = exported(run, "--out", tmp_path / "new" / "folder")
    assert made["path"] == str(tmp_path / "new" / "folder" / "cats.exhibit.zip")
    assert [path.name for path in (tmp_path / "new" / "folder").iterdir()] == ["cats.exhibit.zip"]


def test_a_vault_without_its_key_is_exported_unsigned_only(run, work, tmp_path, monkeypatch):
    shutil.rmtree(tmp_path / "data")
    ran = run("export", "--no-pdf")
    assert ran.status == 5
    assert "not on this machine" in ran.err
    made = exported(run, "--no-sign")
    assert made["signed_by"] is None
    assert made["status"] in {"not_checked", "pending"}  # never verified: nobody stands behind it


def test_an_empty_vault(run, tmp_path, monkeypatch):
    Vault.init(tmp_path, state=tmp_path / "state").close()
    monkeypatch.chdir(tmp_path)
    ran = run("export", "--no-pdf")
    assert ran.status == 2
    assert "no records yet" in ran.err


def test_the_printed_exhibit_is_in_it_and_the_same_each_time(run, work, tmp_path):
    assert run("export", "--lang", "en").status == 0
    first = Path("cats.exhibit.zip").read_bytes()
    assert run("export", "--lang", "en", "--force").status == 0
    assert Path("cats.exhibit.zip").read_bytes() == first
    with zipfile.ZipFile("cats.exhibit.zip") as file:
        assert file.read("cats.exhibit/data/exhibit.pdf").startswith(b"%PDF-")
    verdict = run("verify", "cats.exhibit.zip", "--json").json
    assert [f["code"] for f in verdict["findings"]] == []


def test_checking_loads_no_vault_no_database_and_no_network(proven, run, tmp_path):
    path = exported(run, "--policy", tmp_path / "policy.json")["path"]
    program = (
        "import sys\nfrom anchor.cli import main\n"
        "main(['verify', *sys.argv[1:]])\n"
        "heavy = {'sqlite3', 'httpx', 'ssl', 'asyncio', 'fastapi', 'typst', 'PIL'}\n"
        "heavy &= set(sys.modules)\n"
        "sys.exit(f'{heavy}' if heavy or 'anchor.vault' in sys.modules else 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, path, "--policy", str(tmp_path / "policy.json")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_without_the_typesetter_the_extra_is_named_and_nothing_is_left(run, work, monkeypatch):
    for name in [*sys.modules]:
        if name.startswith(("anchor.exhibit.pdf", "typst")):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "typst", None)
    ran = run("export")
    assert ran.status == 2
    assert "vestige[exhibit]" in ran.err
    assert [path.name for path in work.iterdir() if "exhibit" in path.name] == []
    assert run("export", "--no-pdf").status == 0


# -- what is withheld and shown all the same -------------------------------------------------------


@pytest.fixture
def repeated(run, work) -> Path:
    """Prompts 5 and 6, the second with a difference; 7 is a picture that tells of the first."""
    secret = "a dragon for the client ACME"
    for words in (secret, "a dragon in the morning light"):
        assert run("prompt", words).status == 0
    picture = image_files.png(image_files.ztext("Comment", secret.encode()))
    (work / "told.png").write_bytes(picture)
    assert run("add", "told.png").status == 0
    return work


@pytest.mark.parametrize("words", [("--withhold", "5"), ("--hide", "5:positive")])
def test_what_stands_elsewhere_too_is_named_and_nothing_is_written(run, repeated, words):
    ran = run("export", "--no-pdf", *words)
    assert ran.status == 2
    assert "record 5, positive is withheld and stands in" in ran.err
    assert "stands in the file of record 7, file.0" in ran.err
    assert "add --no-files 7, or --allow-leaks" in ran.err
    assert list(repeated.glob("*.zip")) == []
    assert exported(run, *words, "--allow-leaks")["path"] == "cats.exhibit.zip"


def test_what_the_hint_says_withholds_it(run, repeated):
    ran = run("export", "--no-pdf", "--withhold", "5", "--no-files", "7")
    assert ran.status == 0, ran.err
    assert "the difference is hidden too in record 6" in ran.err
    with zipfile.ZipFile("cats.exhibit.zip") as file:
        shown = [parse_record(file.read(name)) for name in file.namelist() if "sdjwt" in name]
    assert "ACME" not in json.dumps([record.fields for record in shown])
    assert "positive" in next(record for record in shown if record.seq == 6).fields


def test_a_plain_text_file_that_repeats_a_note(run, work):
    (work / "letter.txt").write_text("they asked for\nthe blue zanzibar edition, at once")
    assert run("note", "The blue Zanzibar edition").status == 0
    assert run("add", "letter.txt", "--as", "reference").status == 0
    ran = run("export", "--no-pdf", "--withhold", "5")
    assert ran.status == 2
    assert "record 6, file.0" in ran.err
    assert run("export", "--no-pdf", "--withhold", "5,6").status == 0


def test_the_exhibit_s_own_name_and_title(run, work):
    assert run("note", "the ACME dragon").status == 0
    ran = run("export", "--no-pdf", "--withhold", "5", "--title", "For the ACME dragon")
    assert ran.status == 2
    assert "stands in the title" in ran.err
