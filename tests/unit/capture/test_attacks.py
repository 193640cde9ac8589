"""Files made to exhaust their reader: each is read to its end in the confined process, and told of.

That the process was not killed is the proof that neither memory nor time ran out: the limits are
those of the kernel, 256 MiB of address space and 5 seconds.
"""

from __future__ import annotations

import json
import struct
import zlib

import pytest

from anchor.capture import CapturePool, FileDigests
from tests.parts.image_files import (
    PNG_SIGNATURE,
    box,
    chunk,
    header,
    itext,
    jpeg,
    parsed,
    png,
    riff,
    save,
    segment,
    text,
)

MIB = 1 << 20
INFO = "a cat\nSteps: 2, Sampler: x, Seed: 3"


def bomb(n_bytes: int) -> bytes:
    return zlib.compress(bytes(n_bytes), 9)


def graph(n_nodes: int, n_links: int) -> str:
    """Return a graph in which every node is a sampler and links to many others."""
    return json.dumps(
        {
            str(i): {
                "class_type": "KSampler",
                "inputs": {"steps": 2, "positive": [str(i + 1), 0]}
                | {f"i{j}": [str((7 * i + j) % n_nodes), 0] for j in range(n_links)},
            }
            for i in range(n_nodes)
        }
    )


SMALL_BOMB = bomb(8 * MIB - 10)
ENTITIES = b"".join(
    b'<!ENTITY a%d "%s">' % (i, b"&a%d;" % (i - 1) * 10 if i else b"ha" * 500) for i in range(10)
)
SHARED = b"MM\0*" + struct.pack(">IH", 8, 512)
SHARED += struct.pack(">HHII", 0x131, 2, 5 * MIB, 8 + 2 + 12 * 512) * 512 + bytes(5 * MIB)
ATTACKS = {
    "deflate bomb": lambda: png(chunk(b"zTXt", b"parameters\0\0" + bomb(300 * MIB))),
    "many deflate bombs": lambda: png(
        *(chunk(b"zTXt", b"k%d\0\0" % i + data) for i in range(1000) for data in (SMALL_BOMB,))
    ),
    "pixels of gigabytes": lambda: (
        PNG_SIGNATURE + header(1 << 20, 500, colour=6) + chunk(b"IDAT", bomb(99 * MIB))
        + chunk(b"IEND")
    ),
    "a hundred thousand texts": lambda: png(*[text("k", "v")] * 100_000),
    "a hundred thousand chunks": lambda: png(after=(chunk(b"tIME", bytes(7)),) * 100_000),
    "more chunks than are walked": lambda: png(*[chunk(b"tIME")] * 270_000),
    "objects by the million": lambda: png(
        text("parameters", '{"sui_image_params": [' + "[]," * 1_800_000 + "[]]}")
    ),
    "members by the hundred thousand": lambda: png(
        text("invokeai_metadata", json.dumps({str(i): i for i in range(200_000)}))
    ),
    "an integer of megabytes": lambda: png(text("prompt", '{"seed":' + "9" * 5 * MIB + "}")),
    "a number with a huge exponent": lambda: png(
        text("invokeai_metadata", '{"positive_prompt": "p", "seed": 1e999999999, "steps": 1e-999}')
    ),
    "a tangled graph": lambda: png(text("prompt", graph(8000, 20))),
    "a graph too large": lambda: png(text("prompt", graph(9000, 1))),
    "a billion laughs": lambda: png(
        itext("XML:com.adobe.xmp", b"<!DOCTYPE x [" + ENTITIES + b"]><x>&a9;</x>")
    ),
    "elements by the million": lambda: png(
        itext("XML:com.adobe.xmp", b"<x>" + b"<a/>" * 1_000_000 + b"</x>")
    ),
    "attributes by the hundred thousand": lambda: png(
        itext("XML:com.adobe.xmp", b"<x %s/>" % b" ".join(b'a%d="1"' % i for i in range(200_000)))
    ),
    "entries that share one value": lambda: png(chunk(b"eXIf", SHARED)),
    "tags by the hundred thousand": lambda: png(
        text("parameters", "<lora:a:1>" * 400_000 + "\n" + INFO)
    ),
    "settings without end": lambda: png(
        text("parameters", 'x\nSteps: 1, a: ["' + 'a: [\\"' * 99_000)
    ),
    "brackets without end": lambda: png(text("Dream", '"' + "[a" * 400_000 + '" -s 1')),
    "options without end": lambda: png(
        text("Description", "--a b " * 400_000 + "Job ID: aaaaaaaa-bbbb")
    ),
    "labels in every segment": lambda: jpeg(*[segment(0xE9, b"AIGC{" * 13_000)] * 100),
    "packets in every segment": lambda: jpeg(
        *(
            segment(
                0xE1,
                b"http://ns.adobe.com/xmp/extension/\0%032d" % i + struct.pack(">II", 1, 0) + b"x",
            )
            for i in range(5000)
        )
    ),
    "chunks of nothing": lambda: riff(*[(b"ABCD", b"")] * 200_000),
    "boxes of nothing": lambda: box(b"ftyp", b"avif" + bytes(4)) + box(b"free", b"") * 270_000,
}  # fmt: skip


