"""The first pages: the state of the service, how to verify, one digest. No scripts."""

from __future__ import annotations

from datetime import UTC
from importlib.resources import files
from typing import Any, Final

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from anchor.config.service import Service
from anchor.errors import FormatError, NotFoundError
from anchor.verify import AttestationVerdict, Status, Verdict
from anchor_api.asgi import CONTENT_SECURITY_POLICY
from anchor_api.page import Html, digest, facts, joined, page, tag, word
from anchor_api.routes.digests import PRIVATE_HEADERS, parse_digest
from anchor_api.verification import Verification

_HTML: Final = "text/html; charset=utf-8"
_FAMILIES: Final = {"rfc3161": "RFC 3161", "evm": "EVM chain", "bitcoin": "Bitcoin"}


def page_router(service: Service, verification: Verification) -> APIRouter:
    """Return the routes of the pages."""
    router = APIRouter(include_in_schema=False)
    style = files("anchor_api").joinpath("static", "page.css").read_bytes()

    @router.get("/page.css")
    async def style_sheet() -> Response:
        """Return the one style sheet."""
        """Serve the one style sheet."""
        return Response(
            style,
            headers={"Content-Type": "text/css; charset=utf-8", "Cache-Control": "max-age=3600"},
        )

    @router.get("/")
    def home() -> Response:
        """Return the page of the service's state."""
        return _html(page("Vestige", *_home(service.status())))

    @router.get("/verify")
    async def verify() -> Response:
        """Return the page that says how to verify."""
        """Say how to verify."""
        return _html(page("Verify — Vestige", *_VERIFY))

    @router.get("/d/{digest_hex}")
    async def one_digest(digest_hex: str) -> Response:
        """Return the page of one digest."""
        """Show one digest's ladder."""
        try:
            entry = parse_digest(digest_hex)
            standing = await run_in_threadpool(service.standing, entry)
        except FormatError:
            return _html(_missing("This is no digest", digest_hex[:100]), status=400)
        except NotFoundError:
            return _html(_missing("This log does not have this digest", digest_hex), status=404)
        verdict = await verification.judge_proof(lambda: service.proof(entry))
        title = f"Digest {digest_hex[:8]}…"
        return _html(page(title, *_digest_page(standing, verdict), noindex=True), private=True)

    return router


def _html(data: bytes, *, status: int = 200, private: bool = False) -> Response:
    headers = {"Content-Type": _HTML, "Content-Security-Policy": CONTENT_SECURITY_POLICY}
    headers |= PRIVATE_HEADERS if private or status != 200 else {"Cache-Control": "no-cache"}
    return Response(data, status, headers=headers)


def _missing(sentence: str, text: str) -> bytes:
    return page(sentence, tag("h1", sentence), tag("p", digest(text)), noindex=True)


# -- the state -------------------------------------------------------------------------------------


def _home(status: dict[str, Any]) -> list[Html]:
    log, anchoring = status["log"], status["anchoring"]
    backends = anchoring["backends"]
    parts = [
        tag("h1", "A log of digests that outside parties stamp"),
        tag(
            "p",
            "Whoever has a proof from here can check it without this service. ",
            tag("a", "How to verify", href="/verify"),
            ".",
        ),
        facts(
            ("digests", f"{log['tree_size']:,}"),
            ("root hash", digest(log["root_hash"] or "none yet")),
            ("origin", log["origin"]),
            ("log key", digest(log["key"])),
            ("takes digests", "yes" if log["read_only"] is None else f"no: {log['read_only']}"),
        ),
        tag("h2", "Outside parties"),
    ]
    if not backends:
        parts.append(tag("p", "None is set up: proofs show a place in this log and no time."))
    else:
        parts.append(tag("ol", *(_backend(item) for item in backends), class_="ladder"))
    if anchoring["alarms"]:
        parts.append(tag("h2", "What is wrong now"))
        parts.append(tag("ul", *(tag("li", _alarm(alarm)) for alarm in anchoring["alarms"])))
    return parts


def _backend(item: dict[str, Any]) -> Html:
    final = item["last_final"]
    said = "nothing final yet"
    if final is not None:
        said = f"final up to {final['tree_size']:,} digests"
    note = item["last_error"] or item["health"]["note"]
    return tag(
        "li",
        tag("span", tag("strong", item["name"]), f" · {item['state']} · {said}", class_="what"),
        tag("span", note, class_="note"),
    )


