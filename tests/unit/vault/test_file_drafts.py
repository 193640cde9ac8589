"""A file becomes a draft: what its generator wrote is in it, and how old it is."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest

from anchor.capture import CapturePool
from anchor.errors import UsageError
from anchor.vault import Draft
from anchor.vault.entry import entry_of
from anchor.vault.file_drafts import generation_draft, keep_file
from anchor.vault.prompt_fields import prompt_fields
from tests.unit.vault.conftest import START, Project


@pytest.fixture(scope="module")
def pool():
    with CapturePool(1) as made:
        yield made


IMAGES = [
    ("AUTOMATIC1111/automatic1111_cropped.png", "positive"),
    ("ComfyUI/img2img_cropped.png", "positive"),
    ("Fooocus/fooocus1_cropped.png", "positive"),
    ("InvokeAI/invokeai_imeta1.png", "positive"),
    ("NovelAI/novelai1_cropped.png", "positive"),
    ("bad/empty_image.png", None),
    ("bad/text_after_idat.png", "positive"),
]


@pytest.mark.vectors
@pytest.mark.parametrize(("name", "field"), IMAGES)
def test_images_of_every_generator_can_be_recorded(
    project: Project, vectors: Path, pool: CapturePool, name: str, field: str | None
):
    """What capture reads fits the fields that a record has, for each real image."""
    path = project.write(Path(name).name, (vectors / "ai-images" / name).read_bytes())
    kept = keep_file(project.vault, path)
    draft = generation_draft(project.vault, kept, pool, now=project.clock())
    record = project.recorder().append(draft)
    assert record.kind.name == "generation"
    assert "parser" in record.fields
    if field is not None:
        assert record.fields[field]
    assert len(record.files) == 1
    project.assert_sound()


def test_a_file_that_is_old_is_late_and_says_how_old(project: Project):
    path = project.write("cat.png")
    made = START - timedelta(days=3)
    os.utime(path, (made.timestamp(), made.timestamp()))
    kept = keep_file(project.vault, path)
    draft = generation_draft(project.vault, kept, None, now=START)
    assert (draft.late, draft.lag_s) == (True, 3 * 24 * 3600)
    fresh = generation_draft(project.vault, kept, None, now=made + timedelta(seconds=2))
    assert (fresh.late, fresh.lag_s) == (False, 2)
    future = generation_draft(project.vault, kept, None, now=made - timedelta(days=1))
    assert (future.late, future.lag_s) == (False, 0)


def test_what_is_parsed_is_what_is_kept(project: Project, pool: CapturePool):
    """The file is exchanged after it was kept; the record is of the first bytes."""
    path = project.write("cat.png", b"\x89PNG\r\n\x1a\n first")
    kept = keep_file(project.vault, path)
    path.write_bytes(b"second")
    record = project.recorder().append(
        generation_draft(project.vault, kept, pool, now=project.clock())
    )
    entry = record.files[0]
    assert entry["sha256"] == kept.kept.sha256.hex()
    assert project.vault.objects.path(kept.kept.sha256).read_bytes().endswith(b"first")


# -- prompts ---------------------------------------------------------------------------------------


def test_a_prompt_knows_the_one_before(project: Project):
    assert prompt_fields(project.vault, "a cat") == {"positive": "a cat"}
    project.recorder().append(Draft("prompt", {"positive": "a cat"}))
    project.note()
    fields = prompt_fields(project.vault, "a dog")
    assert fields["previous"] == "1"
    assert fields["difference"] == [["=", "a "], ["-", "cat"], ["+", "dog"]]
    assert prompt_fields(project.vault, "a dog", "1")["previous"] == "1"
    with pytest.raises(UsageError):
        prompt_fields(project.vault, "a dog", "2")
    with pytest.raises(UsageError):
        prompt_fields(project.vault, "a dog", "9")


def test_the_difference_of_a_book_is_left_out(project: Project):
    project.recorder().append(Draft("prompt", {"positive": "a cat"}))
    fields = prompt_fields(project.vault, "x" * 100_000)
    assert set(fields) == {"positive", "previous"}


def test_a_damaged_prompt_before_is_no_reason_not_to_record(project: Project):
    project.recorder().append(Draft("prompt", {"positive": "a cat"}))
    path = project.vault.layout.record(1)
    path.chmod(0o644)
    path.write_text("damaged")
    assert prompt_fields(project.vault, "a dog") == {"positive": "a dog", "previous": "1"}


# -- what the index says of a record ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "fields", "summary"),
    [
        ("prompt", {"positive": "a\n\tcat"}, "a cat"),
        ("selection", {"chosen": ["1"], "rejected": ["0"], "why": "light"},
         "chose 1 among 2: light"),
        ("selection", {"chosen": ["1"]}, "chose 1 among 1"),
        ("correction", {"target": "1", "reason": "wrong"}, "of 1: wrong"),
        ("manual_edit", {"app": "Krita", "note": "hands"}, "Krita"),
        ("note", {"text": "x" * 500}, "x" * 199 + "…"),
        ("close", {}, ""),
    ],
)  # fmt: skip
def test_one_line_says_what_a_record_is_about(project: Project, kind, fields, summary):
    project.note("first")
    record = project.recorder().append(Draft(kind, fields))
    assert entry_of(record).summary == summary


def test_parents_are_everything_that_is_referred_to(project: Project):
    for text in "abc":
        project.note(text)
    fields = {"chosen": ["1"], "rejected": ["2"], "parents": ["3", "1"]}
    record = project.recorder().append(Draft("selection", fields))
    assert set(entry_of(record).parents) == {"1", "2", "3"}
