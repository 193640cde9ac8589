"""The small part of ASGI that the raw routes use: types, headers, answers.

Source: ASGI 3.0, HTTP connection scope 2.3. Header names come in lower case.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass
from typing import Any, Final

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]
Header = tuple[bytes, bytes]

# No page of ours runs a script or is framed; style comes from our own origin.
CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
SECURITY_HEADERS: Final[tuple[Header, ...]] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


class DisconnectedError(Exception):
    """The client went away before its request was complete; there is nobody to answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole response.

    Attributes:
        status: HTTP status.
        body: everything.
        headers: names in lower case, without ``content-length``.
        close: close the connection afterwards, since part of the request was not read.
    """

    status: int
    body: bytes
    headers: tuple[Header, ...]
    close: bool = False


def header(headers: Iterable[Header], name: bytes) -> bytes | None:
    """Return the value of the first header of that lower-case name, or None."""
    for found, value in headers:
        if found == name:
            return value
    return None


async def send_answer(send: Send, answer: Answer) -> None:
    """Send a whole response, with its length and the headers that every response has."""
    headers = [
        *answer.headers,
        *SECURITY_HEADERS,
        (b"content-length", str(len(answer.body)).encode()),
    ]
    if answer.close:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
