"""The independent images: what each generator wrote can be read, and every file gets its digests.

The README of the vectors says that files under ``bad`` are registered with no settings. One of
them, ``text_after_idat.png``, has settings all the same, behind its image data, where readers that
stop there miss them. What stands in a file is read.
"""

from __future__ import annotations

import hashlib
import json

import pytest

from anchor.capture import CapturePool, generation_fields
from anchor.records.fields import check_fields
from anchor.records.kinds import KINDS

DUCK = {
    "prompt": "photo of a duck",
    "negative_prompt": "monochrome",
    "steps": 15,
    "sampler": "UniPC",
    "cfg_scale": "5",
    "seed": "235284042",
    "size": "512x400",
    "model": "realistic_realisticVisionV20_v20",
    "model_hash": "c0d1994c73",
}
BAD_WORDS = (
    "lowres, bad anatomy, bad hands, text, error, missing fingers, extra digit, fewer digits, "
    "cropped, worst quality, low quality, normal quality, jpeg artifacts, signature, watermark, "
    "username, blurry"
)
EXPECTED = {
    "AUTOMATIC1111/automatic1111_cropped.png": ("AUTOMATIC1111", DUCK),
    "bad/text_after_idat.png": ("AUTOMATIC1111", DUCK),
    "ComfyUI/img2img_cropped.png": (
        "ComfyUI",
        {
            "prompt": "photograph of victorian woman with wings, sky clouds, meadow grass",
            "negative_prompt": "watermark, text",
            "seed": "280823642470253",
            "steps": 20,
            "cfg_scale": "8.0",
            "sampler": "sample_dpmpp_2m",
            "scheduler": "normal",
            "denoise": "0.8700000000000001",
            "model": "v1-5-pruned-emaonly.ckpt",
        },
    ),
    "Fooocus/fooocus1_cropped.png": (
        "Fooocus",
        {
            "prompt": "a smiling goldfish",
            "seed": "6952411511246973023",
            "steps": 30,
            "cfg_scale": "4",
            "sampler": "dpmpp_2m_sde_gpu",
            "scheduler": "karras",
            "size": "768x1280",
            "model": "juggernautXL_v8Rundiffusion",
            "model_hash": "aeb7e9e689",
            "vae": "Default (model)",
            "clip_skip": 2,
            "tool_version": "Fooocus v2.4.3",
        },
    ),
    "InvokeAI/invokeai_imeta1.png": (
        "InvokeAI",
        {
            "prompt": "digital artwork, oil painting. painterly brushstrokes, holidays,",
            "negative_prompt": "grainy+, photo, oversaturated, overexposed, blurry, "
            "compressed jpg+, noisy++, unfocused , black and white",
            "seed": "3293022630",
            "steps": 35,
            "cfg_scale": "8.0",
            "sampler": "euler",
            "size": "1024x1024",
            "model": "juggernautXL",
            "vae": "VAEFix",
        },
    ),
    "NovelAI/novelai1_cropped.png": (
        "NovelAI",
        {
            "prompt": "masterpiece, best quality,  cat, space, icon",
            "negative_prompt": f"{BAD_WORDS}, {BAD_WORDS}",
            "seed": "2253955223",
            "steps": 50,
            "cfg_scale": "10.0",
            "sampler": "k_euler_ancestral",
            "denoise": "0.4",
            "model": "Stable Diffusion",
            "model_hash": "1D44365E",
        },
    ),
}
NO_SETTINGS = ("bad/empty_file.png", "bad/empty_image.jpg", "bad/empty_image.png")


@pytest.fixture(scope="module")
def capture(vectors):
    with CapturePool(1) as pool:
        yield lambda name: pool.read(vectors / "ai-images" / name)


@pytest.mark.parametrize("name", EXPECTED)
def test_prompts_and_settings_are_read(capture, name):
    found = capture(name)
    tool, fields = EXPECTED[name]
    assert found.tool == tool
    beside = {key: value for key, value in found.fields.items() if key not in fields}
    assert {key: found.fields.get(key) for key in fields} == fields
    assert set(beside) <= {"settings", "workflow", "graph"}
    assert found.notes == ()


@pytest.mark.parametrize("name", NO_SETTINGS)
def test_files_without_settings_are_captured(capture, name):
    found = capture(name)
    assert (found.tool, found.fields) == (None, {})


@pytest.mark.parametrize("name", [*EXPECTED, *NO_SETTINGS, "c2pa/C.jpg"])
def test_every_file_has_its_digests_and_makes_a_record(capture, vectors, name):
    data = (vectors / "ai-images" / name).read_bytes()
    found = capture(name)
    assert (found.size, found.stable) == (len(data), True)
    assert found.sha256 == hashlib.sha256(data).hexdigest()
    assert found.sha3_256 == hashlib.sha3_256(data).hexdigest()
    check_fields(KINDS["generation"].hidden_fields, generation_fields(found), want=True)
    for item in found.raw:
        assert item.offset is None or data[item.offset :].startswith(item.data)


def test_both_graphs_are_kept_as_they_stand(capture, vectors):
    found = capture("ComfyUI/img2img_cropped.png")
    data = (vectors / "ai-images" / "ComfyUI" / "img2img_cropped.png").read_bytes()
    for name in ("graph", "workflow"):
        assert found.fields[name].encode() in data
        json.loads(found.fields[name])


def test_the_manifest_is_found(capture):
    found = capture("c2pa/C.jpg")
    assert found.fields["c2pa"]["found"] is True
    assert [item.location for item in found.raw] == ["jpeg:APP11:JUMBF"]
    assert (found.width, found.height) == (2048, 1365)
