"""``CHECK.md`` and ``CHECK.zh.md``: how to check an exhibit with stock tools only.

The commands are the same in both (:mod:`anchor.exhibit.check_steps`); a test runs each of them.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence

from anchor.exhibit.anchors import AnchorFile
from anchor.exhibit.check_steps import CheckSteps, check_steps
from anchor.exhibit.listing import Listing
from anchor.exhibit.texts import load_text
from anchor.proof.proof import Proof
from anchor.records.record import Record


def check_texts(
    listing: Listing,
    records: Mapping[int, Record],
    proofs: Mapping[int, Proof],
    anchors: Sequence[AnchorFile],
    signed_by: bytes | None,
) -> dict[str, str]:
    """Return both texts by path.

    Args:
        listing: of the exhibit.
        records: those shown, by number.
        proofs: of those, as far as there are any.
        anchors: what was taken out of the proofs.
        signed_by: the key that will sign the manifest, or None.
    """
    steps = check_steps(listing, records, proofs, anchors, signed_by)
    return {
        "data/CHECK.md": "\n".join(_text(_words("en"), listing, steps)),
        "data/CHECK.zh.md": "\n".join(_text(_words("zh"), listing, steps)),
    }


def _words(language: str) -> dict[str, str]:
    return tomllib.loads(load_text(f"check.{language}.toml"))


def _text(words: Mapping[str, str], listing: Listing, steps: CheckSteps) -> Iterator[str]:
    name, seq = listing.name, steps.record
    yield f"# {words['title'].format(name=name)}\n"
    yield f"{words['intro'].format(name=name)}\n"
    yield from _part(words, "files", steps.files)
    yield f"## {words['signature']}\n"
    yield f"{words['signature_text' if steps.signature else 'unsigned']}\n"
    yield from _lines(steps.signature)
    yield f"## {words['record'].format(record=seq)}\n"
    for part in ("digest", "payload", "key", "disclosure"):
        lines = getattr(steps, part)
        if lines:
            yield words[f"{part}_text"].format(named_by=steps.named_by) + "\n"
            yield from _lines(lines)
    if steps.file:
        yield from _part(words, "file", steps.file)
    if steps.paths:
        yield f"## {words['path']}\n"
        yield words["path_text"].format(proof=f"data/proofs/{seq:08}.proof") + "\n"
        for lines in steps.paths:
            yield from _lines(lines)
    for token in steps.tokens:
        yield f"## {words['token']}\n"
        shown = f"{token.time:%Y-%m-%d %H:%M:%S}"
        trust = words["token_trusted" if token.trusted else "token_untrusted"]
        yield words["token_text"].format(time=shown, path=token.path) + " " + trust + "\n"
        yield from _lines(token.lines)
    for block in steps.blocks:
        kind = "bitcoin" if block.chain_id is None else "evm"
        yield f"## {words[kind].format(chain_id=block.chain_id)}\n"
        text = words[f"{kind}_text"]
        yield (
            text.format(number=block.number, block_hash=block.block_hash, named=block.named) + "\n"
        )
        yield from _lines(block.lines)
    yield f"## {words['rest']}\n"
    yield words["rest_text"].format(name=name) + "\n"


def _part(words: Mapping[str, str], part: str, lines: Sequence[str]) -> Iterator[str]:
    yield f"## {words[part]}\n"
    yield f"{words[f'{part}_text']}\n"
    yield from _lines(lines)


def _lines(lines: Sequence[str]) -> Iterator[str]:
    if lines:
        yield "```sh"
        yield from lines
        yield "```\n"
