"""``CHECK.md`` and ``CHECK.zh.md``: how to check an exhibit with stock tools only.

The commands are the same in both (:mod:`anchor.exhibit.check_steps`); a test runs each of them.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count

from anchor.exhibit.anchors import AnchorFile
from anchor.exhibit.check_steps import CheckSteps, check_steps
from anchor.exhibit.listing import Listing
from anchor.exhibit.texts import load_text
from anchor.proof.proof import Proof
from anchor.records.keys import key_thumbprint
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
        path: "\n".join(_numbered(_text(_words(language), listing, steps, signed_by)))
        for path, language in (("data/CHECK.md", "en"), ("data/CHECK.zh.md", "zh"))
    }


def _words(language: str) -> dict[str, str]:
    return tomllib.loads(load_text(f"check.{language}.toml"))


def _numbered(parts: Iterable[str]) -> Iterator[str]:
    """Number the sections: which of them there are depends on the evidence."""
    numbers = count(1)
    for part in parts:
        heading = part.startswith("## ")
        yield f"## {next(numbers)} {part.removeprefix('## ')}" if heading else part


def _text(
    words: Mapping[str, str], listing: Listing, steps: CheckSteps, signed_by: bytes | None
) -> Iterator[str]:
    name, seq = listing.name, steps.record
    yield f"# {words['title'].format(name=name)}\n"
    yield f"{words['intro'].format(name=name)}\n"
    yield from _part(words, "files", steps.files)
    yield f"## {words['signature']}\n"
    yield f"{words['unsigned'] if signed_by is None else _signature_text(words, signed_by)}\n"
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
        covered = words[f"covers_{token.covers}"]
        text = words["token_text"].format(time=shown, path=token.path, covered=covered)
        yield f"{text} {trust}\n"
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


def _signature_text(words: Mapping[str, str], key: bytes) -> str:
    named = words["signer"].format(thumbprint=key_thumbprint(key).hex()[:8], raw=key.hex()[:8])
    return words["signature_text"].format(key=named)


def _part(words: Mapping[str, str], part: str, lines: Sequence[str]) -> Iterator[str]:
    yield f"## {words[part]}\n"
    yield f"{words[f'{part}_text']}\n"
    yield from _lines(lines)


def _lines(lines: Sequence[str]) -> Iterator[str]:
    if lines:
        yield "```sh"
        yield from lines
        yield "```\n"
