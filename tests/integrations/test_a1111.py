"""The extension in a stand-in of the web UI, on a real vault."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from .conftest import WebUi, records

PARAMETERS = """a cat on a roof
Negative prompt: dog
Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1234, Size: 8x8, Model: sea, Version: v1.10.1"""


def test_settings_have_a_section_of_their_own(web_ui: WebUi) -> None:
    assert web_ui.opts.sections == {
        "vestige_enabled": ("vestige", "Vestige"),
        "vestige_vault": ("vestige", "Vestige"),
    }


def test_each_saved_image_is_recorded_with_what_it_says(web_ui: WebUi, output: Path) -> None:
    web_ui.save("00001-1234.png", PARAMETERS)
    web_ui.save("00002-1235.png", PARAMETERS.replace("1234", "1235"))
    first, second = records(output)
    assert first.fields["positive"] == "a cat on a roof"
    assert (first.fields["seed"], second.fields["seed"]) == ("1234", "1235")
    assert "seed_origin" not in first.fields
    assert (first.capture.mode, first.capture.client) == ("live_plugin", "a1111-vestige/0.1.0")
    assert first.files[0]["name"] == "00001-1234.png"
    assert web_ui.comments == []


def test_a_relative_file_name_is_found(web_ui: WebUi, output: Path, monkeypatch) -> None:
    path = web_ui.save()
    monkeypatch.chdir(output)
    web_ui.tell(path.name)
    assert len(records(output)) == 2


def test_what_is_switched_off_or_no_image_is_not_recorded(web_ui: WebUi, output: Path) -> None:
    (output / "00001.txt").write_text("parameters")
    web_ui.tell(str(output / "00001.txt"))
    web_ui.opts.vestige_enabled = False
    web_ui.save()
    assert records(output) == []


def test_the_vault_of_the_settings_is_used(web_ui: WebUi, output: Path, tmp_path: Path) -> None:
    web_ui.folder = tmp_path
    web_ui.save()
    assert web_ui.comments[0].startswith("vestige: not recorded: ")
    web_ui.opts.vestige_vault = str(output)
    web_ui.save()
    assert len(records(output)) == 1
    assert len(web_ui.comments) == 1


def test_nothing_breaks_the_web_ui(web_ui: WebUi, output: Path, caplog) -> None:
    caplog.set_level(logging.WARNING, "vestige")
    for filename in (None, 5, "", "gone.png", "nul\0.png", str(output / "gone.png")):
        web_ui.tell(filename)
    assert caplog.records
    said = len(caplog.records)
    web_ui.tell(None)
    assert len(caplog.records) == said
    assert records(output) == []


def test_a_host_without_comments_is_fine(web_ui: WebUi, tmp_path: Path) -> None:
    class Bare:
        p = None
        filename = str(tmp_path / "gone.png")

    for callback in web_ui.on_saved:
        callback(Bare())


def test_both_integrations_carry_one_recorder(web_ui: WebUi) -> None:
    loaded = Path(sys.modules["vestige_recorder"].__file__ or "")
    other = loaded.parents[1] / "comfyui_vestige" / "vestige_recorder.py"
    assert loaded.read_bytes() == other.read_bytes()
