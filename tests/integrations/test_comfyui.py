"""The ComfyUI nodes in a stand-in of ComfyUI, on a real vault."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from anchor.records.record import Beacon
from anchor.records.seed import beacon_seed
from anchor.vault import Draft, Vault

from .conftest import records

HASH = bytes(range(32))
PROMPT = {
    "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "sea.safetensors"}},
    "2": {"class_type": "CLIPTextEncode", "inputs": {"text": "a cat", "clip": ["1", 1]}},
    "3": {"class_type": "CLIPTextEncode", "inputs": {"text": "dog", "clip": ["1", 1]}},
    "4": {"class_type": "EmptyLatentImage", "inputs": {"width": 8, "height": 8, "batch_size": 2}},
    "5": {"class_type": "VestigeSeed", "inputs": {}},
    "6": {"class_type": "KSampler", "inputs": {
        "seed": ["5", 0], "steps": 20, "cfg": 7.5, "sampler_name": "euler", "scheduler": "normal",
        "denoise": 1.0, "model": ["1", 0], "positive": ["2", 0], "negative": ["3", 0],
        "latent_image": ["4", 0]}},
    "7": {"class_type": "VAEDecode", "inputs": {"samples": ["6", 0], "vae": ["1", 2]}},
    "8": {"class_type": "VestigeSaveImage", "inputs": {"images": ["7", 0], "draw": ["5", 1]}},
}  # fmt: skip


def save(comfyui, images=((8, 8),), prompt=PROMPT, **given):
    node = comfyui.NODE_CLASS_MAPPINGS["VestigeSaveImage"]()
    extra = {"workflow": {"nodes": []}}
    method = getattr(node, node.FUNCTION)
    return method(
        images=list(images), filename_prefix="cat", prompt=prompt, extra_pnginfo=extra, **given
    )


def draw(comfyui, **given):
    node = comfyui.NODE_CLASS_MAPPINGS["VestigeSeed"]()
    return getattr(node, node.FUNCTION)(**given)["result"]


@pytest.fixture
def beacon(output: Path, tmp_path: Path) -> Beacon:
    """Put a beacon where the recorder remembers what the service said last."""
    said = {"beacons": {"bitcoin": {
        "chain": "bitcoin", "number": 900_000, "block_hash": HASH.hex(), "time": 1_790_000_000,
    }}}  # fmt: skip
    folder = tmp_path / "state" / "vestige"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "beacons.json").write_text(
        json.dumps({"fetched_at": int(time.time()), "said": said}), "utf-8"
    )
    return Beacon("bitcoin", 900_000, HASH)


def test_nodes_keep_what_comfyui_asks_of_a_node(comfyui) -> None:
    assert set(comfyui.NODE_CLASS_MAPPINGS) == set(comfyui.NODE_DISPLAY_NAME_MAPPINGS)
    for node in comfyui.NODE_CLASS_MAPPINGS.values():
        assert callable(getattr(node, node.FUNCTION))
        assert len(node.RETURN_TYPES) == len(node.RETURN_NAMES)
        assert node.CATEGORY
    save_inputs = comfyui.NODE_CLASS_MAPPINGS["VestigeSaveImage"].INPUT_TYPES()
    assert save_inputs["hidden"] == {"prompt": "PROMPT", "extra_pnginfo": "EXTRA_PNGINFO"}
    assert set(save_inputs["required"]) == {"images", "filename_prefix"}
    assert set(save_inputs["optional"]) == {"vault", "draw"}
    changed = comfyui.NODE_CLASS_MAPPINGS["VestigeSeed"].IS_CHANGED()
    assert changed != changed  # noqa: PLR0124 - nothing equals it, so each run draws anew


def test_one_run_is_one_record_of_all_its_images(comfyui, output: Path) -> None:
    shown = save(comfyui, [(8, 8), (16, 8)])
    (record,) = records(output)
    assert shown["result"] == ("vestige: record 1",)
    assert [item["filename"] for item in shown["ui"]["images"]] == [
        "cat_00001_.png",
        "cat_00002_.png",
    ]
    assert record.kind.name == "generation"
    assert record.fields["outputs"] == 2
    assert record.fields["positive"] == "a cat"
    assert record.fields["negative"] == "dog"
    assert record.fields["tool"] == "ComfyUI"
    assert "seed_origin" not in record.fields
    assert (record.capture.mode, record.capture.client) == (
        "live_plugin",
        "comfyui_vestige/0.1.0",
    )
    assert [file["name"] for file in record.files.values()] == [
        "run/cat_00001_.png",
        "run/cat_00002_.png",
    ]


def test_a_drawn_seed_is_the_one_that_the_record_lets_anybody_derive(
    comfyui, output: Path, beacon: Beacon
) -> None:
    seed, drawn = draw(comfyui)
    save(comfyui, draw=drawn)
    (record,) = records(output)
    assert record.fields["seed_origin"] == "beacon"
    assert record.fields["seed"] == str(seed)
    assert seed == beacon_seed(record.place, record.not_before[0])
    assert record.not_before[0] == beacon


def test_a_seed_drawn_for_another_place_is_not_called_a_beacons(
    comfyui, output: Path, beacon: Beacon
) -> None:
    seed, drawn = draw(comfyui)
    save(comfyui, draw=drawn)
    save(comfyui, draw=drawn)
    _, second = records(output)
    assert second.fields["seed"] == str(seed)
    assert "seed_origin" not in second.fields
    assert second.fields["note"].startswith("the seed was drawn for record 1 of project ")


def test_a_seed_that_the_file_contradicts_is_not_called_a_beacons(
    comfyui, output: Path, beacon: Beacon
) -> None:
    _, drawn = draw(comfyui)
    sampler = {**PROMPT["6"], "inputs": {**PROMPT["6"]["inputs"], "seed": 42}}
    save(comfyui, prompt={**PROMPT, "6": sampler}, draw=drawn)
    (record,) = records(output)
    assert record.fields["seed"] == "42"
    assert "seed_origin" not in record.fields
    assert record.fields["note"] == f"given the seed {drawn.seed}; the file names another"


def test_a_race_for_the_place_takes_the_claim_and_leaves_the_image(
    comfyui, output: Path, beacon: Beacon, monkeypatch
) -> None:
    """Another program's record comes between the look at the vault and the record."""
    _, drawn = draw(comfyui)
    recorder = sys.modules["comfyui_vestige.vestige_recorder"]
    anchor = recorder.load_anchor()

    class Overtaken(anchor.Recorder):
        def append(self, draft, **more):
            if more:
                super().append(Draft("note", {"text": "in between"}))
            return super().append(draft, **more)

    anchor.Recorder = Overtaken
    monkeypatch.setattr(recorder, "load_anchor", lambda: anchor)
    shown = save(comfyui, draw=drawn)
    assert shown["result"] == ("vestige: record 2",)
    between, record = records(output)
    assert between.kind.name == "note"
    assert record.fields["seed"] == str(drawn.seed)
    assert "seed_origin" not in record.fields
    assert record.fields["note"].startswith("the seed was drawn for record 1 of project ")


