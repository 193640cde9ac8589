"""JSON-RPC over HTTP with bounds on time and size, through web3's provider.

Rules: an answer is cut off at ``limits.MAX_RPC_RESPONSE_BYTES`` and at the deadline, whichever
comes first (the lines of its head: by what ``http.client`` allows), and redirects are not followed.
Addresses of providers often hold an access key, so neither the address nor the text of a transport
error is ever shown: host and kind of error are.
"""

from __future__ import annotations

import logging
import re
import time
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from anchor import limits
from anchor.backends.evm.node import wrong_answer
from anchor.errors import (
    BackendRejectedError,
    BackendUnavailableError,
    ConfigError,
    FormatError,
    quote_peer,
)
from anchor.formats.encoding import parse_json

if TYPE_CHECKING:
    from requests import Session
    from web3 import HTTPProvider

_CONNECT_TIMEOUT_S: Final = 10.0
_CHUNK_BYTES: Final = 1 << 16
_HEX: Final = re.compile(r"0x(?:[0-9a-fA-F]{2})*")
_QUANTITY: Final = re.compile(r"0x[0-9a-fA-F]{1,64}")


class RpcRefusedError(BackendRejectedError):
    """The node answered with a JSON-RPC error; ``rpc_code`` and ``rpc_message`` are its own."""

    default_code = "backend.evm.rpc_error"

    def __init__(
        self,
        message: str,
        *,
        rpc_code: int = 0,
        rpc_message: str = "",
        code: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, code=code, hint=hint)
        self.rpc_code = rpc_code
        self.rpc_message = rpc_message


class JsonRpc:
    """One JSON-RPC endpoint. Safe to share between threads.

    Args:
        url: http or https. Whoever runs it can delay, hide and invent; see ``EvmNode`` for what is
            checked. May hold an access key.
        timeout_s: for one call as a whole.
    """

    def __init__(self, url: str, *, timeout_s: float = 20.0) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ConfigError(
                f"RPC address with scheme {quote_peer(parts.scheme)!r}, http or https wanted",
                code="config.evm.rpc_url",
            )
        self.host = parts.hostname
        self._provider = _strict_provider(url, timeout_s)

    def call(self, method: str, *params: Any) -> Any:
        """Return the result of a method.

        Raises:
            RpcRefusedError: the node answered with an error.
            BackendUnavailableError: no answer in time, an HTTP error, or "limit exceeded".
            BackendProtocolError: the answer is too long or is not JSON-RPC.
        """
        answer = self._request(method, params)
        if not isinstance(answer, dict) or not {"result", "error"} & answer.keys():
            raise wrong_answer(f"{method}: not a JSON-RPC answer")
        error = answer.get("error")
        if error is None:
            return answer.get("result")
        if not isinstance(error, dict):
            raise wrong_answer(f"{method}: error is no object")
        code, message = error.get("code"), error.get("message")
        code = code if isinstance(code, int) else 0
        message = message if isinstance(message, str) else ""
        if code == -32005 or "rate limit" in message.lower():
            raise BackendUnavailableError(
                f"{self.host} limits {method}: {quote_peer(message)}", code="backend.evm.busy"
            )
        raise RpcRefusedError(
            f"{method}: {quote_peer(message)} ({code})", rpc_code=code, rpc_message=message
        )

    def _request(self, method: str, params: tuple[Any, ...]) -> Any:
        from requests import HTTPError, RequestException
        from urllib3.exceptions import HTTPError as TransportError
        from web3.exceptions import Web3Exception
        from web3.types import RPCEndpoint

        # What these say holds the address, so nothing of them is passed on.
        try:
            return self._provider.make_request(RPCEndpoint(method), list(params))
        except HTTPError as error:
            status = error.response.status_code if error.response is not None else 0
            raise BackendUnavailableError(
                f"{self.host} answers {method} with HTTP {status}",
                code="backend.evm.http",
                hint="check the RPC address and its access key" if status in {401, 403} else None,
            ) from None
        except (RequestException, TransportError, OSError) as error:
            raise BackendUnavailableError(
                f"{self.host} does not answer {method}: {type(error).__name__}",
                code="backend.evm.unavailable",
            ) from None
        except FormatError as error:
            raise wrong_answer(error.message) from None
        except (ValueError, Web3Exception):
            raise wrong_answer(f"{method}: not JSON-RPC") from None


