"""Whatever is put into an exhibit, judging it ends in a verdict or a refusal; none verifies."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anchor.errors import VestigeError
from anchor.exhibit.container import check_names
from anchor.exhibit.contents import read_contents
from anchor.exhibit.layout import LISTING
from anchor.exhibit.listing import parse_listing
from anchor.exhibit.manifest import manifest_text, parse_manifest
from anchor.exhibit.signature import parse_signature
from anchor.exhibit.verdict import exhibit_to_json
from anchor.exhibit.zip_container import ZipContainer
from tests import exhibit_tampering, exhibits

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 2**53) | st.text(max_size=70),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=12,
)


@pytest.fixture(scope="module")
def case(tmp_path_factory) -> exhibits.VaultCase:
    return exhibits.make_vault(tmp_path_factory.mktemp("vault"), 1)


@pytest.fixture(scope="module")
def whole(case, tmp_path_factory) -> exhibit_tampering.Files:
    made, _ = exhibits.export(case, tmp_path_factory.mktemp("out"))
    return exhibit_tampering.files_of(made.path)


def judged(files: exhibit_tampering.Files, path: str, case: exhibits.VaultCase) -> None:
    """Judge with manifests recomputed and the signature gone: what is left must hold by itself."""
    change = exhibit_tampering.Tampering("a change", path, files, (), deep=False)
    found = exhibit_tampering.recomputed(change, signed=False) or files
    verdict = exhibit_tampering.judged(found, case.judge())
    assert verdict.exit_status in (1, 3, 4)
    json.dumps(exhibit_to_json(verdict, steps=True))


@settings(max_examples=60)
@given(data=st.data())
def test_bytes_changed_anywhere(case, whole, data):
    path = data.draw(st.sampled_from(sorted(whole)))
    raw = bytearray(whole[path])
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(raw) - 1)) if raw else 0
        raw[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
    if bytes(raw) != whole[path]:
        judged({**whole, path: bytes(raw)}, path, case)


@settings(max_examples=80)
@given(data=st.data(), value=JSON)
def test_anything_at_any_place_of_the_list(case, whole, data, value):
    listing = json.loads(whole[LISTING])
    place = listing
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        if not place[key] or not isinstance(place[key], dict | list) or data.draw(st.booleans()):
            break
        place = place[key]
    if place[key] == value and type(place[key]) is type(value):
        return
    place[key] = value
    changed = {**whole, LISTING: json.dumps(listing).encode()}
    judged(changed, LISTING, case)


@given(value=JSON)
def test_lists_and_signatures_of_any_json(value):
    for parse in (parse_listing, parse_signature):
        with pytest.raises(VestigeError):
            parse(json.dumps(value).encode())


@given(st.binary(max_size=300))
def test_zip_files_of_any_bytes(data):
    for raw in (data, data + b"PK\x05\x06" + bytes(18)):
        with pytest.raises(VestigeError):
            read_contents(ZipContainer(io.BytesIO(raw)))


@given(st.binary(max_size=200))
def test_manifests_of_any_bytes(data):
    try:
        found = parse_manifest(data, 32)
    except VestigeError:
        return
    assert manifest_text(found).encode() == data


@given(
    st.dictionaries(
        st.text("ab/%é \t", min_size=1, max_size=9), st.binary(min_size=32, max_size=32)
    )
)
def test_a_manifest_is_read_as_it_was_written(digests):
    assert parse_manifest(manifest_text(digests).encode(), 32) == digests


@given(st.lists(st.text(max_size=12), max_size=4))
def test_names_that_are_taken_can_be_written_on_any_system(names):
    try:
        check_names(names)
    except VestigeError:
        return
    for name in names:
        assert name == name.strip(" /")
        assert ".." not in name.split("/")
        assert not set('\\:*?"<>|\0\n\r') & set(name)
