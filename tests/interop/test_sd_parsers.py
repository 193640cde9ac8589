"""Our readers against ``sd-parsers``, an independent reader of five of the tools.

Where both read a file they must agree. It reads less: no tool but A1111, ComfyUI, Fooocus, InvokeAI
and NovelAI, no Exif but UTF-16 in one byte order, ComfyUI only where both graphs are there.
"""

from __future__ import annotations

import gzip
import io
import json

import pytest
from PIL import Image
from sd_parsers import ParserManager
from sd_parsers.extractors import Eagerness

from anchor.capture.generators.field_values import number_text
from tests.parts.image_files import (
    exif,
    hidden,
    jpeg,
    parsed,
    png,
    segment,
    text,
    user_comment,
    ztext,
)

VECTORS = (
    "AUTOMATIC1111/automatic1111_cropped.png",
    "ComfyUI/img2img_cropped.png",
    "Fooocus/fooocus1_cropped.png",
    "InvokeAI/invokeai_imeta1.png",
    "NovelAI/novelai1_cropped.png",
    "bad/text_after_idat.png",
)
INFO = (
    "a cat\nsitting\nNegative prompt: a dog\nSteps: 20, Sampler: DPM++ 2M, Schedule type: Karras, "
    "CFG scale: 7.5, Seed: 42, Size: 512x768, Model hash: c0d1994c73, Model: sd15, Version: v1.9"
)
INVOKE = {
    "positive_prompt": "a cat", "negative_prompt": "a dog", "seed": 7, "steps": 30,
    "cfg_scale": 6.5, "scheduler": "euler", "model": {"model_name": "sdxl"}, "width": 8,
    "height": 8,
}  # fmt: skip
NOVELAI = {"sampler": "k_euler", "seed": 42, "scale": 5.0, "uc": "blur", "steps": 28}
NOVELAI_TEXTS = {
    "Description": "a cat",
    "Source": "Stable Diffusion 1D44365E",
    "Software": "NovelAI",
    "Comment": json.dumps(NOVELAI),
}


def stealth() -> bytes:
    payload = gzip.compress(json.dumps(NOVELAI_TEXTS).encode())
    file = io.BytesIO()
    hidden(payload, b"stealth_pngcomp", size=(70, 60)).save(file, "PNG")
    return file.getvalue()


FILES = {
    "a1111": png(text("parameters", INFO)),
    "a1111 after the image data": png(after=(ztext("parameters", INFO.encode()),)),
    "a1111 in jpeg": jpeg(segment(0xE1, b"Exif\0\0" + exif(comment=(user_comment(INFO),)))),
    "invokeai": png(text("invokeai_metadata", json.dumps(INVOKE))),
    "invokeai dream": png(
        text("Dream", '"a cat [a dog]" -s 50 -S 3 -W 512 -H 640 -C 7.5 -A k_lms')
    ),
    "novelai": png(*(text(k, v) for k, v in NOVELAI_TEXTS.items())),
    "novelai in pixels": stealth(),
}


def agree(data: bytes) -> None:
    theirs = ParserManager(eagerness=Eagerness.EAGER).parse(io.BytesIO(data))
    ours = parsed(data)
    assert theirs is not None
    assert ours.tool == theirs.generator.value
    sampler = theirs.samplers[0]
    assert ours.fields["sampler"] == sampler.name
    assert ours.fields["prompt"] == ", ".join(p.value for p in theirs.prompts)
    assert ours.fields.get("negative_prompt", "") == ", ".join(
        p.value for p in theirs.negative_prompts
    )
    for key in ("seed", "steps", "cfg_scale", "scheduler"):
        if key in sampler.parameters:
            value = sampler.parameters[key]
            assert str(ours.fields[key]) == (number_text(value) or value)
    if sampler.model is not None:
        assert ours.fields["model"] == sampler.model.name
        assert ours.fields.get("model_hash") == sampler.model.hash


@pytest.mark.parametrize("name", VECTORS)
def test_agrees_on_the_independent_images(vectors, name):
    agree((vectors / "ai-images" / name).read_bytes())


@pytest.mark.parametrize("name", FILES)
def test_agrees_on_images_made_here(name):
    agree(FILES[name])


def test_pillow_reads_the_texts_that_ours_reads():
    data = png(text("parameters", INFO), ztext("other", b"x"), after=(text("late", "y"),))
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        theirs = dict(image.text)
    ours = {item.location.split(":", 2)[2]: item for item in parsed(data).raw}
    assert set(ours) == set(theirs) == {"parameters", "other", "late"}
