"""One RFC 3161 time-stamping authority as a backend: two verified tokens for each round.

The way of an attempt: *scheduled* → two nonces are drawn and stored, *prepared* → a token over the
root hash itself, *submitted* → a token over SHA-256 of the signed checkpoint → *final*; or, where
revocation data is wanted, *confirmed* until it is there or was asked for in vain.

Rules: a token is kept only when :class:`~anchor.backends.tsa_client.TsaClient` has verified it
under the configured roots; its whole chain, root included, is saved beside it. A nonce is on disk
before it is sent, so that an answer that got lost is asked for again with the same one. A token of
a revoked authority is not kept.

What this deliberately does not do: trust a root that came with a token, or correct a clock. A
difference between the authority's clock and ours is shown, since one of the two is wrong.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import httpx

from anchor.backends.address import shown_address
from anchor.backends.bounded_http import BoundedHttp
from anchor.backends.tsa_client import TsaClient, TsaSettings
from anchor.backends.tsa_revocation import RevocationData, RevocationFetcher
from anchor.errors import BackendError, quote_peer
from anchor.formats.encoding import base64_text, parse_base64, utc_text
from anchor.formats.tsp_chain import VerifiedToken
from anchor.limits import MAX_CERTIFICATE_BYTES
from anchor.ports import TERMINAL_PHASES, Attempt, Health, Json, Phase, Round

_COVERS: Final = ("root", "checkpoint")
_NONCE_BITS: Final = 64
_REVOCATION_TRIES: Final = 3
_REVOCATION_WAIT = timedelta(minutes=5)


class TsaBackend:
    """One authority; see the module's text for the way of an attempt.

    Args:
        settings: which authority and how.
        now: the current time, aware UTC.
        nonce: draws a number of 64 random bits.
        transport: stands in for the network in tests.

    Raises:
        ConfigError: the address, the roots or the login cannot be used.
    """

    family = "rfc3161"

    def __init__(
        self,
        settings: TsaSettings,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        nonce: Callable[[], int] = lambda: secrets.randbits(_NONCE_BITS),
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._settings = settings
        self._now = now
        self._nonce = nonce
        self._http = BoundedHttp(timeout_s=settings.timeout_s, transport=transport)
        self._client = TsaClient(settings, self._http, now)
        self._revocation = RevocationFetcher(self._http)
        self.name = f"rfc3161:{settings.name}"
        self.interval_s = settings.interval_s
        self.min_gap_s = settings.min_gap_s
        self._health = Health(
            ok=True, note="not asked yet", detail={"url": shown_address(settings.url)}
        )

    def advance(self, round_: Round, attempt: Attempt) -> Attempt:
        """Draw the nonces, fetch one token, or fetch revocation data; see ``AnchorBackend``.

        Raises:
            BackendUnavailableError: no answer, or one that asks to come back.
            BackendRejectedError: the authority refused, or the chain that it uses has ended.
            BackendProtocolError: its answer is no genuine token for this request.
        """
        if attempt.phase in TERMINAL_PHASES:
            return attempt
        if "nonces" not in attempt.data:
            nonces = {covers: f"{self._nonce():x}" for covers in _COVERS}
            return attempt.to(Phase.PREPARED, data=attempt.data | {"nonces": nonces}, note="")
        here = {attestation["covers"] for attestation in attempt.attestations}
        missing = [covers for covers in _COVERS if covers not in here]
        try:
            if missing:
                return self._stamp(round_, attempt, missing[0], last=len(missing) == 1)
            return self._add_revocation(attempt)
        except BackendError as exc:
            self._note_health(exc.message, ok=False)
            raise

    def health(self) -> Health:
        """Return how the last call went."""
        return self._health

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    # -- tokens --------------------------------------------------------------------------------

    def _stamp(self, round_: Round, attempt: Attempt, covers: str, *, last: bool) -> Attempt:
        digest = round_.root_hash
        if covers == "checkpoint":
            digest = hashlib.sha256(round_.checkpoint.encode()).digest()
        token, verified = self._client.fetch_token(digest, int(attempt.data["nonces"][covers], 16))
        attestation: Json = {
            "kind": "rfc3161",
            "root_hash": round_.root_hash.hex(),
            "covers": covers,
            "token": base64_text(token),
            "certificates": [base64_text(der) for der in verified.chain],
            "ocsp": [],
            "crls": [],
        }
        self._note_clock(verified)
        note = f"stamped {utc_text(verified.gen_time)} by {quote_peer(verified.tsa_name)}"
        attestations = (*attempt.attestations, attestation)
        stamped = attempt.to(Phase.SUBMITTED, attestations=attestations, note=note, retry_at=None)
        if not last:
            pause = timedelta(seconds=self._settings.pause_s)
            return stamped.to(Phase.SUBMITTED, retry_at=self._now() + pause if pause else None)
        if self._settings.fetch_revocation:
            return stamped.to(Phase.CONFIRMED, note=f"{note}; revocation data to come")
        return stamped.to(Phase.FINAL, note=f"{note}; no revocation data asked for")

    # -- revocation ----------------------------------------------------------------------------

    def _add_revocation(self, attempt: Attempt) -> Attempt:
        """Save what OCSP and CRLs say about the chains; after some tries go on without."""
        tries = attempt.data.get("revocation_tries", 0) + 1
        fetched: dict[tuple[str, ...], RevocationData] = {}
        attestations: list[Json] = []
        problems: list[str] = []
        for attestation in attempt.attestations:
            key = tuple(attestation["certificates"])
            if key not in fetched:
                fetched[key] = self._revocation.fetch(_ders(key))
            data = fetched[key]
            problems += data.problems
            attestations.append(
                attestation
                | {
                    "ocsp": [base64_text(der) for der in data.ocsp],
                    "crls": [base64_text(der) for der in data.crls],
                }
            )
        revoked = _revoked(fetched.values())
        if revoked:
            note = f"{self._settings.name}: {revoked}; its tokens are not kept"
            self._note_health(note, ok=False)
            return attempt.to(Phase.FAILED, attestations=(), note=note, retry_at=None)
        if problems and tries < _REVOCATION_TRIES:
            return attempt.to(
                Phase.CONFIRMED,
                data=attempt.data | {"revocation_tries": tries},
                note=f"revocation data: {problems[0]}",
                retry_at=self._now() + _REVOCATION_WAIT,
            )
        said = f"without revocation data: {problems[0]}" if problems else "with revocation data"
        return attempt.to(
            Phase.FINAL,
            data=attempt.data | {"revocation_tries": tries},
            attestations=tuple(attestations),
            note=f"stamped; saved {said}",
            retry_at=None,
        )

    # -- health --------------------------------------------------------------------------------

    def _note_clock(self, verified: VerifiedToken) -> None:
        off_s = (verified.gen_time - self._now()).total_seconds()
        ok = abs(off_s) <= self._settings.clock_tolerance_s
        note = "answering" if ok else f"its clock and ours differ by {off_s:.0f} s"
        detail = {
            "clock_difference_s": round(off_s, 3),
            "certificates_end": utc_text(verified.chain_not_after),
        }
        self._note_health(note, ok=ok, detail=detail)

    def _note_health(self, note: str, *, ok: bool, detail: Json | None = None) -> None:
        known = {"url": shown_address(self._settings.url), "asked_at": utc_text(self._now())}
        self._health = Health(ok=ok, note=note, detail=known | (detail or {}))


def _ders(texts: Sequence[str]) -> list[bytes]:
    """Read certificates that this backend stored."""
    return [parse_base64(t, max_bytes=MAX_CERTIFICATE_BYTES, what="stored chain") for t in texts]


def _revoked(fetched: Iterable[RevocationData]) -> str:
    """Return a line about the first certificate that is revoked, or nothing."""
    for status in (status for data in fetched for status in data.statuses):
        if status.state == "revoked":
            why = status.reason or "no reason stated"
            return f"the certificate of {quote_peer(status.name)} is revoked ({why})"
    return ""