@pytest.fixture(scope="module")
def pool():
    with CapturePool(1) as opened:
        yield opened


TOLD = {
    "deflate bomb", "many deflate bombs", "pixels of gigabytes", "a hundred thousand texts",
    "more chunks than are walked", "an integer of megabytes", "a tangled graph",
    "a graph too large", "a billion laughs", "elements by the million", "boxes of nothing",
    "entries that share one value",
}  # fmt: skip


@pytest.mark.parametrize("name", ATTACKS)
def test_reads_to_the_end_and_tells_what_it_left_out(pool, tmp_path, name):
    path = save(tmp_path / "attack", ATTACKS[name]())
    capture = pool.read(path, digests=FileDigests(1, "", ""))
    assert not [note for note in capture.notes if "could not be read" in note]
    assert capture.media_type.startswith("image/")
    assert capture.notes or name not in TOLD
    # The same process is there to read the next file.
    follower = pool.read(save(tmp_path / "next", png(text("parameters", INFO))))
    assert follower.fields["prompt"] == "a cat"


@pytest.mark.parametrize("character", ["a", "猫", "😀", "\n"])
def test_a_prompt_of_five_megabytes_is_read_whole(pool, tmp_path, character):
    prompt = "start " + character * (5_000_000 // len(character.encode())) + " end"
    capture = pool.read(save(tmp_path / "a.png", png(itext("parameters", f"{prompt}\n{INFO[6:]}"))))
    assert capture.fields["prompt"] == prompt
    assert capture.fields["seed"] == "3"
    assert capture.notes == ()


def test_a_file_that_is_two_kinds_at_once_is_read_as_what_it_starts_as():
    archive = b"PK\x03\x04" + bytes(50) + b"PK\x05\x06" + bytes(18)
    inner = png(text("parameters", INFO))
    for outer in (
        png(trailer=archive),
        png(trailer=inner),
        png(trailer=b"<script>alert(1)</script>"),
    ):
        found = parsed(outer)
        assert (found.media_type, found.tool) == ("image/png", None)
        assert any("after the end of the image" in note for note in found.notes)
    found = parsed(jpeg(segment(0xE5, inner)))
    assert (found.media_type, found.tool) == ("image/jpeg", None)


def test_a_script_in_a_name_or_note_stays_text():
    name = "\x1b]0;owned\x07\u202e<b>".encode()
    parts = [chunk(b"tEXt", name + b"\0" + value) for value in (b"a", b"b", b"\xc3\xa9")]
    parts += [chunk(b"zTXt", name + b"\0\0broken"), chunk(b"tEXt", b"AIGC" + name + b"\0{")]
    found = parsed(png(*parts))
    assert len(found.notes) >= 3
    for words in (*found.notes, *(item.location for item in found.raw)):
        assert words.isprintable()
        assert "\u202e" not in words
