"""One log witness as a backend: it cosigns the round's checkpoint, with its own time.

Sources: C2SP tlog-witness v1.0.0 (``add-checkpoint``), tlog-cosignature (cosignature/v1).

The way of an attempt: *scheduled* → ``POST add-checkpoint`` with the size that the witness saw last
and a consistency proof from there → the cosignature, verified → *final*. What the witness saw last
is kept in the journal; where it says otherwise (409), it is asked again from the size it names.

Rules: a cosignature is kept only if it verifies under the configured key, on exactly the text that
was sent; lines of other keys are dropped. Sending the same checkpoint twice is harmless. A size
that the witness names is its word alone: it moves the next request and stops nothing.

What this deliberately does not do: believe that the witness is right about our log. Its newest
checkpoint (:meth:`WitnessBackend.fetch_checkpoint`) is returned unverified, for the check at start.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import httpx

from anchor import limits
from anchor.backends.address import shown_address
from anchor.backends.bounded_http import Answer, BoundedHttp, base_url
from anchor.errors import (
    BackendProtocolError,
    BackendRejectedError,
    BackendUnavailableError,
    ConfigError,
    FormatError,
    SignatureError,
)
from anchor.formats.checkpoint import verify_cosignature
from anchor.formats.encoding import base64_text, parse_decimal, utc_text
from anchor.formats.note import COSIGNATURE_V1, NoteKey, SignedNote, parse_note, parse_note_key
from anchor.ports import TERMINAL_PHASES, Attempt, Health, Journal, Phase, Round

ConsistencyPath = Callable[[int, int], list[bytes]]
"""Returns the consistency proof between two sizes of our log, the smaller one first."""

_MAX_CONFLICTS: Final = 4
_CONFLICT_HINT: Final = "the witness may have seen another tree of this size under this origin"
_CLOCK_TOLERANCE: Final = timedelta(minutes=5)
_JOURNAL_KEY: Final = "newest"


@dataclass(frozen=True, slots=True)
class WitnessSettings:
    """How one witness is used.

    Attributes:
        key: its verifier key (``name+key id+base64``), signature type 4. Whoever controls it can
            cosign a split view of this log and state a wrong time.
        url: its submission prefix.
        monitoring_url: its monitoring prefix; the same as ``url`` if empty.
        interval_s: infinity: it takes the rounds of the others. Otherwise a round of its own is
            wanted this long after its last one.
        min_gap_s: never two rounds closer than this.
        timeout_s: of each network operation.
    """

    key: str
    url: str
    monitoring_url: str = ""
    interval_s: float = float("inf")
    min_gap_s: float = 1.0
    timeout_s: float = 20


class WitnessBackend:
    """One witness; see the module's text for the way of an attempt.

    Args:
        settings: which witness.
        journal: remembers which size it saw last.
        consistency_path: proves to it that the log only grew.
        now: the current time, aware UTC; only to notice a witness whose clock is ahead.
        transport: stands in for the network in tests.

    Raises:
        ConfigError: the key or the address cannot be used.
    """

    family = "witness"

    def __init__(
        self,
        settings: WitnessSettings,
        journal: Journal,
        consistency_path: ConsistencyPath,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._key = _witness_key(settings.key)
        self._url = base_url(settings.url, "witness.url")
        monitoring = settings.monitoring_url or settings.url
        self._monitoring_url = base_url(monitoring, "witness.monitoring_url")
        self._journal = journal
        self._consistency_path = consistency_path
        self._now = now
        self._http = BoundedHttp(timeout_s=settings.timeout_s, transport=transport)
        self.name = f"witness:{self._key.name}"
        self.interval_s = settings.interval_s
        self.min_gap_s = settings.min_gap_s
        self._health = Health(
            ok=True, note="not asked yet", detail={"url": shown_address(self._url)}
        )

    def advance(self, round_: Round, attempt: Attempt) -> Attempt:
        """Ask for the cosignature once; see :class:`anchor.ports.AnchorBackend`.

        Raises:
            BackendUnavailableError: the witness did not answer.
            BackendRejectedError: it does not know this log or its key, does not accept the proof,
                or has cosigned a greater tree already.
            BackendProtocolError: what it returned is no cosignature of its key on this checkpoint.
        """
        if attempt.phase in TERMINAL_PHASES:
            return attempt
        try:
            return self._ask(round_, attempt)
        except (BackendUnavailableError, BackendRejectedError, BackendProtocolError) as exc:
            self._note(ok=False, note=exc.message)
            raise

    def health(self) -> Health:
        """Return what the last request came to."""
        return self._health

    def fetch_checkpoint(self, origin: str) -> str | None:
        """Return the newest checkpoint of a log that the witness shows, or None if it has none.

        The text is as it came, not verified.

        Raises:
            BackendUnavailableError: no answer.
            BackendProtocolError: no text, or an answer that is neither a checkpoint nor "no".
        """
        log_id = hashlib.sha256(origin.encode()).hexdigest()
        url = f"{self._monitoring_url}/{log_id}/checkpoint"
        answer = self._http.send("GET", url, max_bytes=limits.MAX_NOTE_BYTES)
        if answer.status in (404, 410):
            return None
        if answer.status != 200:
            raise _unexpected(answer)
        try:
            return answer.body.decode()
        except UnicodeDecodeError as exc:
            raise BackendProtocolError("the witness's checkpoint is not UTF-8") from exc

    def close(self) -> None:
        """Close the connections; safe to call twice."""
        self._http.close()

    # -- one request -------------------------------------------------------------------------------

    def _ask(self, round_: Round, attempt: Attempt) -> Attempt:
        old_size = self._last_seen()
        if old_size > round_.tree_size:
            # Not possible in good order; the answer to size 0 names the witness's own.
            old_size = 0
        answer = self._http.send(
            "POST",
            f"{self._url}/add-checkpoint",
            max_bytes=limits.MAX_NOTE_BYTES,
            content=self._request(round_, old_size),
            headers={"Content-Type": "text/plain; charset=utf-8"},
        )
        if answer.status == 409:
            return self._start_from(answer, old_size, round_, attempt)
        if answer.status != 200:
            raise _refusal(answer)
        cosigned = self._verified(round_, answer)
        self._remember(round_.tree_size)
        attestation = {
            "kind": "witness",
            "root_hash": round_.root_hash.hex(),
            "witness": self._key.name,
            "checkpoint": cosigned.serialize(),
        }
        return attempt.to(Phase.FINAL, attestations=(attestation,), note="", retry_at=None)

    def _request(self, round_: Round, old_size: int) -> bytes:
        hashes = []
        if 0 < old_size < round_.tree_size:
            hashes = self._consistency_path(old_size, round_.tree_size)
        proof = "".join(f"{base64_text(item)}\n" for item in hashes)
        return f"old {old_size}\n{proof}\n{round_.checkpoint}".encode()

    def _start_from(
        self, answer: Answer, old_size: int, round_: Round, attempt: Attempt
    ) -> Attempt:
        """Take the size that the witness names, for the next request."""
        try:
            text = answer.body.decode("latin-1").removesuffix("\n")
            named = parse_decimal(text, maximum=limits.MAX_TREE_SIZE, what="size")
        except FormatError as exc:
            raise BackendRejectedError(
                f"the witness answered 409 without a size: {answer.shown!r}",
                code="backend.rejected.witness_conflict",
                hint=_CONFLICT_HINT,
            ) from exc
        if named > round_.tree_size:
            raise BackendRejectedError(
                f"the witness says that it saw tree size {named}, and this round has "
                f"{round_.tree_size}",
                code="backend.rejected.witness_ahead",
                hint="if this log never had that size under its origin, ask the witness",
            )
        conflicts = attempt.data.get("conflicts", 0) + 1
        if named == old_size or conflicts > _MAX_CONFLICTS:
            raise BackendRejectedError(
                f"the witness refuses tree size {round_.tree_size} and goes on naming size {named}",
                code="backend.rejected.witness_conflict",
                hint=_CONFLICT_HINT,
            )
        self._remember(named)
        return attempt.to(
            Phase.PREPARED,
            data=attempt.data | {"conflicts": conflicts},
            note=f"the witness saw tree size {named} last",
            retry_at=None,
        )

    def _verified(self, round_: Round, answer: Answer) -> SignedNote:
        """Return the checkpoint with the log's own lines and the witness's, which is verified."""
        try:
            sent = parse_note(round_.checkpoint)
            lines = answer.body.decode("utf-8")
            returned = parse_note(round_.checkpoint + lines)
            if returned.text != sent.text:
                raise _not_lines()
            cosigned = sent.adding(*returned.signatures_by(self._key))
            unix_time = verify_cosignature(cosigned, self._key)
        except (FormatError, SignatureError, UnicodeDecodeError) as exc:
            raise BackendProtocolError(
                f"the witness returned no cosignature of {self._key.name}: {exc}",
                code="backend.protocol.cosignature",
            ) from exc
        if unix_time == 0:
            raise BackendProtocolError(
                "the witness's cosignature states no time", code="backend.protocol.cosignature"
            )
        self._note_time(unix_time)
        return cosigned

    # -- what is remembered ------------------------------------------------------------------------

    def _last_seen(self) -> int:
        stored = self._journal.get(_JOURNAL_KEY) or {}
        return int(stored.get("tree_size", 0))

    def _remember(self, tree_size: int) -> None:
        if tree_size != self._last_seen():
            self._journal.put(_JOURNAL_KEY, {"tree_size": tree_size})

    def _note_time(self, unix_time: int) -> None:
        ahead_s = unix_time - self._now().timestamp()
        if ahead_s > _CLOCK_TOLERANCE.total_seconds():
            self._note(ok=False, note=f"the witness's clock is {ahead_s:.0f} s ahead of ours")
        else:
            self._note(ok=True, note="")

    def _note(self, *, ok: bool, note: str) -> None:
        detail = {
            "url": shown_address(self._url),
            "asked_at": utc_text(self._now().replace(microsecond=0)),
        }
        self._health = Health(ok=ok, note=note, detail=detail)


def _witness_key(text: str) -> NoteKey:
    try:
        key = parse_note_key(text)
    except FormatError as exc:
        raise ConfigError(f"witness.key: {exc.message}") from exc
    if key.algorithm != COSIGNATURE_V1:
        raise ConfigError(
            f"witness.key: signature type {key.algorithm}, wanted {COSIGNATURE_V1}",
            hint="a witness's key is for cosignature/v1; this one is a log's",
        )
    return key


def _not_lines() -> FormatError:
    return FormatError("it holds more than signature lines", code="format.note.signature_line")


def _refusal(answer: Answer) -> Exception:
    """Return the error that a status other than 200 and 409 means."""
    reasons = {
        400: ("bad_request", "the witness cannot read the request"),
        403: ("unknown_key", "the witness does not trust this log's key"),
        404: ("unknown_origin", "the witness does not know this log's origin"),
        422: ("consistency", "the witness does not accept the consistency proof"),
    }
    if answer.status not in reasons:
        return _unexpected(answer)
    code, reason = reasons[answer.status]
    shown = f": {answer.shown}" if answer.body else ""
    return BackendRejectedError(f"{reason}{shown}", code=f"backend.rejected.witness_{code}")


def _unexpected(answer: Answer) -> Exception:
    if answer.status == 429 or answer.status >= 500:
        return BackendUnavailableError(f"the witness answered {answer.status}: {answer.shown}")
    return BackendProtocolError(
        f"the witness answered {answer.status}, which its protocol does not know",
        code="backend.protocol.status",
    )
