"""Text hidden in pixels: every signature, every PNG filter, images that only seem to have it."""

from __future__ import annotations

import gzip
import io
import json
import os
import random
import struct
import zlib

import pytest
from PIL import Image, PngImagePlugin

from tests.parts.image_files import PNG_SIGNATURE, chunk, header, hidden, parsed

INFO = "a duck\nNegative prompt: a goose\nSteps: 7, Sampler: Euler, CFG scale: 5, Seed: 11"
COMMENT = {
    "steps": 28,
    "sampler": "k_euler",
    "seed": 42,
    "scale": 5.0,
    "uc": "blur",
    "prompt": "cat",
}
NOVELAI = {
    "Description": "cat",
    "Software": "NovelAI",
    "Source": "NovelAI Diffusion V4 37442FCA",
    "Comment": json.dumps(COMMENT),
}
NOISE = random.Random(5).randbytes(64 * 48 * 4)


def saved(image: Image.Image, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", **options)
    return file.getvalue()


def filtered(image: Image.Image, kind: int) -> bytes:
    """Write a PNG with one filter for all rows, as PNG 9.2 says, and no help of a library."""
    width, height = image.size
    bpp = len(image.mode)
    raw = image.tobytes()
    rows, above = [], bytes(width * bpp)
    for y in range(height):
        row = raw[y * width * bpp : (y + 1) * width * bpp]
        out = bytearray()
        for i, value in enumerate(row):
            left = row[i - bpp] if i >= bpp else 0
            up = above[i]
            corner = above[i - bpp] if i >= bpp else 0
            p = left + up - corner
            near = min((abs(p - left), 0, left), (abs(p - up), 1, up), (abs(p - corner), 2, corner))
            out.append((value - (0, left, up, (left + up) // 2, near[2])[kind]) & 0xFF)
        rows.append(bytes((kind,)) + bytes(out))
        above = row
    data = zlib.compress(b"".join(rows))
    split = len(data) // 2
    colour = 6 if bpp == 4 else 2
    return (
        PNG_SIGNATURE
        + header(width, height, colour=colour)
        + chunk(b"IDAT", data[:split])
        + chunk(b"IDAT", data[split:])
        + chunk(b"IEND")
    )


@pytest.mark.parametrize(
    ("signature", "mode"),
    [
        (b"stealth_pnginfo", "RGBA"),
        (b"stealth_pngcomp", "RGBA"),
        (b"stealth_rgbinfo", "RGBA"),
        (b"stealth_rgbcomp", "RGBA"),
        (b"stealth_rgbinfo", "RGB"),
        (b"stealth_rgbcomp", "RGB"),
    ],
)
def test_reads_every_layout(signature, mode):
    payload = gzip.compress(INFO.encode()) if signature.endswith(b"comp") else INFO.encode()
    noise = NOISE[: 64 * 48 * len(mode)]
    found = parsed(saved(hidden(payload, signature, mode=mode, noise=noise)))
    assert (found.tool, found.fields["prompt"], found.fields["seed"]) == (
        "AUTOMATIC1111",
        "a duck",
        "11",
    )
    name = "alpha" if b"_png" in signature else "colours"
    item = found.raw[-1]
    assert (item.location, item.data) == (f"png:pixels:{name}:{signature.decode()}", payload)
    assert item.offset is None
    assert found.notes == ()


def test_reads_novelai_from_the_alpha_channel_alone():
    payload = gzip.compress(json.dumps(NOVELAI).encode())
    found = parsed(saved(hidden(payload, b"stealth_pngcomp", noise=NOISE)))
    assert found.tool == "NovelAI"
    assert found.fields["prompt"] == "cat"
    assert found.fields["model_hash"] == "37442FCA"


def test_text_and_pixels_that_differ_are_told():
    info = PngImagePlugin.PngInfo()
    for key, value in (NOVELAI | {"Comment": json.dumps(COMMENT | {"seed": 43})}).items():
        info.add_text(key, value)
    payload = gzip.compress(json.dumps(NOVELAI).encode())
    found = parsed(saved(hidden(payload, b"stealth_pngcomp"), pnginfo=info))
    assert found.fields["seed"] == "43"
    assert any("different texts are called 'Comment'" in note for note in found.notes)


@pytest.mark.parametrize("kind", range(5), ids=["none", "sub", "up", "average", "paeth"])
@pytest.mark.parametrize("mode", ["RGBA", "RGB"])
def test_undoes_every_filter(kind, mode):
    signature = b"stealth_pnginfo" if mode == "RGBA" else b"stealth_rgbinfo"
    noise = NOISE[: 40 * 30 * len(mode)]
    image = hidden(INFO.encode(), signature, size=(40, 30), mode=mode, noise=noise)
    data = filtered(image, kind)
    with Image.open(io.BytesIO(data)) as check:
        assert check.convert(mode).tobytes() == image.tobytes()
    assert parsed(data).fields["prompt"] == "a duck"


@pytest.mark.parametrize("size", [(200, 5), (5, 200), (1000, 1), (1, 1000)])
def test_reads_images_of_any_shape(size):
    found = parsed(saved(hidden(INFO.encode(), b"stealth_pnginfo", size=size)))
    assert found.fields["prompt"] == "a duck"


@pytest.mark.parametrize("size", [(1, 1), (3, 50), (2, 2), (19, 8), (152, 1)])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_an_image_too_small_for_a_signature_is_no_fault(size, mode):
    assert parsed(saved(Image.new(mode, size, "white"))).notes == ()


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "1", "LA", "I;16"])
def test_an_image_without_hidden_text_gives_none(mode):
    found = parsed(saved(Image.new(mode, (80, 80))))
    assert (found.tool, found.raw, found.notes) == (None, (), ())


def test_noise_gives_no_text():
    for _ in range(20):
        image = Image.frombytes("RGBA", (50, 50), os.urandom(10_000))
        assert parsed(saved(image)).raw == ()


def test_a_text_said_to_be_larger_than_the_image_is_told():
    image = hidden(INFO.encode(), b"stealth_pnginfo")
    data = bytearray(image.tobytes())
    # The length follows the signature: make all 32 bits of it a number that no image here has.
    for bit in range(120, 152):
        column, row = divmod(bit, 48)
        data[(row * 64 + column) * 4 + 3] = 0x81 if bit in (134, 140) else 0x80
    found = parsed(saved(Image.frombytes("RGBA", (64, 48), bytes(data))))
    assert found.tool is None
    assert any("fewer pixels" in note for note in found.notes)


def test_a_text_larger_than_is_read_is_told():
    found = parsed(saved(hidden(b"x" * 140_000, b"stealth_pnginfo", size=(1200, 1000))))
    assert any("hidden text of 140000 bytes" in note for note in found.notes)


def test_a_hidden_bomb_is_not_inflated():
    payload = gzip.compress(bytes(2_000_000))
    found = parsed(saved(hidden(payload, b"stealth_pngcomp", size=(300, 300))), text_bytes=100_000)
    assert any("inflates to more than 100000 bytes" in note for note in found.notes)


def test_an_image_too_large_to_search_is_told():
    data = PNG_SIGNATURE + header(2**22, 2**22) + chunk(b"IDAT", zlib.compress(bytes(99)))
    found = parsed(data + chunk(b"IEND"))
    assert any("too large to look for text" in note for note in found.notes)


def test_pixels_that_end_early_or_are_damaged_are_told():
    start, end = PNG_SIGNATURE + header(100, 100), chunk(b"IEND")
    short = parsed(start + chunk(b"IDAT", zlib.compress(bytes(99))) + end)
    assert any("pixels end" in note for note in short.notes)
    damaged = parsed(start + chunk(b"IDAT", b"nothing of the kind") + end)
    assert any("cannot be inflated" in note for note in damaged.notes)
    odd = parsed(start + chunk(b"IDAT", zlib.compress(b"\x09" + bytes(400) * 100)) + end)
    assert any("no filter" in note for note in odd.notes)


def test_interlaced_images_are_left_alone():
    data = struct.pack(">IIBBBBB", 64, 48, 8, 6, 0, 0, 1)
    found = parsed(PNG_SIGNATURE + chunk(b"IHDR", data) + chunk(b"IDAT", b"x") + chunk(b"IEND"))
    assert found.notes == ()
