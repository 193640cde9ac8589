"""The page of the service: is it alive, what did it hand out last, what waits longest."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from anchor.ports import Attempt, Phase, Round
from anchor.service.growth import DayCount
from anchor_api.pages.chart import day_chart
from anchor_api.pages.html import Html, Part, digest, facts, joined, link, moment, tag
from anchor_api.pages.words import (
    age,
    expected,
    family,
    first_digests,
    party,
    read_time,
    said,
    usually,
)

_STATES: Final = {
    "idle": "idle",
    "working": "at work",
    "waiting": "waits for confirmation",
    "retrying": "trying again",
    "failing": "failing",
    "bug": "stumbled over an error of ours",
    "stopped": "stopped",
}
_TRANSACTION: Final = re.compile(r"(0x)?[0-9a-f]{64}", re.ASCII)
# What the block number of a row is called.
_BLOCK_KEYS: Final = ("block_number", "block_height")


@dataclass(frozen=True, slots=True)
class ShownRound:
    """One round with what each party made of it."""

    round_: Round
    attempts: Mapping[str, Attempt]


def home_parts(
    status: Mapping[str, Any],
    rounds: Sequence[ShownRound],
    days: Sequence[DayCount],
    now: datetime,
) -> list[Part]:
    """Return the page's content.

    Args:
        status: of the service.
        rounds: the newest first.
        days: what came lately, today last.
        now: when the page is made.
    """
    log, anchoring = status["log"], status["anchoring"]
    return [
        *_head(log, anchoring, rounds, now),
        *_alarms(anchoring["alarms"]),
        tag("h2", "What came in"),
        day_chart(days, title=f"Digests a day, the last {len(days)} days (UTC)"),
        tag("h2", "Outside parties"),
        *_parties(anchoring["backends"], now),
        tag("h2", "The last rounds"),
        *_rounds(rounds),
        tag("h2", "This log"),
        _identity(status),
    ]


# -- is it alive -----------------------------------------------------------------------------------


def _head(
    log: Mapping[str, Any],
    anchoring: Mapping[str, Any],
    rounds: Sequence[ShownRound],
    now: datetime,
) -> list[Part]:
    takes = log["read_only"] is None and anchoring["fatal"] is None
    sentence = "This log takes digests" if takes else "This log takes no digests now"
    parts: list[Part] = [tag("h1", sentence)]
    if not takes:
        reason = log["read_only"] or anchoring["fatal"]["message"]
        parts.append(tag("p", f"{said(reason)}. Reading goes on.", class_="wrong"))
    parts += [
        tag(
            "p",
            "Outside parties stamp its root. Whoever has a proof from here can check it without "
            "this service: ",
            link("how to verify", "/verify"),
            ".",
        ),
        facts(
            ("Digests", f"{log['tree_size']:,}"),
            ("Last round", _last_round(rounds, now)),
            ("Waits longest", _waits_longest(anchoring, now)),
            ("As of", moment(now)),
        ),
    ]
    return parts


def _last_round(rounds: Sequence[ShownRound], now: datetime) -> Part:
    if not rounds:
        return "none yet"
    newest = rounds[0].round_
    ago = age((now - newest.created_at).total_seconds())
    return joined(moment(newest.created_at), tag("span", f" · {ago} ago", class_="note"))


def _waits_longest(anchoring: Mapping[str, Any], now: datetime) -> Part:
    if not anchoring["backends"]:
        return "no outside party is set up, so nothing is stamped"
    oldest = anchoring["oldest_unanchored"]
    if oldest is None:
        return "nothing: each digest has at least one stamp that is final"
    return joined(
        tag("strong", _waited(oldest, now)),
        tag(
            "span",
            f" · leaf {oldest['leaf_index']:,} has no final stamp yet",
            class_="note",
        ),
    )


def _waited(oldest: Mapping[str, Any], now: datetime) -> str:
    accepted_at = read_time(oldest["accepted_at"])
    return "a moment" if accepted_at is None else age((now - accepted_at).total_seconds())


def _alarms(alarms: Sequence[Mapping[str, Any]]) -> list[Part]:
    if not alarms:
        return []
    items = []
    for alarm in alarms:
        who = f"{party(alarm['backend'])}: " if alarm["backend"] else ""
        name = tag("strong", alarm["name"].replace("_", " "))
        items.append(tag("li", name, f" – {who}{said(alarm['note'])}"))
    return [tag("h2", "What is wrong now"), tag("ul", *items, class_="wrong")]


# -- the parties -----------------------------------------------------------------------------------


def _parties(backends: Sequence[Mapping[str, Any]], now: datetime) -> list[Part]:
    if not backends:
        return [tag("p", "None is set up: proofs show a place in this log and no time.")]
    return [tag("ol", *(_party(item, now) for item in backends), class_="rows")]


def _party(item: Mapping[str, Any], now: datetime) -> Html:
    final = item["last_final"]
    reached: Part = "nothing is final yet"
    if final is not None:
        reached = joined(f"final for {first_digests(final['tree_size'])}", *_since(final))
    waits = ""
    if item["oldest_unanchored"] is not None:
        waits = f"oldest digest that waits: {_waited(item['oldest_unanchored'], now)}"
    kind = family(item["family"])
    note = said(item["last_error"] or item["health"]["note"])
    return tag(
        "li",
        tag(
            "div",
            tag("strong", party(item["name"])),
            _state(_STATES.get(item["state"], item["state"]), item["state"]),
            class_="what",
        ),
        tag("div", reached),
        tag("div", _with_dots(kind, usually(item["family"]), waits, note), class_="note"),
    )


def _state(text: str, state: str) -> Html:
    return tag("span", party(text), class_=state if state.isalpha() else "")


def _since(final: Mapping[str, Any]) -> list[Part]:
    when = read_time(final["at"] or final["round_created_at"])
    return [] if when is None else [", ", moment(when)]


def _with_dots(*texts: str) -> str:
    return " · ".join(text for text in texts if text)


# -- the rounds ------------------------------------------------------------------------------------


def _rounds(rounds: Sequence[ShownRound]) -> list[Part]:
    if not rounds:
        return [tag("p", "None yet. A round begins when a digest has come and a party is due.")]
    return [
        tag(
            "p",
            "A round hands the log's root to the parties: one hash that stands for every digest up "
            "to there.",
            class_="note",
        ),
        *(_round(shown, is_open=place == 0) for place, shown in enumerate(rounds)),
    ]


def _round(shown: ShownRound, *, is_open: bool) -> Html:
    round_, attempts = shown.round_, shown.attempts
    n_final = sum(attempt.phase is Phase.FINAL for attempt in attempts.values())
    more = {"open": ""} if is_open else {}
    return tag(
        "details",
        tag(
            "summary",
            moment(round_.created_at),
            tag(
                "span",
                f" over {first_digests(round_.tree_size)} · {n_final} of {len(attempts)} final",
                class_="note",
            ),
        ),
        facts(("Root hash", digest(round_.root_hash.hex()))),
        tag(
            "ol",
            *(_attempt(name, attempt) for name, attempt in sorted(attempts.items())),
            class_="rows",
        ),
        tag(
            "p",
            link("this round as JSON", f"/v1/rounds/{round_.tree_size}"),
            class_="note",
        ),
        class_="round",
        **more,
    )


def _attempt(name: str, attempt: Attempt) -> Html:
    transaction, block = transaction_of(attempt)
    found: list[Part] = []
    if transaction is not None and _TRANSACTION.fullmatch(transaction):
        found.append(tag("div", "transaction ", digest(transaction)))
    phase = attempt.phase.value
    note = "" if attempt.phase is Phase.FINAL else said(attempt.note)
    if attempt.phase is not Phase.FINAL and attempt.expected_at is not None:
        found.append(tag("div", expected(attempt.expected_at), moment(attempt.expected_at)))
    said_there = _with_dots("" if block is None else f"block {block:,}", note)
    if said_there:
        found.append(tag("div", said_there, class_="note"))
    return tag(
        "li",
        tag(
            "div",
            tag("strong", party(name)),
            _state(phase, phase),
            class_="what",
        ),
        *found,
    )


def transaction_of(attempt: Attempt) -> tuple[str | None, int | None]:
    """Return the transaction's hash and the block's number or height, where there are any."""
    transaction: str | None = None
    block: int | None = None
    for attestation in attempt.attestations:
        if isinstance(attestation.get("transaction_hash"), str):
            transaction = attestation["transaction_hash"]
        for run in attestation.get("headers") or ():
            if isinstance(run, dict) and isinstance(run.get("height"), int):
                block = run["height"]
    for key in _BLOCK_KEYS:
        if isinstance(attempt.data.get(key), int):
            block = attempt.data[key]
    if transaction is None and isinstance(attempt.data.get("transaction_hash"), str):
        transaction = attempt.data["transaction_hash"]
    return transaction, block


# -- who it is -------------------------------------------------------------------------------------


def _identity(status: Mapping[str, Any]) -> Html:
    log, policy = status["log"], status["policy"]
    return facts(
        ("Origin", tag("span", log["origin"], class_="digest")),
        ("Key", digest(log["key"])),
        ("Root hash", digest(log["root_hash"]) if log["root_hash"] else "none yet"),
        ("Policy", joined(policy["name"], " ", digest(policy["sha256"]))),
        (
            "For programs",
            joined(
                link("checkpoint", "/checkpoint"),
                ", ",
                link("status", "/v1/status"),
                ", ",
                link("rounds", "/v1/rounds"),
                ", ",
                link("description of the interface", "/openapi.json"),
            ),
        ),
    )
