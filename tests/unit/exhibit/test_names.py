"""What an exhibit is called: in ASCII, whatever its vault is called."""

from __future__ import annotations

import pytest

from anchor.errors import UsageError
from anchor.exhibit.container import check_names
from anchor.exhibit.manifest import bundle_digest, manifest_text
from anchor.exhibit.names import exhibit_name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("cat-pendant", "cat-pendant"), ("cat.exhibit.zip", "cat"), ("猫挂件", "exhibit"),
        ("Café noir", "Cafe-noir"), ("My  cat", "My--cat"), ("水 cat", "cat"),
        ("\U0001fae9", "exhibit"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("given", [True, False])
def test_a_name_is_made_ascii(text: str, name: str, given: bool):
    assert exhibit_name(text, given=given) == name
    check_names([f"{name}.exhibit/a"])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a/b",
        "水/b",
        ".hidden",
        "-x",
        "a:b",
        "a\nb",
        "a" * 101,
        "a;b",
        "$(id)",
        "a&b",
        "`x`",
        "a'b",
    ],
)
def test_what_no_file_can_be_called(text: str):
    assert exhibit_name(text, given=False) == "exhibit"
    with pytest.raises(UsageError):
        exhibit_name(text, given=True)


def test_only_the_line_of_the_pdf_is_left_out_of_the_bundle_digest():
    digests = {"data/README.txt": bytes(32)}
    without = bundle_digest(manifest_text(digests).encode())
    whole = manifest_text({**digests, "data/exhibit.pdf": bytes(32)}).encode()
    assert bundle_digest(whole) == without
    for other in (b"data/exhibit.pdf ", b"data/exhibit.pdf\r", b"data/exhibit.pdf\x00"):
        assert bundle_digest(whole.replace(b"data/exhibit.pdf", other)) != without