def test_without_a_beacon_the_seed_is_random_and_called_so(comfyui, output: Path) -> None:
    seeds = {draw(comfyui)[0] for _ in range(8)}
    seed, drawn = draw(comfyui)
    assert len(seeds) == 8
    assert max(seeds) >= 1 << 56
    assert drawn.text == "vestige: no beacon is known; the seed is random"
    save(comfyui, draw=drawn)
    (record,) = records(output)
    assert (record.fields["seed"], record.fields["seed_origin"]) == (str(seed), "random")


def test_without_a_vault_the_image_is_saved_and_it_is_told_once(
    comfyui, tmp_path: Path, output: Path, caplog
) -> None:
    empty = tmp_path / "no vault"
    empty.mkdir()
    caplog.set_level(logging.WARNING, "vestige")
    shown = [save(comfyui, vault=str(empty)) for _ in range(3)]
    assert all(item["result"][0].startswith("vestige: not recorded: ") for item in shown)
    assert all(item["ui"]["text"] == [item["result"][0]] for item in shown)
    assert len(caplog.records) == 1
    assert len(list((output / "run").iterdir())) == 3
    assert records(output) == []
    seed, drawn = draw(comfyui, vault=str(empty))
    assert 0 <= seed < 1 << 64
    assert drawn.beacon is None


def test_a_vault_can_be_given(comfyui, tmp_path: Path, output: Path, monkeypatch) -> None:
    elsewhere = tmp_path / "images"
    elsewhere.mkdir()
    monkeypatch.setattr(sys.modules["nodes"].SaveImage, "folder", elsewhere)
    monkeypatch.setattr(sys.modules["folder_paths"], "get_output_directory", lambda: str(elsewhere))
    save(comfyui, vault=str(output))
    assert len(records(output)) == 1
    with pytest.raises(Exception, match="vault"):
        Vault.open(elsewhere)


@pytest.mark.parametrize("server", ["http://127.0.0.1:9", "no address"])
def test_a_service_that_is_away_blocks_no_record(
    comfyui, output: Path, monkeypatch, server: str
) -> None:
    """What is recorded is sent by a process of its own, of which there is one at a time."""
    recorder = sys.modules["comfyui_vestige.vestige_recorder"]
    started = []

    class Sending:
        def __init__(self, words, **_given):
            started.append(words)

        def poll(self):
            return None

    stand_in = SimpleNamespace(Popen=Sending, DEVNULL=subprocess.DEVNULL)
    monkeypatch.setattr(recorder, "subprocess", stand_in)
    monkeypatch.delenv("VESTIGE_OFFLINE")
    monkeypatch.setenv("VESTIGE_SERVER", server)
    shown = [save(comfyui)["result"][0] for _ in range(2)]
    assert shown == ["vestige: record 1", "vestige: record 2"]
    assert [words[3:] for words in started] == [
        ["anchor.cli", "send", "--quiet", "--vault", str(output)]
    ]


def test_the_command_that_sends_is_one_that_there_is(output: Path) -> None:
    words = [sys.executable, "-P", "-m", "anchor.cli", "send", "--quiet", "--vault", str(output)]
    environment = {**os.environ, "VESTIGE_SERVER": "http://127.0.0.1:9"}
    done = subprocess.run(words, capture_output=True, env=environment, timeout=120, check=False)
    assert b"usage" not in done.stderr
    assert b"127.0.0.1:9" in done.stderr
