"""The page runs nothing, hides nothing, and believes no text."""

from __future__ import annotations

import base64
import hashlib
import io
import re
import shutil
import zlib
from html.parser import HTMLParser

import pytest
from PIL import Image

from anchor.vault import Attachment, Draft
from anchor.vault import thumbnails as thumbnails_module
from anchor.vault.index import ProofState
from anchor.vault.page import PageContext, render_page
from anchor.vault.prompt_fields import prompt_fields
from anchor.vault.thumbnail_worker import EDGE_PIXELS
from anchor.vault.thumbnails import Thumbnails
from tests.unit.vault.conftest import Project

NASTY = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>&amp;\u202e"
_VOID = {"meta", "img", "br"}


class Reader(HTMLParser):
    """Reads a page, and knows what stood in it."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self._open: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    @property
    def balanced(self) -> bool:
        return not self._open


def page(project: Project, states=None, **more) -> tuple[str, Reader]:
    records = [project.vault.read(seq) for seq in range(project.vault.size)]
    with Thumbnails(project.vault.layout) as thumbnails:
        return rendered(project, records, thumbnails, states, more)


def rendered(project, records, thumbnails, states, more) -> tuple[str, Reader]:
    values = {
        "title": "Cats",
        "project": project.vault.project.id,
        "made_at": "2026-11-23 10:00:00 UTC",
        "states": states or {},
        "thumbnail": thumbnails.jpeg,
        "policy": "tests",
    }
    text = "".join(render_page(records, PageContext(**{**values, **more})))
    reader = Reader()
    reader.feed(text)
    assert reader.balanced
    return text, reader


def png(size=(600, 300), colour=(200, 30, 30), mode="RGB") -> bytes:
    out = io.BytesIO()
    Image.new(mode, size, colour).save(out, "PNG")
    return out.getvalue()


def test_nothing_that_was_recorded_can_run_in_the_page(project: Project):
    project.write("a.png", png())
    draft = Draft(
        "generation",
        {"tool": NASTY, "positive": NASTY, "settings": [[NASTY, NASTY]], "note": NASTY},
        (Attachment("output", project.work / "a.png", name=NASTY),),
    )
    project.recorder().append(draft)
    project.recorder().append(Draft("prompt", {"positive": NASTY}))
    project.recorder().append(Draft("prompt", prompt_fields(project.vault, NASTY * 2)))
    state = ProofState(0, 0, 0, "failed", NASTY, NASTY, complete=True)
    text, reader = page(project, {0: state}, title=NASTY, policy=NASTY)
    names = {tag for tag, _ in reader.tags}
    assert "script" not in names
    assert "<script" not in text
    for tag, attributes in reader.tags:
        assert not any(name.startswith("on") for name in attributes), tag
        if tag == "img":
            assert attributes["src"].startswith("data:image/jpeg;base64,")
        if tag == "a":
            assert re.fullmatch(r"#r[0-9]+", attributes["href"])
    assert NASTY not in text
    assert NASTY in "".join(reader.text), "nothing is left out either"


def test_the_head_allows_nothing_but_its_own_style(project: Project):
    text, reader = page(project)
    policies = [a["content"] for t, a in reader.tags if t == "meta" and "http-equiv" in a]
    (policy,) = policies
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == (f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'")
    assert "http" not in text.replace("http-equiv", "")


def test_a_prompt_shows_what_changed(project: Project):
    for words in ("a cat on a roof", "a black cat on a roof"):
        project.recorder().append(Draft("prompt", prompt_fields(project.vault, words)))
    text, _ = page(project)
    assert "a <ins>black </ins>cat on a roof" in text
    assert 'from <a href="#r1">1</a>' in text
    assert 'led to <a href="#r2">2</a>' in text


def test_a_choice_shows_its_candidates_and_the_chosen_one_in_words_too(project: Project):
    for number in range(3):
        path = project.write(f"{number}.png", png(colour=(number * 80, 0, 0)))
        project.recorder().append(Draft("generation", {}, (Attachment("output", path),)))
    fields = {"chosen": ["2"], "rejected": ["1", "3"], "why": "the light"}
    project.recorder().append(Draft("selection", fields))
    text, reader = page(project)
    assert sum(tag == "img" for tag, _ in reader.tags) == 6
    assert text.count('<figure class="chosen">') == 1
    assert "2, chosen" in text
    assert "the light" in text


@pytest.mark.parametrize(
    ("status", "sign"),
    [("verified", "✓"), ("failed", "✕"), ("pending", "…"), ("not_checked", "○")],
)
def test_the_four_words_and_signs(project: Project, status: str, sign: str):
    state = ProofState(0, 0, 0, status, "why", "2026-11-23T10:02:08Z", complete=True)
    text, _ = page(project, {0: state})
    shown = status.replace("_", " ")
    assert (
        f'<span class="word {status}" title="why">{sign} {shown}, before 2026-11-23 10:02:08 UTC'
        in (text)
    )
    assert "not sent yet" in page(project)[0]


def test_what_is_odd_is_said(project: Project):
    from datetime import timedelta

    project.note()
    project.clock.time -= timedelta(days=1)
    project.recorder().append(Draft("note", {"text": "x"}, role="assistant", late=True))
    text, _ = page(project)
    assert "late · the clock was set back · by assistant" in text


# -- thumbnails ------------------------------------------------------------------------------------


@pytest.fixture
def drawing(project: Project):
    with Thumbnails(project.vault.layout) as made:
        yield made


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "1", "I;16"])
def test_images_of_any_kind_have_a_small_picture(project: Project, drawing, mode: str):
    kept = project.vault.objects.keep_bytes(png(mode=mode, colour=0))
    data = drawing.jpeg(kept.sha256)
    with Image.open(io.BytesIO(data)) as image:
        assert image.format == "JPEG"
        assert max(image.size) == EDGE_PIXELS
    cached = list((project.vault.layout.cache / "thumbnails").iterdir())
    assert [path.name for path in cached] == [f"{kept.sha256.hex()}.jpg"]
    cached[0].write_bytes(b"from the cache")
    assert drawing.jpeg(kept.sha256) == b"from the cache"


@pytest.mark.parametrize("name", ["PNG", "JPEG", "WEBP", "GIF", "AVIF", "TIFF", "BMP"])
def test_images_of_every_format_that_is_drawn(project: Project, drawing, name: str):
    """Behind the walls nothing can be loaded any more, so all of it must be there before."""
    out = io.BytesIO()
    Image.effect_noise((700, 500), 50).convert("RGB").save(out, name)
    for _ in range(2):
        kept = project.vault.objects.keep_bytes(out.getvalue())
        assert drawing.jpeg(kept.sha256) is not None
        shutil.rmtree(project.vault.layout.cache)


def test_colours_that_can_be_seen_through_stand_on_white(project: Project, drawing):
    kept = project.vault.objects.keep_bytes(png(mode="RGBA", colour=(0, 0, 0, 0)))
    with Image.open(io.BytesIO(drawing.jpeg(kept.sha256))) as image:
        assert image.getpixel((5, 5)) == (255, 255, 255)


def bomb(edge: int = 60_000) -> bytes:
    """A PNG that says it has 60,000 x 60,000 pixels."""
    data = bytearray(png((8, 8)))
    data[16:24] = edge.to_bytes(4) * 2
    data[29:33] = zlib.crc32(bytes(data[12:29])).to_bytes(4)
    return bytes(data)


@pytest.mark.parametrize(
    "data", [b"", b"no image", png()[:200], bomb(), b"%PDF-1.4", png()[:60] + b"\0" * 100]
)
def test_what_can_not_be_drawn_has_no_picture(project: Project, drawing, data: bytes):
    kept = project.vault.objects.keep_bytes(data)
    assert drawing.jpeg(kept.sha256) is None
    assert drawing.jpeg(bytes(32)) is None
    good = project.vault.objects.keep_bytes(png())
    assert drawing.jpeg(good.sha256) is not None, "the next image is drawn all the same"


def test_an_image_that_takes_more_memory_than_there_is_has_no_picture(project: Project, drawing):
    out = io.BytesIO()
    Image.new("RGBA", (7900, 7900)).save(out, "PNG", compress_level=1)
    kept = project.vault.objects.keep_bytes(out.getvalue())
    drawing.jpeg(kept.sha256)
    good = project.vault.objects.keep_bytes(png())
    assert drawing.jpeg(good.sha256) is not None


_LIAR = """
import socket, sys
channel = socket.socket(fileno=int(sys.argv[1]))
channel.recv(1)
channel.sendall(b"\\xff" * 8)
"""


@pytest.mark.parametrize(
    "program", ["import sys; sys.exit(1)", "import time; time.sleep(60)", _LIAR]
)
def test_a_process_that_dies_hangs_or_lies_costs_one_picture(
    project: Project, drawing, monkeypatch, program: str
):
    monkeypatch.setattr(thumbnails_module, "_PROGRAM", program)
    monkeypatch.setattr(thumbnails_module, "CAPTURE_TIME_S", 0.1)
    kept = project.vault.objects.keep_bytes(png())
    assert drawing.jpeg(kept.sha256) is None
    monkeypatch.undo()
    assert drawing.jpeg(kept.sha256) is not None


def test_without_pillow_there_are_no_pictures(project: Project, monkeypatch):
    path = project.write("a.png", png())
    project.recorder().append(Draft("generation", {}, (Attachment("output", path),)))
    monkeypatch.setattr(thumbnails_module, "find_spec", lambda _name: None)
    _, reader = page(project)
    assert not any(tag == "img" for tag, _ in reader.tags)


def test_runs_from_one_prompt_stand_side_by_side_and_none_is_lost(project: Project):
    recorder = project.recorder()

    def run(number: int, prompt: str, parent: str):
        image = Attachment("output", data=png(colour=(number, 0, 0)), name=f"{number}.png")
        fields = {"positive": prompt, "parents": [parent], "seed": f"{number}"}
        recorder.append(Draft("generation", fields, (image,)))

    recorder.append(Draft("prompt", {"positive": "a cat"}))
    for number in range(4):
        run(number, "a cat", "1")
    recorder.append(Draft("prompt", {"positive": "a dog"}))
    run(9, "a dog", "6")
    run(10, "a dog, as the file says", "6")
    text, reader = page(project)
    ids = [given["id"] for tag, given in reader.tags if tag == "article"]
    assert ids == [f"r{seq}" for seq in range(project.vault.size)]
    assert text.count("<section>") == 1
    assert "4 generations" in text
    assert text.count("<p>a cat</p>") == 1, "said by the prompt, not by each run again"
    assert text.count("<p>a dog</p>") == 2
    assert sum(tag == "img" for tag, _ in reader.tags) == 6
    assert sum(tag == "details" for tag, _ in reader.tags) == project.vault.size
    assert 'led to <a href="#r2">2</a> – <a href="#r5">5</a>' in text
