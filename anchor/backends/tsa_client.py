"""Ask one RFC 3161 authority for a token, and give it out only when it is verified.

A token is returned only after its nonce, imprint, signature, purpose and chain to the configured
roots were verified, and never when the chain had ended by our clock: such a key may sign any time
in its past. The password is sent over TLS or to this machine only, and never shown.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from anchor.backends.ber import der_from_ber
from anchor.backends.bounded_http import Answer, BoundedHttp
from anchor.errors import (
    BackendError,
    BackendProtocolError,
    BackendRejectedError,
    BackendUnavailableError,
    ConfigError,
    FormatError,
    VerificationError,
    quote_peer,
)
from anchor.formats.encoding import utc_text
from anchor.formats.tsp import parse_token
from anchor.formats.tsp_chain import VerifiedToken, verify_token
from anchor.formats.tsp_exchange import TspResponse, parse_response, timestamp_request
from anchor.limits import MAX_TSP_BYTES

_HEADERS: Final = {
    "Content-Type": "application/timestamp-query",
    "Accept": "application/timestamp-reply",
}
# Failures that pass by themselves (RFC 3161 2.4.2).
_PASSING: Final = ("time_not_available", "system_failure")


@dataclass(frozen=True, slots=True)
class TsaSettings:
    """How one authority is asked.

    Attributes:
        name: what it is called here, ``digicert``; the backend's name is ``rfc3161:digicert``.
        url: where requests are posted. Whoever controls it sees root hashes and when they come; it
            can withhold, and without a key under ``roots`` show nothing that is believed.
        roots: DER of the certificates that its tokens must lead to. Whoever holds a key under one
            of them for time-stamping can state any time in its certificate's life.
        intermediates: DER of certificates that its tokens do not carry.
        policy_oid: the authority's own policy to ask for; None leaves it to the authority.
        username, password: for HTTP basic authentication, both or none.
        interval_s: a round is wanted this long after the last one.
        min_gap_s: never two rounds closer than this.
        pause_s: between the two requests of a round, where the authority wants it.
        timeout_s: of each network operation.
        fetch_revocation: ask the addresses in the verified chain's certificates for OCSP answers
            and CRLs. Whoever answers there learns that this authority is used.
        clock_tolerance_s: a greater difference between the authority's clock and ours is a fault.
    """

    name: str
    url: str
    roots: tuple[bytes, ...]
    intermediates: tuple[bytes, ...] = ()
    policy_oid: str | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    interval_s: float = 60
    min_gap_s: float = 60
    pause_s: float = 0
    timeout_s: float = 20
    fetch_revocation: bool = False
    clock_tolerance_s: float = 300


class TsaClient:
    """Asks one authority.

    Args:
        settings: which authority and how.
        http: what to ask over.
        now: the current time, aware UTC.

    Raises:
        ConfigError: the address, the roots or the login cannot be used.
    """

    def __init__(
        self, settings: TsaSettings, http: BoundedHttp, now: Callable[[], datetime]
    ) -> None:
        _check(settings)
        self._settings = settings
        self._http = http
        self._now = now

    def fetch_token(self, digest: bytes, nonce: int) -> tuple[bytes, VerifiedToken]:
        """Return the DER of one verified token over a SHA-256 digest, and what it proves.

        Raises:
            BackendUnavailableError: no answer, or one that asks to come back.
            BackendRejectedError: the authority refused, or the chain that it uses has ended.
            BackendProtocolError: its answer is no genuine token for this request.
        """
        settings = self._settings
        login = None
        if settings.username is not None and settings.password is not None:
            login = (settings.username, settings.password)
        answer = self._http.send(
            "POST",
            settings.url,
            max_bytes=MAX_TSP_BYTES,
            content=timestamp_request(digest, nonce=nonce, policy_oid=settings.policy_oid),
            headers=_HEADERS,
            auth=login,
        )
        der = self._granted(answer)
        try:
            verified = verify_token(
                parse_token(der),
                digest=digest,
                roots=settings.roots,
                extra_certificates=settings.intermediates,
                nonce=nonce,
            )
        except (FormatError, VerificationError) as exc:
            raise BackendProtocolError(
                f"{settings.name} sent a token that does not verify: {exc.message}",
                code=f"backend.protocol.{exc.code}",
                hint=exc.hint,
            ) from exc
        self._check_use(verified)
        return der, verified

    def _granted(self, answer: Answer) -> bytes:
        """Return the token of a granting answer; raise for every other one."""
        name = self._settings.name
        if answer.status in {401, 403}:
            raise BackendRejectedError(
                f"{name} wants another login (HTTP {answer.status})", code="backend.rejected.login"
            )
        if answer.status >= 500 or answer.status == 429:
            raise BackendUnavailableError(f"{name} answered HTTP {answer.status}")
        if answer.status != 200:
            raise BackendRejectedError(f"{name} answered HTTP {answer.status}: {answer.shown}")
        try:
            response = _response(answer.body)
        except FormatError as exc:
            raise BackendProtocolError(
                f"{name} sent no time-stamp response: {exc.message}",
                code="backend.protocol.tsp_response",
            ) from exc
        if response.token is not None:
            return response.token
        raise self._refusal(response)

    def _refusal(self, response: TspResponse) -> BackendError:
        words = ", ".join(part for part in (response.failure, response.status_text) if part)
        message = f"{self._settings.name}: {response.status}" + (
            f" ({quote_peer(words)})" if words else ""
        )
        passing = any(failure in response.failure for failure in _PASSING)
        if passing or response.status == "waiting":
            return BackendUnavailableError(message, code="backend.unavailable.tsp")
        return BackendRejectedError(message, code="backend.rejected.tsp")

    def _check_use(self, verified: VerifiedToken) -> None:
        """Refuse a chain that has ended by our clock, and another policy than the one asked for."""
        settings, now = self._settings, self._now()
        if now - timedelta(seconds=settings.clock_tolerance_s) > verified.chain_not_after:
            raise BackendRejectedError(
                f"{settings.name} stamped {utc_text(verified.gen_time)} with certificates that "
                f"ended at {utc_text(verified.chain_not_after)}",
                code="backend.rejected.tsp_ended",
                hint="an ended key can sign any time in its past; is this machine's clock right?",
            )
        if settings.policy_oid not in (None, verified.policy_oid):
            raise BackendProtocolError(
                f"{settings.name} stamped under policy {verified.policy_oid}, asked for was "
                f"{settings.policy_oid}",
                code="backend.protocol.tsp_policy",
            )


def _response(body: bytes) -> TspResponse:
    """Read a response; one that is BER is written again as DER first."""
    try:
        response = parse_response(body)
        if response.token is not None:
            parse_token(response.token)
    except FormatError:
        return parse_response(der_from_ber(body))
    return response


def _check(settings: TsaSettings) -> None:
    where = f"authority {settings.name}"
    try:
        parts = urlsplit(settings.url)
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable or parts.username or parts.fragment:
        raise ConfigError(f"{where}: an http or https address without a login in it is wanted")
    if not settings.roots:
        raise ConfigError(f"{where}: no root certificate")
    if (settings.username is None) != (settings.password is None):
        raise ConfigError(f"{where}: a user name and a password are wanted, or neither")
    local = parts.hostname in {"localhost", "127.0.0.1", "::1"}
    if settings.password is not None and parts.scheme != "https" and not local:
        raise ConfigError(
            f"{where}: a password would be sent in the open",
            hint="give the authority's https address",
        )
