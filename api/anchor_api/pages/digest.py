"""The page of one digest: the sentence, the ladder from acceptance to Bitcoin, the files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from anchor.cli._peer_words import pending_words, promised_words, without_signs
from anchor.proof.proof import (
    ExpectedAttestation,
    OpenTimestampsAttestation,
    Proof,
    Rfc3161Attestation,
)
from anchor.verify import AttestationVerdict, Status, Verdict
from anchor_api.pages.html import Html, Part, digest, facts, joined, link, moment, tag, word
from anchor_api.pages.words import expected, party, read_time, said

_DIGEST: Final = re.compile(r"\b([0-9a-f]{64})\b", re.ASCII)
_FAMILIES: Final = {"rfc3161": "RFC 3161", "bitcoin": "Bitcoin", "witness": "Witness"}


def digest_parts(standing: Mapping[str, Any], proof: Proof, verdict: Verdict) -> list[Part]:
    """Return the page's content.

    Args:
        standing: where the digest stands, the service's own word.
        proof: as it is now.
        verdict: of that proof, under the service's policy.
    """
    hex_ = standing["digest"]
    return [
        tag("h1", _sentence(verdict), " ", word(verdict.status.value)),
        tag("p", digest(hex_)),
        tag(
            "p",
            "This is about the digest alone. Which file it belongs to is shown by the file itself, "
            "with its proof.",
            class_="note",
        ),
        *(tag("p", f"Note: {warning}", class_="wrong") for warning in verdict.warnings),
        tag("ol", *_ladder(standing, verdict), class_="ladder"),
        tag("h2", "Take it along"),
        _downloads(hex_, proof),
        tag("h2", "What this rests on"),
        facts(
            (
                "Judged",
                joined(
                    f"under the policy {verdict.policy_name}, class {verdict.policy_class}, by "
                    "this service. ",
                    link("Check it yourself", "/verify"),
                    ".",
                ),
            ),
            ("Policy SHA-256", digest(verdict.policy_sha256.hex())),
        ),
        *_test_policy(verdict),
    ]


def _test_policy(verdict: Verdict) -> list[Part]:
    if verdict.policy_class != "test":
        return []
    return [tag("p", "A policy of class test shows nothing to anybody else.", class_="wrong")]


def _sentence(verdict: Verdict) -> Part:
    if verdict.status is Status.FAILED:
        return joined("Something is false: ", _reason(verdict.reason))
    if verdict.headline is None:
        return "Nothing shows yet when this digest existed"
    return joined("This digest existed before ", moment(verdict.headline.existed_before))


# -- the ladder ------------------------------------------------------------------------------------


def _ladder(standing: Mapping[str, Any], verdict: Verdict) -> Iterator[Html]:
    accepted_at = read_time(standing["accepted_at"])
    accepted: Part = "accepted a moment ago"
    if accepted_at is not None:
        accepted = joined("accepted ", moment(accepted_at))
    yield _rung(
        "In the log",
        accepted,
        word(verdict.log.status.value),
        f"leaf {standing['leaf_index']:,}; the time is this service's own word",
        _line(_reason(verdict.log.reason)),
    )
    for row in verdict.rows:
        bound: Part | None = None
        if row.attested_time is not None:
            bound = joined("before ", moment(row.attested_time))
        more = _more(row, standing["anchors"])
        yield _rung(_label(row), bound, word(row.status.value), _text(row), *more)
    if verdict.record is None or verdict.record.not_before is None:
        yield _rung("Not before", None, "", "nothing here shows an earliest time")
    else:
        at = moment(verdict.record.not_before)
        yield _rung("Not before", at, word("verified"), "a beacon in the record")


def _rung(what: str, bound: Part | None, sign: Part, text: Part, *more: Part) -> Html:
    return tag(
        "li",
        tag("span", tag("strong", what), class_="who"),
        tag("span", "–" if bound is None else bound, class_="none" if bound is None else "bound"),
        tag("span", sign, class_="sign"),
        tag("span", text, *more, class_="note"),
    )


def _label(row: AttestationVerdict) -> str:
    if row.family == "evm":
        known = not isinstance(row.attestation, ExpectedAttestation)
        return party(row.judgement.by) if known and row.judgement.by else "EVM chain"
    return _FAMILIES.get(row.family, "Another kind")


def _text(row: AttestationVerdict) -> Part:
    judgement, attestation = row.judgement, row.attestation
    if row.status is Status.VERIFIED:
        covers = isinstance(attestation, Rfc3161Attestation) and attestation.covers == "checkpoint"
        return without_signs(
            judgement.trust
            + ("; over the signed checkpoint" if covers else "")
            + ("; honest to the day" if judgement.precision == "day" else "")
        )
    if isinstance(attestation, ExpectedAttestation):
        return pending_words(attestation.by.replace(":", " ", 1), attestation.family, None)
    if row.status is Status.PENDING and isinstance(attestation, OpenTimestampsAttestation):
        return promised_words(attestation.calendar or judgement.reason.partition(";")[0])
    return _reason(judgement.reason)


def _reason(text: str) -> Html:
    """Return a sentence that may quote a proof, with each digest in monospace."""
    parts = _DIGEST.split(without_signs(text))
    return joined(*(digest(part) if _DIGEST.fullmatch(part) else part for part in parts))


def _more(row: AttestationVerdict, anchors: Sequence[Mapping[str, Any]]) -> Iterator[Part]:
    """Yield what is known besides: the transaction, the expected time, what is waited for."""
    attestation = row.attestation
    root_hash = getattr(attestation, "root_hash", None)
    if root_hash is not None and root_hash.hex() not in [item["root_hash"] for item in anchors]:
        yield _line("over a later root of the log, which covers the time stamp too")
    transaction = getattr(attestation, "transaction_hash", None)
    if isinstance(transaction, bytes):
        yield _line("transaction ", digest("0x" + transaction.hex()))
    if isinstance(attestation, ExpectedAttestation):
        if attestation.expected_at is not None:
            at = attestation.expected_at
            yield _line(expected(at), moment(at))
        note = said(attestation.note)
        if note:
            yield _line(note)
    elif row.status is Status.PENDING and isinstance(attestation, OpenTimestampsAttestation):
        for anchor in anchors:
            expected_at = read_time(anchor["expected_at"])
            same = root_hash is not None and anchor["root_hash"] == root_hash.hex()
            if same and expected_at and anchor["backend"].startswith("calendar:"):
                yield _line(expected(expected_at), moment(expected_at))
                return


def _line(*parts: Part) -> Html:
    return tag("span", *parts, class_="line")


# -- what to take along ----------------------------------------------------------------------------


def _downloads(hex_: str, proof: Proof) -> Html:
    has_tree = any(isinstance(row, OpenTimestampsAttestation) for row in proof.attestations)
    has_checkpoint = any(inclusion.checkpoint is not None for inclusion in proof.inclusions)
    items: list[Part] = [
        tag(
            "li",
            link("the proof", f"/d/{hex_}/proof"),
            " – everything on this page, to be checked offline; it may be fetched again when more "
            "has come",
        )
    ]
    if has_tree:
        ots: Part = link("an .ots file", f"/d/{hex_}/ots")
        items.append(tag("li", ots, " – for stock OpenTimestamps clients; it starts at the digest"))
    else:
        items.append(tag("li", "an .ots file: once a calendar has answered"))
    if has_checkpoint:
        receipt = link("the receipt", f"/d/{hex_}/receipt")
        items.append(tag("li", receipt, " – the place in the log alone (C2SP tlog-proof)"))
    return tag("ul", *items)