def parse_hex(value: Any, what: str, *, n_bytes: int | None = None) -> bytes:
    """Return the bytes of a ``0x`` string; BackendProtocolError otherwise."""
    if not isinstance(value, str) or not _HEX.fullmatch(value):
        raise wrong_answer(f"{what} is not hex")
    data = bytes.fromhex(value[2:])
    if n_bytes is not None and len(data) != n_bytes:
        raise wrong_answer(f"{what} has {len(data)} bytes, {n_bytes} wanted")
    return data


def parse_quantity(value: Any, what: str) -> int:
    """Return the integer of a ``0x`` quantity below 2**256; BackendProtocolError otherwise."""
    if not isinstance(value, str) or not _QUANTITY.fullmatch(value):
        raise wrong_answer(f"{what} is not a quantity")
    return int(value, 16)


def parse_object(value: Any, what: str) -> dict[str, Any]:
    """Return a JSON object; BackendProtocolError otherwise."""
    if not isinstance(value, dict):
        raise wrong_answer(f"{what} is not an object")
    return value


def parse_list(value: Any, what: str) -> list[Any]:
    """Return a JSON array; BackendProtocolError otherwise."""
    if not isinstance(value, list):
        raise wrong_answer(f"{what} is not a list")
    return value


def _strict_provider(url: str, timeout_s: float) -> HTTPProvider:
    """Return web3's provider with bounds around what comes in."""
    from web3 import HTTPProvider

    class StrictProvider(HTTPProvider):  # type: ignore[misc]
        def decode_rpc_response(self, raw_response: bytes) -> Any:
            # The recursive reader that it has can be made to exhaust the stack: py-evm, in the same
            # process, raises Python's limit.
            return parse_json(
                raw_response, max_bytes=limits.MAX_RPC_RESPONSE_BYTES, what="the node's answer"
            )

    provider = StrictProvider(
        url,
        request_kwargs={"timeout": (_CONNECT_TIMEOUT_S, timeout_s)},
        session=_bounded_session(timeout_s),
        exception_retry_configuration=None,
    )
    # It writes the whole address to its log.
    provider.logger = logging.getLogger("anchor.backends.evm.provider")
    provider.logger.setLevel(logging.CRITICAL)
    return provider


def _bounded_session(timeout_s: float) -> Session:
    """Return a session that reads no answer past the limit or the deadline."""
    from requests import Response, Session
    from requests.adapters import HTTPAdapter

    class BoundedAdapter(HTTPAdapter):
        def send(self, *args: Any, **kwargs: Any) -> Response:
            deadline = time.monotonic() + timeout_s
            response = super().send(*args, **{**kwargs, "stream": True})
            try:
                response._content = _read_body(response.raw, deadline)
            finally:
                response.raw.release_conn()
            return response

    session = Session()
    session.max_redirects = 0
    for scheme in ("http://", "https://"):
        session.mount(scheme, BoundedAdapter(max_retries=0))
    return session


def _read_body(stream: Any, deadline: float) -> bytes:
    """Return the body. One read is one arrival, so the deadline holds against a trickle too."""
    body = bytearray()
    while chunk := stream.read1(_CHUNK_BYTES, decode_content=True):
        body += chunk
        if len(body) > limits.MAX_RPC_RESPONSE_BYTES:
            stream.close()
            raise wrong_answer(f"longer than {limits.MAX_RPC_RESPONSE_BYTES} bytes")
        if time.monotonic() > deadline:
            stream.close()
            raise BackendUnavailableError("the node answers too slowly", code="backend.evm.slow")
    return bytes(body)
