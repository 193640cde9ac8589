"""Signs the printed exhibit with the user's certificate: PAdES, with a time stamp if asked.

The signed copy lies beside the zip, since the zip's own copy is the same for everybody who makes it
from the same vault. The signature is of whoever holds the certificate; what it is worth is for who
knows that certificate's issuer, and nothing in a verdict rests on it.

Specification: ETSI EN 319 142-1 (PAdES baseline B-B, and B-T with a time stamp).
"""

from __future__ import annotations

import os
from pathlib import Path

from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.sign import fields, signers, timestamps

from anchor.errors import BackendError, ConfigError, UsageError

_FIELD = "Signature"


def sign_pdf(
    pdf: Path,
    out: Path,
    certificate: Path,
    *,
    passphrase: bytes | None,
    authority_url: str | None = None,
    reason: str | None = None,
) -> None:
    """Write a signed copy of a PDF.

    Args:
        pdf: the unsigned document; it is not touched.
        out: the signed copy; what is there is replaced at once or not at all.
        certificate: key, certificate and chain, PKCS #12.
        passphrase: of that file, if it has one.
        authority_url: an RFC 3161 authority that the user names; asked once, for the signature.
        reason: in the signer's words.

    Raises:
        ConfigError: the certificate can not be read, or the passphrase is another.
        UsageError: the document is signed already or is no PDF.
        BackendError: the authority did not answer as it must.
    """
    signer = signers.SimpleSigner.load_pkcs12(str(certificate), passphrase=passphrase)
    if signer is None or signer.signing_cert is None:
        raise ConfigError(
            f"{certificate.name} can not be read as PKCS #12",
            code="exhibit.certificate",
            hint="is it a .p12 or .pfx file, and is the passphrase right?",
        )
    stamper = timestamps.HTTPTimeStamper(authority_url) if authority_url else None
    about = signers.PdfSignatureMetadata(
        field_name=_FIELD,
        md_algorithm="sha256",
        subfilter=fields.SigSeedSubFilter.PADES,
        reason=reason,
    )
    scratch = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        with pdf.open("rb") as file, scratch.open("wb") as target:
            writer = IncrementalPdfFileWriter(file, strict=False)
            signers.sign_pdf(writer, about, signer=signer, timestamper=stamper, output=target)
        scratch.replace(out)
    except timestamps.TimestampRequestError as error:
        raise BackendError(
            f"the time-stamping authority did not stamp the signature: {error}",
            code="exhibit.signature_time",
            hint="leave it out, or name another",
        ) from error
    except (PdfError, ValueError) as error:
        raise UsageError(f"{pdf.name} can not be signed: {error}", code="exhibit.pdf") from error
    finally:
        scratch.unlink(missing_ok=True)
