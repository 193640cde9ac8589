"""``vestige export``: make the exhibit that is handed to a court and to the other side."""

from __future__ import annotations

import argparse
import getpass
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from anchor.cli import _exit_status
from anchor.cli._arguments import add_policy, now
from anchor.cli._output import Output, padded, short, word
from anchor.cli._progress import Progress
from anchor.cli._vault import add_vault, counted, key_store
from anchor.errors import StoreConflictError, UsageError
from anchor.vault.vault import Vault
from anchor.verify import Status

if TYPE_CHECKING:
    from anchor.exhibit.choice import Choice
    from anchor.exhibit.export import Exported, RenderPdf
    from anchor.exhibit.staging import Party, Staged
    from anchor.vault.signer import Signer

_LANGUAGES: Final = ("en", "zh")
_SENTENCE_COLUMNS: Final = 72
_CERTIFICATE_PASSPHRASE: Final = "VESTIGE_PDF_PASSPHRASE_FILE"  # noqa: S105 - a name
_MAX_PASSPHRASE_BYTES: Final = 4096


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``export``."""
    add_vault(parser)
    parser.add_argument(
        "name", metavar="NAME", nargs="?", help="of the exhibit (default: the working folder's)"
    )
    _add_choice(parser)
    parser.add_argument("--title", metavar="TEXT", help="in your own words")
    parser.add_argument(
        "--lang",
        metavar="LANG,…",
        default="en",
        help="languages of the printed exhibit: en, zh or en,zh (default: en)",
    )
    parser.add_argument("--out", metavar="DIR", type=Path, default=Path(), help="where to write it")
    parser.add_argument("--no-pdf", action="store_true", help="without the printed exhibit")
    parser.add_argument(
        "--font", metavar="PATH", type=Path, action="append", default=[],
        help="a font file or folder for the printed exhibit (may be repeated)",
    )  # fmt: skip
    parser.add_argument(
        "--pdf-certificate",
        metavar="FILE",
        type=Path,
        help="sign a copy of the printed exhibit, beside the zip file, with this PKCS #12 file",
    )
    parser.add_argument(
        "--pdf-tsa", metavar="URL", help="a time-stamping authority for that signature"
    )
    parser.add_argument("--no-sign", action="store_true", help="do not sign the list of files")
    parser.add_argument("--force", action="store_true", help="replace an exhibit that is there")
    add_policy(parser)


def _add_choice(parser: argparse.ArgumentParser) -> None:
    """Add what chooses records, fields and files."""
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--records",
        metavar="SEQ",
        action="append",
        help="show these, such as 1-5,9, and key records (default: all)",
    )
    which.add_argument(
        "--withhold", metavar="SEQ", action="append", help="show all but these: they become stubs"
    )
    parser.add_argument(
        "--disclose",
        metavar="FIELD",
        action="append",
        default=[],
        help="disclose only these fields: FIELD of every record, or SEQ:FIELD (default: all)",
    )
    parser.add_argument(
        "--hide", metavar="FIELD", action="append", default=[], help="do not disclose these fields"
    )
    parser.add_argument(
        "--no-files",
        metavar="SEQ",
        action="append",
        default=[],
        help="leave the files of these records out, such as 3,7 or all",
    )
    parser.add_argument(
        "--reason",
        metavar="SEQ=TEXT",
        action="append",
        default=[],
        help="why a record is withheld, in your own words (may be repeated)",
    )
    parser.add_argument(
        "--allow-leaks",
        action="store_true",
        help="go on where something that is withheld is shown by another record or file",
    )


def run(args: argparse.Namespace, out: Output) -> int:
    """Make the exhibit; say what is shown and what is not."""
    from anchor.exhibit.layout import ZIP_SUFFIX
    from anchor.exhibit.names import exhibit_name
    from anchor.exhibit.staging import Party

    languages = _languages(args.lang)
    if args.no_pdf and args.pdf_certificate is not None:
        raise UsageError("--no-pdf and --pdf-certificate: there is nothing to sign")
    if args.pdf_tsa is not None and args.pdf_certificate is None:
        raise UsageError("--pdf-tsa is for a signature", hint="add --pdf-certificate FILE")
    # Loaded first: that the typesetter is not installed is told before any work is done.
    signed = not args.no_sign
    render = None if args.no_pdf else _renderer(languages, args.font, signed=signed)
    with Vault.open(args.vault) as vault:
        if vault.size == 0:
            raise UsageError("the vault has no records yet", hint="vestige init begins one")
        name = exhibit_name(args.name or vault.layout.work.name, given=args.name is not None)
        path = args.out / f"{name}{ZIP_SUFFIX}"
        if path.exists() and not args.force:
            raise StoreConflictError(
                f"{path} is there already",
                code="file.exists",
                hint="give another NAME, or --force to replace it",
            )
        signer = None if args.no_sign else _signer(vault)
        party = Party(name, args.title, languages, f"vestige {version('vestige')}")
        with _staged(args, vault, party, signer, out) as (payload, staged):
            made = _seal(payload, staged, args.out, signer=signer, render=render, out=out)
            printed = _sign_printed(args, payload, made.path)
    return _report(out, made, staged, signer, printed)


@contextmanager
def _staged(
    args: argparse.Namespace, vault: Vault, party: Party, signer: Signer | None, out: Output
) -> Iterator[tuple[Path, Staged]]:
    """Lay the payload out for the moment; yield its folder and what it holds."""
    from anchor.cli._leaks import without_leaks
    from anchor.exhibit.export import staging_folder
    from anchor.exhibit.staging import stage
    from anchor.proof.policy import parse_policy
    from anchor.verify.judge import Judge

    policy_bytes = _policy_bytes(args.policy)
    choice = _choice(args, vault)
    said = {"the name": party.name, "the title": party.title or "", **_reasons(choice)}
    choice = without_leaks(vault, choice, said, out, allow=args.allow_leaks)
    with staging_folder(args.out) as folder, Progress(out, "reading", vault.size) as progress:
        staged = stage(
            vault,
            choice,
            party,
            folder / "data",
            judge=Judge(parse_policy(policy_bytes), now=now()),
            policy_bytes=policy_bytes,
            signed_by=None if signer is None else signer.public_key,
            page=_verifier_page(),
            step=progress.step,
        )
        progress.clear()
        yield folder / "data", staged


def _seal(
    payload: Path,
    staged: Staged,
    folder: Path,
    *,
    signer: Signer | None,
    render: RenderPdf | None,
    out: Output,
) -> Exported:
    from anchor.exhibit.export import seal

    if staged.pending:
        out.warn(
            f"{counted(len(staged.pending), 'record')} without a finished proof",
            "vestige send fetches what was added since; export again then",
        )
    with Progress(out, "writing", None) as progress:
        return seal(
            payload,
            staged.listing,
            folder,
            signer=signer,
            render_pdf=render,
            reached=lambda _what, count, total: progress.reached(count, total),
        )


def _sign_printed(args: argparse.Namespace, payload: Path, zip_path: Path) -> Path | None:
    """Write a signed copy of the printed exhibit beside the zip file, if one is wanted."""
    if args.pdf_certificate is None:
        return None
    from anchor.exhibit.pdf.signing import sign_pdf

    target = zip_path.with_suffix(".pdf")
    sign_pdf(
        payload / "exhibit.pdf",
        target,
        args.pdf_certificate,
        passphrase=_certificate_passphrase(args.pdf_certificate),
        authority_url=args.pdf_tsa,
    )
    return target


def _certificate_passphrase(certificate: Path) -> bytes | None:
    named = os.environ.get(_CERTIFICATE_PASSPHRASE)
    if named:
        from anchor.client.local_file import load_bytes

        data = load_bytes(Path(named), max_bytes=_MAX_PASSPHRASE_BYTES, what="passphrase")
        return data.rstrip(b"\r\n")
    if not sys.stdin.isatty():
        return None
    said = getpass.getpass(f"passphrase of {certificate.name} (empty if it has none): ")
    return said.encode() or None


def _choice(args: argparse.Namespace, vault: Vault) -> Choice:
    from anchor.exhibit.choice import Choice, parse_numbers, parse_reasons, parse_rules
    from anchor.records.kinds import KEY_KINDS

    entries = vault.index.entries()
    everything = frozenset(range(vault.size))
    keys = {entry.seq for entry in entries if entry.kind in KEY_KINDS}
    records = None
    if args.records is not None:
        records = parse_numbers(args.records, vault.size) | keys
    elif args.withhold is not None:
        withheld = parse_numbers(args.withhold, vault.size)
        if withheld & keys:
            raise UsageError(
                f"record {min(withheld & keys)} says which key signs: it is always shown",
                hint="its fields can be hidden: --hide SEQ:*",
            )
        records = everything - withheld
    known: list[tuple[int, str]] = []
    if args.disclose or args.hide:
        for seq in sorted(everything if records is None else records):
            known += [(seq, field) for field in vault.read(seq).sd_jwt.disclosed_fields]
    return Choice(
        records,
        parse_rules(args.disclose, known),
        parse_rules(args.hide, known),
        parse_numbers(args.no_files, vault.size),
        parse_reasons(args.reason, everything - (everything if records is None else records)),
    )


def _reasons(choice: Choice) -> dict[str, str]:
    return {f"the reason for record {seq}": text for seq, text in choice.reasons.items()}


def _languages(text: str) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    if not set(found) <= set(_LANGUAGES):
        raise UsageError(f"--lang {text}: one or more of {', '.join(_LANGUAGES)} is wanted")
    return found


def _signer(vault: Vault) -> Signer:
    from anchor.vault.key_records import signing_key

    return signing_key(vault, key_store())


def _policy_bytes(path: Path | None) -> bytes:
    from anchor.client.local_file import load_bytes
    from anchor.limits import MAX_POLICY_BYTES

    named = path or os.environ.get("VESTIGE_POLICY")
    if named is None:
        return files("anchor").joinpath("policies", "default.json").read_bytes()
    return load_bytes(Path(named), max_bytes=MAX_POLICY_BYTES, what="policy")


def _renderer(languages: tuple[str, ...], fonts: list[Path], *, signed: bool) -> RenderPdf:
    from anchor.exhibit.pdf import FilePictures, render_pdf

    def render(payload: Path, target: Path, bundle: bytes) -> None:
        with FilePictures() as draws:
            render_pdf(
                payload,
                target,
                bundle=bundle,
                signed=signed,
                languages=languages,
                font_paths=fonts,
                draws=draws,
            )

    return render


def _verifier_page() -> bytes | None:
    """Return the second verifier, where this release brings it."""
    try:
        page = files("anchor_api").joinpath("static", "verify.html")
    except ModuleNotFoundError:  # the part with the service was left out
        return None
    return page.read_bytes() if page.is_file() else None


# -- words -----------------------------------------------------------------------------------------


def _report(
    out: Output, made: Exported, staged: Staged, signer: Signer | None, printed: Path | None
) -> int:
    listing, verdict = staged.listing, staged.verdict
    shown = sum(record.shown for record in listing.records)
    withheld = len(listing.records) - shown
    given = sum(file.path is not None for file in listing.files)
    status = _status(staged, signer)
    out.line(padded(str(made.path), _SENTENCE_COLUMNS), word(status))
    out.line(f"  records      {shown:,} shown, {withheld:,} withheld")
    out.line(f"  fields       {verdict.withheld_fields:,} withheld in the records shown")
    out.line(f"  files        {given:,} included, {len(listing.files) - given:,} left out")
    out.line(f"  size         {made.size:,} bytes, {made.files:,} files")
    out.line(f"  bundle       {made.bundle.hex()}")
    signed = "nobody: --no-sign" if signer is None else f"the key {short(signer.thumbprint)}"
    out.line(f"  signed by    {signed}")
    if printed is not None:
        out.line(f"  signed PDF   {printed}")
    out.line("  what it shows is for its reader to check: vestige verify", f" {made.path}")
    code = _exit_status.FAILED if status is Status.FAILED else _exit_status.OK
    out.object({**_to_json(made, staged, signer, printed), "exit_status": code})
    return code


def _status(staged: Staged, signer: Signer | None) -> Status:
    """Return what a reader will find: a list of files that nobody signed is not checked."""
    found = staged.verdict.status
    return Status.NOT_CHECKED if found is Status.VERIFIED and signer is None else found


def _to_json(
    made: Exported, staged: Staged, signer: Signer | None, printed: Path | None
) -> dict[str, Any]:
    listing = staged.listing
    return {
        "path": str(made.path),
        "bundle": made.bundle.hex(),
        "size": made.size,
        "files": made.files,
        "signed_by": None if signer is None else signer.public_key.hex(),
        "signed_pdf": None if printed is None else str(printed),
        "status": _status(staged, signer).value,
        "shown": [record.seq for record in listing.records if record.shown],
        "withheld": [record.seq for record in listing.records if not record.shown],
        "withheld_fields": staged.verdict.withheld_fields,
        "files_withheld": sum(file.path is None for file in listing.files),
        "open_proofs": list(staged.pending),
    }
