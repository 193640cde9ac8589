"""Every error that Vestige raises on purpose, in one hierarchy.

The *type* says whose fault it is and what to do next; ``code`` names the exact cause for programs;
``hint`` tells a person what to try. Messages are lower case, name the value got and the value
wanted, and never hold a secret. Text that came from a peer goes through :func:`quote_peer` first.

The tables that turn a type into an exit status (``anchor/cli/_exit_status.py``) and into an HTTP
problem (``anchor_api/problems.py``) live with the shells; a test walks every subclass and wants a
row in both and a line in ``docs/errors.md``.
"""

from __future__ import annotations

from typing import ClassVar


class VestigeError(Exception):
    """The root of every error that Vestige raises on purpose."""

    default_code: ClassVar[str] = "vestige"

    def __init__(self, message: str, *, code: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.hint = hint


class FormatError(VestigeError):
    """The bytes are not what they claim to be."""

    default_code = "format"


class TruncatedError(FormatError):
    """The bytes end before the value does."""

    default_code = "format.truncated"


class TrailingDataError(FormatError):
    """There are bytes after the end of the value."""

    default_code = "format.trailing_data"


class LimitExceededError(FormatError):
    """A size, count or depth is over the limit that ``anchor/limits.py`` sets."""

    default_code = "format.limit_exceeded"


class NonCanonicalError(FormatError):
    """The value is written in another way than the one way that is allowed."""

    default_code = "format.non_canonical"


class UnsupportedVersionError(FormatError):
    """The version or algorithm is not one that this release reads."""

    default_code = "format.unsupported_version"


class VerificationError(VestigeError):
    """The bytes are well-formed and what they say is false."""

    default_code = "verify"


class InclusionError(VerificationError):
    """An inclusion proof does not lead where it says."""

    default_code = "verify.inclusion"


class ConsistencyError(VerificationError):
    """One tree is not a prefix of the other."""

    default_code = "verify.consistency"


class SignatureError(VerificationError):
    """A signature, or the key that is said to have made it, is not valid."""

    default_code = "verify.signature"


class DigestMismatchError(VerificationError):
    """The file or record at hand is not the one that the proof is about."""

    default_code = "verify.digest_mismatch"


class AttestationError(VerificationError):
    """A piece of outside evidence contradicts itself or the root hash it is for."""

    default_code = "verify.attestation"


class PolicyNotMetError(VerificationError):
    """The evidence is genuine, and the policy wants other or more of it."""

    default_code = "verify.policy_not_met"


class IncompleteProofError(VestigeError):
    """Nothing is false, but the proof is not finished: come back later."""

    default_code = "incomplete"


class BackendError(VestigeError):
    """An outside system failed; ``retryable`` says whether the same call may succeed later."""

    default_code = "backend"
    retryable: ClassVar[bool] = False


class BackendUnavailableError(BackendError):
    """The outside system did not answer, or said that it is busy."""

    default_code = "backend.unavailable"
    retryable = True


class BackendRejectedError(BackendError):
    """The outside system understood the request and refused it."""

    default_code = "backend.rejected"


class BackendProtocolError(BackendError):
    """The outside system's answer is not what its protocol allows."""

    default_code = "backend.protocol"


class ReorgError(BackendError):
    """A block that was relied on is no longer in the chain."""

    default_code = "backend.reorg"
    retryable = True


class StoreError(VestigeError):
    """Our own disk or database did not do what it was asked."""

    default_code = "store"


class StoreConflictError(StoreError):
    """Somebody else changed, or holds, what was to be changed."""

    default_code = "store.conflict"


class StoreUnavailableError(StoreError):
    """The store cannot take writes now: disk full, read-only, or busy. Reads may still work."""

    default_code = "store.unavailable"


class SchemaVersionError(StoreError):
    """The store was written by another version of the schema."""

    default_code = "store.schema_version"


class LogIntegrityError(VestigeError):
    """Our own log contradicts itself: stop signing, stop the process."""

    default_code = "log.integrity"


class ConfigError(VestigeError):
    """A setting is wrong; the message names the key and where it was set."""

    default_code = "config"


class UsageError(VestigeError):
    """The caller asked for something that cannot be asked for: a wrong argument or request."""

    default_code = "usage"


class NotFoundError(VestigeError):
    """There is no such thing here."""

    default_code = "not_found"


class OverloadedError(VestigeError):
    """A quota or budget is used up; the same request may succeed later."""

    default_code = "overloaded"


class QuotaExceededError(OverloadedError):
    """One client's share, not the service's, is used up; ``retry_after_s`` says for how long."""

    default_code = "overloaded.quota"
    retry_after_s: float | None = None


_PEER_TEXT_CHARACTERS = 160


def quote_peer(text: str) -> str:
    """Return text from a peer, cut to 160 characters, with anything unprintable replaced.

    A calendar's or node's answer is shown in terminals and logs; escape sequences, bidirectional
    controls and line breaks in it must not reach them.
    """
    cleaned = "".join(
        c if c.isascii() and c.isprintable() else "?" for c in text[:_PEER_TEXT_CHARACTERS]
    )
    return cleaned + ("…" if len(text) > _PEER_TEXT_CHARACTERS else "")
