"""Which files may be recorded, and what they are called then."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from anchor.errors import FormatError, NotFoundError, StoreError, UsageError
from anchor.vault.layout import Layout
from anchor.vault.source import open_source


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    work = tmp_path / "work"
    (work / ".vestige" / "records").mkdir(parents=True)
    return Layout(work.resolve())


def name_of(path: Path, layout: Layout) -> str:
    with open_source(path, layout) as source:
        return source.name


def test_a_file_below_the_working_folder_is_named_from_there(layout: Layout, monkeypatch):
    path = layout.work / "in" / "cat.png"
    path.parent.mkdir()
    path.write_bytes(b"cat")
    assert name_of(path, layout) == "in/cat.png"
    monkeypatch.chdir(path.parent)
    assert name_of(Path("cat.png"), layout) == "in/cat.png"
    assert name_of(Path("../in/cat.png"), layout) == "in/cat.png"


def test_a_file_elsewhere_keeps_only_its_last_name(layout: Layout, tmp_path: Path):
    path = tmp_path / "my-secret-client" / "cat.png"
    path.parent.mkdir()
    path.write_bytes(b"cat")
    assert name_of(path, layout) == "cat.png"


def test_a_link_inside_the_folder_is_followed_to_its_target(layout: Layout):
    (layout.work / "cat.png").write_bytes(b"cat")
    (layout.work / "link.png").symlink_to("cat.png")
    assert name_of(layout.work / "link.png", layout) == "cat.png"


@pytest.mark.parametrize("way", ["file", "folder", "alias", "chain"])
def test_a_link_that_leaves_the_folder_is_refused(layout: Layout, tmp_path: Path, way: str):
    secret = tmp_path / "home" / "secret.txt"
    secret.parent.mkdir()
    secret.write_bytes(b"secret")
    path = layout.work / "secret.txt"
    if way == "file":
        path.symlink_to(secret)
    elif way == "chain":
        (layout.work / "first").symlink_to(secret)
        path.symlink_to("first")
    else:
        (layout.work / "out").symlink_to(secret.parent)
        path = layout.work / "out" / "secret.txt"
    if way == "alias":  # the working folder itself reached by a link
        (tmp_path / "alias").symlink_to(layout.work)
        path = tmp_path / "alias" / "out" / "secret.txt"
    with pytest.raises(UsageError) as caught, open_source(path, layout):
        pass
    assert caught.value.code == "file.link_leaves"


@pytest.mark.parametrize("depth", ["a", "a/b", "a/b/c"])
def test_a_folder_that_becomes_a_link_after_it_was_looked_at_is_not_followed(
    layout: Layout, tmp_path: Path, monkeypatch, depth: str
):
    outside = tmp_path / "home"
    inside = layout.work / "a" / "b" / "c"
    inside.mkdir(parents=True)
    rest = Path("a/b/c").relative_to(depth)
    (outside / rest).mkdir(parents=True)
    (inside / "cat.png").write_bytes(b"cat")
    (outside / rest / "cat.png").write_bytes(b"secret")
    realpath = os.path.realpath

    def swapping(path, **more):
        real = realpath(path, **more)
        if Path(real).name == "cat.png" and not (tmp_path / "kept").exists():
            (layout.work / depth).rename(tmp_path / "kept")
            (layout.work / depth).symlink_to(outside)
        return real

    monkeypatch.setattr(os.path, "realpath", swapping)
    with pytest.raises(StoreError), open_source(inside / "cat.png", layout):
        pass
    assert (tmp_path / "kept").exists()


def test_the_working_folder_may_be_reached_by_a_link(layout: Layout, tmp_path: Path):
    (layout.work / "cat.png").write_bytes(b"cat")
    (tmp_path / "alias").symlink_to(layout.work)
    assert name_of(tmp_path / "alias" / "cat.png", layout) == "cat.png"


def test_a_link_outside_is_refused(layout: Layout, tmp_path: Path):
    (tmp_path / "cat.png").write_bytes(b"cat")
    (tmp_path / "link.png").symlink_to("cat.png")
    with pytest.raises(UsageError) as caught, open_source(tmp_path / "link.png", layout):
        pass
    assert caught.value.code == "file.link_leaves"


def test_files_of_a_vault_are_not_recorded(layout: Layout, tmp_path: Path):
    for folder in (layout.work, tmp_path / "other"):
        path = folder / ".vestige" / "project.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"{}")
        with pytest.raises(UsageError) as caught, open_source(path, layout):
            pass
        assert caught.value.code == "file.of_vault"


def test_what_is_no_regular_file_is_refused_without_waiting(layout: Layout):
    os.mkfifo(layout.work / "pipe")
    for path in (layout.work / "pipe", layout.work):
        with pytest.raises(StoreError) as caught, open_source(path, layout):
            pass
        assert caught.value.code == "file.kind"


def test_a_file_that_is_not_there_says_so(layout: Layout):
    with pytest.raises(NotFoundError), open_source(layout.work / "gone.png", layout):
        pass


def test_an_empty_file_is_refused_unless_it_is_meant(layout: Layout):
    (layout.work / "empty.png").touch()
    with pytest.raises(FormatError) as caught, open_source(layout.work / "empty.png", layout):
        pass
    assert caught.value.code == "file.empty"
    with open_source(layout.work / "empty.png", layout, allow_empty=True) as source:
        assert source.status.st_size == 0


def test_a_name_that_is_not_utf8_is_made_readable(layout: Layout):
    path = os.path.join(os.fsencode(layout.work), b"cat-\xff.png")
    with open(path, "wb") as file:
        file.write(b"cat")
    assert name_of(Path(os.fsdecode(path)), layout) == "cat-�.png"
