"""``POST /v1/digests``: digests in, leaf indices out, once they are under a durable checkpoint.

The one route that has to be quick, so it stands below the framework: it is called straight from the
ASGI dispatcher. ``openapi.py`` describes it, and a test compares what it answers with that.

Two bodies are read:

* ``application/json``: ``{"digests": [hex, …]}``, 1 to 1,000 digests, 64 lower-case digits each;
  answered with JSON, one object for each digest in the order given.
* ``application/octet-stream``: 1 to 1,000,000 digests of 32 bytes; answered with as many unsigned
  64-bit big-endian numbers, the leaf index with the top bit set where this request created the
  leaf. Tree size and checkpoint (base64 of the signed note) stand in the headers
  ``Vestige-Tree-Size`` and ``Vestige-Checkpoint``.

An answer means that every digest is flushed, sequenced and covered by the checkpoint. A large raw
body is several commits and not atomic; sending it again is safe.
"""

from __future__ import annotations

import asyncio
import base64
import functools
import hashlib
import logging
from typing import Final, Protocol

import msgspec
import numpy as np

from anchor import limits
from anchor.errors import FormatError, UsageError, VestigeError, quote_peer
from anchor.formats.encoding import parse_hex
from anchor.service.sequencer import Submission
from anchor_api.asgi import (
    Answer,
    DisconnectedError,
    Header,
    Receive,
    Scope,
    Send,
    header,
    send_answer,
)
from anchor_api.body import BodyReader, ByteBudget, discard_body
from anchor_api.http_figures import HttpFigures
from anchor_api.idempotency import IdempotencyKeys
from anchor_api.problems import UnsupportedMediaTypeError, refusal
from anchor_api.quota import ClientNames, Quotas

_log = logging.getLogger(__name__)

JSON_MEDIA_TYPE: Final = "application/json"
RAW_MEDIA_TYPE: Final = "application/octet-stream"
_JSON_HEADERS: Final = ((b"content-type", b"application/json"), (b"cache-control", b"no-store"))
_CREATED_BIT: Final = np.uint64(1 << 63)
_HEX_CHARACTERS: Final = 2 * limits.DIGEST_BYTES
_HASHED_HERE: Final = 1 << 20
_MAX_RAW_BYTES: Final = limits.MAX_RAW_DIGESTS * limits.DIGEST_BYTES


class SubmissionRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The JSON body."""

    digests: list[str]


class SubmittedDigest(msgspec.Struct):
    """One digest of the answer."""

    digest: str
    leaf_index: int
    created: bool


class SubmissionAnswer(msgspec.Struct):
    """The JSON answer."""

    tree_size: int
    root_hash: str
    checkpoint: str
    digests: list[SubmittedDigest]


class Submits(Protocol):
    """What takes digests: the sequencer."""

    async def submit(self, digests: bytes) -> Submission:
        """See :meth:`anchor.service.sequencer.Sequencer.submit`."""


class SubmissionRoute:
    """The route, as an ASGI application.

    Args:
        submits: takes the digests.
        reader: reads bodies.
        budget: counts large bodies.
        quotas: what each client may ask for.
        clients: tells whose request one is.
        keys: answers remembered under ``Idempotency-Key``.
        figures: counts the answers.
    """

    def __init__(
        self,
        submits: Submits,
        *,
        reader: BodyReader,
        budget: ByteBudget,
        quotas: Quotas,
        clients: ClientNames,
        keys: IdempotencyKeys,
        figures: HttpFigures,
    ) -> None:
        self._submits = submits
        self._reader = reader
        self._budget = budget
        self._quotas = quotas
        self._clients = clients
        self._keys = keys
        self._answered = figures.submissions
        self._read_request = msgspec.json.Decoder(SubmissionRequest).decode
        self._write_answer = msgspec.json.Encoder().encode

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        with self._budget.hold() as hold:
            try:
                raw = self._admit(scope)
                max_bytes = _MAX_RAW_BYTES if raw else limits.MAX_SUBMISSION_JSON_BYTES
                body = await self._reader.read(scope, receive, max_bytes=max_bytes, hold=hold)
            except DisconnectedError:
                return
            except VestigeError as exc:
                # What was not read of the body must not be taken for the next request.
                await discard_body(scope, receive)
                answer = refusal(exc, close=True)
                self._answered[answer.status] += 1
                await send_answer(send, answer)
                return
            try:
                answer = await self._answer(scope, body, raw=raw)
            except VestigeError as exc:
                answer = refusal(exc)
            except Exception as exc:  # noqa: BLE001 - the last line: no internals leave the process
                _log.exception("a submission failed")
                answer = refusal(exc)
            self._answered[answer.status] += 1
            await send_answer(send, answer)

    def _admit(self, scope: Scope) -> bool:
        """Count the request; return whether its body is raw, or refuse it before reading."""
        media_type = _media_type(header(scope["headers"], b"content-type"))
        if media_type not in (JSON_MEDIA_TYPE, RAW_MEDIA_TYPE):
            raise UnsupportedMediaTypeError(
                f"a body of media type {quote_peer(media_type)!r}",
                hint=f"send {JSON_MEDIA_TYPE} or {RAW_MEDIA_TYPE}",
            )
        self._quotas.take_request(self._clients.client_of(scope))
        return media_type == RAW_MEDIA_TYPE

    async def _answer(self, scope: Scope, body: bytes, *, raw: bool) -> Answer:
        client = self._clients.client_of(scope)
        key = header(scope["headers"], b"idempotency-key")
        if key is None:
            return await self._work(client, body, raw=raw)
        # Large bodies are hashed in a thread: tens of milliseconds are the others' too.
        hashed = functools.partial(_fingerprint, body, raw=raw)
        fingerprint = await asyncio.to_thread(hashed) if len(body) > _HASHED_HERE else hashed()
        return await self._keys.once(
            client, key, fingerprint, functools.partial(self._work, client, body, raw=raw)
        )

    async def _work(self, client: str, body: bytes, *, raw: bool) -> Answer:
        if raw:
            _require_whole(body)
            self._quotas.take_digests(client, len(body) // limits.DIGEST_BYTES)
            return _raw_answer(await self._submits.submit(body))
        texts = self._digest_texts(body)
        digests = _digests(texts)
        self._quotas.take_digests(client, len(texts))
        submission = await self._submits.submit(digests)
        return Answer(200, self._write_answer(_json_answer(texts, submission)), _JSON_HEADERS)

    def _digest_texts(self, body: bytes) -> list[str]:
        try:
            texts = self._read_request(body).digests
        except msgspec.ValidationError as exc:
            raise FormatError(
                f"the body is not the object wanted: {exc}",
                code="format.submission",
                hint='wanted {"digests": ["<64 lower-case hexadecimal digits>", …]}',
            ) from None
        except (msgspec.DecodeError, UnicodeDecodeError) as exc:
            raise FormatError(f"the body is not JSON: {exc}", code="format.json") from None
        # The decoder lets a later member of the same name win. Digits need no escapes, so that the
        # name can be looked for as it stands.
        if body.count(b'"digests"') != 1 or b"\\" in body:
            raise FormatError(
                'the member "digests" is there twice, or written with escapes',
                code="format.json.duplicate_name",
            )
        if not 1 <= len(texts) <= limits.MAX_JSON_DIGESTS:
            raise UsageError(
                f"{len(texts)} digests, wanted 1 to {limits.MAX_JSON_DIGESTS}",
                code="usage.digests",
                hint=f"more go in one body of {RAW_MEDIA_TYPE}, up to {limits.MAX_RAW_DIGESTS:,}",
            )
        return texts


def _fingerprint(body: bytes, *, raw: bool) -> bytes:
    hasher = hashlib.sha256(bytes([raw]))
    hasher.update(body)
    return hasher.digest()


# -- bodies ----------------------------------------------------------------------------------------


def _media_type(value: bytes | None) -> str:
    if value is None:
        return JSON_MEDIA_TYPE
    return value.partition(b";")[0].strip().lower().decode("latin-1")


def _digests(texts: list[str]) -> bytes:
    """Return the digests, one after the other; the slow way only to say which one is wrong."""
    joined = "".join(texts)
    try:
        digests = bytes.fromhex(joined)
    except ValueError:
        digests = b""
    if digests.hex() == joined and all(len(text) == _HEX_CHARACTERS for text in texts):
        return digests
    return b"".join(
        parse_hex(text, n_bytes=limits.DIGEST_BYTES, what=f"digests[{index}]")
        for index, text in enumerate(texts)
    )


def _require_whole(body: bytes) -> None:
    if not body or len(body) % limits.DIGEST_BYTES:
        raise UsageError(
            f"a body of {len(body)} bytes, wanted 1 to {limits.MAX_RAW_DIGESTS:,} digests of "
            f"{limits.DIGEST_BYTES} bytes",
            code="usage.digests",
        )


# -- answers ---------------------------------------------------------------------------------------


def _json_answer(texts: list[str], submission: Submission) -> SubmissionAnswer:
    tree = submission.tree
    return SubmissionAnswer(
        tree.tree_size,
        tree.root_hash.hex(),
        tree.checkpoint,
        [
            SubmittedDigest(text, leaf_index, created)
            for text, leaf_index, created in zip(
                texts,
                submission.leaf_indices.tolist(),
                submission.created.tolist(),
                strict=True,
            )
        ],
    )


def _raw_answer(submission: Submission) -> Answer:
    numbers = submission.leaf_indices | (submission.created * _CREATED_BIT)
    headers: tuple[Header, ...] = (
        (b"content-type", RAW_MEDIA_TYPE.encode()),
        (b"cache-control", b"no-store"),
        (b"vestige-tree-size", str(submission.tree.tree_size).encode()),
        (b"vestige-checkpoint", base64.b64encode(submission.tree.checkpoint.encode())),
    )
    return Answer(200, numbers.astype(">u8").tobytes(), headers)
