"""One OpenTimestamps calendar as a backend: a promise within seconds, a Bitcoin block within hours.

The way of an attempt: *scheduled* → ``POST`` the root → *pending*, with the calendar's answer as
attestation → ask again, from two hours on, every 30 to 60 minutes → the answer names a block: its
header and up to six successors are fetched from the header source, and only if the path ends in
that header's merkle root, the headers link, and each has its work → *confirmed* → six successors →
*final*, the attestation now the whole tree with the headers.

Rules: the calendar's word is never enough. An answer that does not end in the block it names is not
kept; the note and the health say so, and the calendar is asked again. While a block is merely
confirmed the attestation stays the promise, so that no proof is handed out over a block that can
still vanish; one that does takes the attempt back to pending. What is sent is the round's root
hash, which is on disk with the round; submitting it twice costs nothing and gives another promise,
so that no journal is needed. Asked in vain for ``give_up_s``, the attempt fails and keeps its
promise for stock clients.

What this deliberately does not do: judge difficulty over time. ``min_header_work`` refuses headers
that cost next to nothing; the verifier's policy decides what is believed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import httpx

from anchor.backends.address import shown_address
from anchor.backends.calendar_client import CalendarClient
from anchor.errors import (
    AttestationError,
    BackendError,
    BackendProtocolError,
    BackendRejectedError,
    BackendUnavailableError,
    FormatError,
)
from anchor.fact_sources import BitcoinHeaderSource
from anchor.formats.bitcoin import BitcoinHeader, display_hex, parse_header, verify_header_chain
from anchor.formats.encoding import base64_text, parse_base64, parse_utc, utc_text
from anchor.formats.ots.attestation import BitcoinAttestation
from anchor.formats.ots.codec import parse_tree, serialize_tree
from anchor.formats.ots.timestamp import Timestamp
from anchor.limits import BITCOIN_SUCCESSORS, MAX_OTS_BYTES
from anchor.ports import TERMINAL_PHASES, Attempt, Health, Json, Phase, Round

_USUAL_WAIT: Final = timedelta(hours=12)
_MAX_BLOCKS: Final = 8
_SUBMISSIONS: Final = 12
_TO_SUBMIT: Final = frozenset({Phase.SCHEDULED, Phase.PREPARED, Phase.SUBMITTED})


@dataclass(frozen=True, slots=True)
class CalendarSettings:
    """How one calendar is used.

    Attributes:
        url: where roots are submitted. Whoever controls it can withhold, and can show nothing false
            that is believed, since each block is checked.
        allowed_uris: see :class:`CalendarClient`.
        interval_s: a round is wanted this long after the last one.
        min_gap_s: never two rounds closer than this.
        timeout_s: of each network operation.
        first_ask_s: when to ask for the first time after submitting.
        ask_min_s: how long to wait at least between two questions.
        ask_max_s: and at most; where between the two depends on the root, to spread the load.
        recheck_s: how long to wait for the next block once there is one.
        final_depth: successors that make a block final; up to six of them are saved.
        give_up_s: how long to ask in vain before the attempt fails.
        min_header_work: hashes that each header must cost at least. The default is about a
            hundredth of what a block took in 2025; 0 for test networks.
    """

    url: str
    allowed_uris: tuple[str, ...] = ()
    interval_s: float = 3600
    min_gap_s: float = 3600
    timeout_s: float = 20
    first_ask_s: float = 2 * 3600
    ask_min_s: float = 30 * 60
    ask_max_s: float = 60 * 60
    recheck_s: float = 10 * 60
    final_depth: int = BITCOIN_SUCCESSORS
    give_up_s: float = 60 * 24 * 3600
    min_header_work: int = 2**72


@dataclass(frozen=True, slots=True)
class _Blocks:
    """The blocks that a tree ends in, each with its successors, and the least depth among them."""

    runs: dict[int, list[BitcoinHeader]]
    depth: int


class CalendarBackend:
    """One calendar; see the module's text for the way of an attempt.

    Args:
        settings: which calendar and when.
        headers: who knows the Bitcoin chain.
        now: the current time, aware UTC; only for the schedule, no evidence.
        transport: stands in for the network in tests.
    """

    family = "bitcoin"

    def __init__(
        self,
        settings: CalendarSettings,
        headers: BitcoinHeaderSource,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._settings = settings
        self._headers = headers
        self._now = now
        self._client = CalendarClient(
            settings.url,
            allowed_uris=settings.allowed_uris,
            timeout_s=settings.timeout_s,
            transport=transport,
        )
        self.name = f"calendar:{self._client.place}"
        self.interval_s = settings.interval_s
        self.min_gap_s = settings.min_gap_s
        self._health = Health(
            ok=True, note="not asked yet", detail={"url": shown_address(self._client.url)}
        )

    def advance(self, round_: Round, attempt: Attempt) -> Attempt:
        """Submit, ask, or look for the next block; see :class:`anchor.ports.AnchorBackend`.

        Raises:
            BackendUnavailableError, ReorgError: the calendar or the header source did not answer.
            BackendRejectedError, BackendProtocolError: the calendar refused the root, or answered
                with something that promises nothing, many times in a row. Up to then, and wherever
                a later answer is wrong, the attempt stays open and its note says what was wrong.
        """
        if attempt.phase in TERMINAL_PHASES:
            return attempt
        try:
            if attempt.phase in _TO_SUBMIT:
                after = self._submit(round_, attempt)
            elif attempt.phase is Phase.CONFIRMED:
                after = self._recheck(round_, attempt)
            else:
                after = self._ask(round_, attempt)
        except BackendError as exc:
            self._note_health(exc.message, ok=False)
            raise
        self._note_health(after.note, ok="problem" not in after.data)
        return after

    def health(self) -> Health:
        """Return how the last call went."""
        return self._health

    def close(self) -> None:
        """Close the connections to the calendar; the header source is the caller's."""
        self._client.close()

    # -- the steps -----------------------------------------------------------------------------

    def _submit(self, round_: Round, attempt: Attempt) -> Attempt:
        try:
            tree = self._client.submit(round_.root_hash)
        except (BackendProtocolError, BackendRejectedError) as exc:
            if attempt.data.get("problems", 0) >= _SUBMISSIONS:
                raise
            return self._doubted(attempt, exc.message)
        now = self._now()
        written = base64_text(serialize_tree(tree))
        return attempt.to(
            Phase.PENDING,
            data={"submitted_at": utc_text(now), "promise": written},
            attestations=(self._attestation(round_, written),),
            retry_at=now + timedelta(seconds=self._settings.first_ask_s),
            note=f"promised by {self._client.place}",
            expected_at=now + _USUAL_WAIT,
        )

    def _ask(self, round_: Round, attempt: Attempt) -> Attempt:
        """Ask the calendar for what follows its promise, and check what it names."""
        if self._asked_in_vain(attempt):
            days = self._settings.give_up_s / 86400
            note = f"{self._client.place} has not kept its promise within {days:g} days"
            return attempt.to(Phase.FAILED, note=note, retry_at=None, expected_at=None)
        tree = _stored_tree(attempt.data["promise"], round_)
        try:
            waiting = self._upgrade(tree)
            blocks = self._blocks(tree)
        except (AttestationError, BackendProtocolError, BackendRejectedError) as exc:
            return self._doubted(attempt, exc.message)
        if isinstance(blocks, _Blocks):
            return self._settled(round_, attempt, tree, blocks)
        return attempt.to(
            Phase.PENDING,
            data=_without_problem(attempt.data),
            note=waiting or blocks,
            retry_at=self._next_question(round_),
        )

    def _recheck(self, round_: Round, attempt: Attempt) -> Attempt:
        """Look again at the blocks of a confirmed attempt."""
        tree = _stored_tree(attempt.data["upgraded"], round_)
        try:
            blocks = self._blocks(tree)
        except AttestationError as exc:
            without = {key: value for key, value in attempt.data.items() if key != "upgraded"}
            back = attempt.to(Phase.PENDING, data=without)
            return self._doubted(back, f"reorganised away: {exc.message}")
        except (BackendProtocolError, BackendRejectedError) as exc:
            return self._doubted(attempt, exc.message)
        if isinstance(blocks, _Blocks):
            return self._settled(round_, attempt, tree, blocks)
        return self._doubted(attempt, blocks)

    def _settled(
        self, round_: Round, attempt: Attempt, tree: Timestamp, blocks: _Blocks
    ) -> Attempt:
        """Return the attempt confirmed, or final and with the headers in its attestation."""
        written = base64_text(serialize_tree(tree))
        note = f"in Bitcoin block {min(blocks.runs)}"
        data = _without_problem(attempt.data)
        if blocks.depth >= self._settings.final_depth:
            return attempt.to(
                Phase.FINAL,
                data=data,
                attestations=(self._attestation(round_, written, blocks),),
                note=note,
                retry_at=None,
                expected_at=None,
            )
        return attempt.to(
            Phase.CONFIRMED,
            data=data | {"upgraded": written},
            note=f"{note}, {blocks.depth} of {self._settings.final_depth} blocks after it",
            retry_at=self._now() + timedelta(seconds=self._settings.recheck_s),
        )

    def _doubted(self, attempt: Attempt, reason: str) -> Attempt:
        """Keep what was there, say what is wrong, and come back."""
        data = attempt.data | {"problem": reason, "problems": attempt.data.get("problems", 0) + 1}
        retry_at = self._now() + timedelta(seconds=self._settings.recheck_s)
        return attempt.to(attempt.phase, data=data, note=reason, retry_at=retry_at)

    # -- what the steps ask ----------------------------------------------------------------------

    def _upgrade(self, tree: Timestamp) -> str:
        """Merge what the calendar has into ``tree``; return what it says it waits for.

        Raises:
            BackendUnavailableError: nothing was answered at all.
            BackendProtocolError: an answer is no tree, or does not fit behind the promise.
        """
        waiting: list[str] = []
        failures: list[BackendUnavailableError] = []
        promises = self._client.promises(tree)
        for node, uri in promises:
            try:
                answer = self._client.fetch_upgrade(uri, node.message)
            except BackendUnavailableError as exc:
                failures.append(exc)
                continue
            if isinstance(answer, Timestamp):
                node.merge(answer)
            else:
                waiting.append(answer)
        if failures and len(failures) == len(promises):
            raise failures[0]
        self._client.check(tree)
        return "; ".join(waiting)

    def _blocks(self, tree: Timestamp) -> _Blocks | str:
        """Return the blocks that the tree ends in, or a line of text that says what is missing.

        Raises:
            AttestationError: a path does not end in the merkle root of the block it names.
            BackendProtocolError: the header source's headers do not stand up, or the tree names
                one block twice with different roots, or too many.
            BackendUnavailableError, ReorgError: the header source does not answer.
        """
        claims = _claims(tree)
        if not claims:
            return f"{self._client.place} names no block yet"
        tip = self._headers.fetch_tip_height()
        if max(claims) > tip:
            return f"{self._headers.name} is at block {tip}, block {max(claims)} is named"
        runs: dict[int, list[BitcoinHeader]] = {}
        for height, merkle_root in claims.items():
            runs[height] = self._run(height, 1 + min(BITCOIN_SUCCESSORS, tip - height))
            if runs[height][0].merkle_root != merkle_root:
                raise AttestationError(
                    f"the path of {self._client.place} ends in {display_hex(merkle_root)}, the "
                    f"merkle root of block {height} is {display_hex(runs[height][0].merkle_root)}",
                    code="backend.protocol.wrong_root",
                )
        return _Blocks(runs, tip - max(claims))

    def _run(self, height: int, count: int) -> list[BitcoinHeader]:
        """Fetch headers and check their number, links, own work and least work."""
        try:
            raw = self._headers.fetch_headers(height, count)
            headers = [parse_header(header) for header in raw]
            verify_header_chain(headers)
        except (FormatError, AttestationError) as exc:
            raise BackendProtocolError(f"{self._headers.name}: {exc.message}") from exc
        if len(headers) != count:
            raise BackendProtocolError(
                f"{self._headers.name} gave {len(headers)} headers, {count} were asked for"
            )
        if min(header.work for header in headers) < self._settings.min_header_work:
            raise BackendProtocolError(
                f"{self._headers.name} gave a header at block {height} or after that cost next to "
                "nothing to make",
                code="backend.protocol.cheap_header",
                hint="is the header source on the network that is meant?",
            )
        return headers

    def _attestation(self, round_: Round, tree: str, blocks: _Blocks | None = None) -> Json:
        runs = blocks.runs if blocks else {}
        return {
            "kind": "opentimestamps",
            "root_hash": round_.root_hash.hex(),
            "calendar": self._client.url,
            "tree": tree,
            "headers": [
                {"height": height, "headers": [header.raw.hex() for header in runs[height]]}
                for height in sorted(runs)
            ],
        }

    def _asked_in_vain(self, attempt: Attempt) -> bool:
        submitted_at = parse_utc(attempt.data["submitted_at"])
        return self._now() - submitted_at > timedelta(seconds=self._settings.give_up_s)

    def _next_question(self, round_: Round) -> datetime:
        least, most = self._settings.ask_min_s, self._settings.ask_max_s
        return self._now() + timedelta(seconds=least + (most - least) * round_.root_hash[0] / 255)

    def _note_health(self, note: str, *, ok: bool) -> None:
        detail = {"url": shown_address(self._client.url), "asked_at": utc_text(self._now())}
        self._health = Health(ok=ok, note=note, detail=detail)


def _claims(tree: Timestamp) -> dict[int, bytes]:
    """Return the merkle root that the tree's paths end in, by the height that they name."""
    claims: dict[int, bytes] = {}
    for path in tree.paths():
        if not isinstance(path.attestation, BitcoinAttestation):
            continue
        height = path.attestation.height
        if claims.setdefault(height, path.message) != path.message or len(claims) > _MAX_BLOCKS:
            raise BackendProtocolError(
                f"the calendar names too many blocks, or block {height} with two merkle roots",
                code="backend.protocol.wrong_root",
            )
    return claims


def _stored_tree(text: str, round_: Round) -> Timestamp:
    """Read a tree that this backend stored; a FormatError here is our own disk's fault."""
    return parse_tree(
        parse_base64(text, max_bytes=MAX_OTS_BYTES, what="stored tree"), round_.root_hash
    )


def _without_problem(data: Json) -> Json:
    return {key: value for key, value in data.items() if key not in ("problem", "problems")}