def _alarm(alarm: dict[str, Any]) -> str:
    who = f"{alarm['backend']}: " if alarm["backend"] else ""
    return f"{alarm['name'].replace('_', ' ')} — {who}{alarm['note']}"


# -- one digest ------------------------------------------------------------------------------------


def _digest_page(standing: dict[str, Any], verdict: Verdict) -> list[Html]:
    hex_ = standing["digest"]
    proof = f"/v1/digests/{hex_}/proof"
    return [
        tag("h1", _sentence(verdict), " ", word(verdict.status.value)),
        tag("p", digest(hex_)),
        tag(
            "p",
            "This is about the digest alone. Which file it belongs to only the file itself shows, "
            "with its proof.",
            class_="note",
        ),
        tag("ol", *(_row(row) for row in verdict.rows), class_="ladder"),
        facts(
            ("leaf index", f"{standing['leaf_index']:,}"),
            ("accepted", _shown(standing["accepted_at"]) + " by this service's own clock"),
            ("policy", f"{verdict.policy_name}, class {verdict.policy_class}"),
            ("policy SHA-256", digest(verdict.policy_sha256.hex())),
            ("proof", tag("a", f"{hex_[:16]}.proof", href=proof)),
        ),
    ]


def _sentence(verdict: Verdict) -> str:
    if verdict.status is Status.FAILED:
        return f"Something is false: {verdict.reason}"
    if verdict.headline is None:
        return "Nothing shows yet when this digest existed"
    before = verdict.headline.existed_before.astimezone(UTC)
    return f"This digest existed before {before:%Y-%m-%d %H:%M:%S} UTC"


def _row(row: AttestationVerdict) -> Html:
    judgement = row.judgement
    bound = "–"
    if judgement.attested_time is not None:
        bound = f"before {judgement.attested_time.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    name = _FAMILIES.get(row.family, row.family)
    return tag(
        "li",
        tag(
            "span",
            tag("strong", name),
            f" · {judgement.by} · {bound} " if judgement.by else f" · {bound} ",
            word(row.status.value),
            class_="what",
        ),
        tag("span", judgement.trust or judgement.reason, class_="note"),
    )


def _shown(time: str | None) -> str:
    return "at a time not recorded yet" if time is None else time.replace("T", " ").rstrip("Z")


# -- how to verify ---------------------------------------------------------------------------------

_VERIFY: Final = (
    tag("h1", "Verify without this service"),
    tag(
        "p",
        "A proof is a file. What it shows is worked out on your own machine, with the network off, "
        "from the proof and from what you trust. Nothing needs to be uploaded.",
    ),
    tag("h2", "With the command"),
    tag(
        "pre",
        "pip install vestige\n"
        "vestige verify cat-07.png              # beside cat-07.png.proof\n"
        "vestige verify cat-07.png --before 2026-12-01T00:00:00Z\n"
        "vestige inspect cat-07.png.proof       # every step, to be redone by hand",
    ),
    tag("h2", "By hand"),
    tag(
        "p",
        "The digest of a file is its SHA-256, or, where the proof names an opening, the SHA-256 of "
        "that and the opening. ",
        tag("code", "vestige inspect"),
        " prints each further hash with the command of a stock tool that makes it again.",
    ),
    tag(
        "pre",
        "sha256sum cat-07.png\n"
        "openssl ts -verify -digest ROOT-HASH -in token.tsr -CAfile root.pem\n"
        "ots verify cat-07.png.ots",
    ),
    tag("h2", "Through this service"),
    tag(
        "p",
        "Whoever trusts this service's software and policy may send a proof (never the file) to ",
        tag("code", "POST /v1/verify"),
        "; the answer is the same verdict:",
    ),
    tag(
        "pre",
        "curl --data-binary @cat-07.png.proof -H 'Content-Type: application/octet-stream' \\\n"
        '  "$SERVICE/v1/verify?file_digest=$(sha256sum < cat-07.png | cut -c1-64)"',
    ),
    joined(
        tag("h2", "The four words"),
        tag(
            "ul",
            tag("li", word("verified"), " the evidence holds under the policy that is named"),
            tag("li", word("failed"), " something in it is false"),
            tag("li", word("pending"), " nothing is false, and it is not finished"),
            tag("li", word("not_checked"), " it is there, and what it needs to be judged is not"),
        ),
    ),
)
