/**
 * OCSP answers (RFC 6960 4.2). One counts when the certificate's issuer signed it, or a responder whose
 * certificate the same issuer signed for that purpose. Nonces are not asked for: a saved answer is for
 * later readers.
 */
import { equal } from "../bytes/bytes.ts";
import type { Micros } from "../bytes/time.ts";
import { FalseError, FormatError } from "../errors.ts";
import { MAX_OCSP_RESPONDERS, MAX_REVOCATION_BYTES } from "../limits.ts";
import { reasonOf } from "./crl.ts";
import { parseDer, TAG, type Element, type Members } from "./der.ts";
import type { Word } from "./revocation.ts";
import { digestName, namingDigest, parseAlgorithm, parseSignatureAlgorithm, type DigestName } from "./signature.ts";
import { parseCertificate, parseName, readExtensions, verifySigned, type Certificate, type Signed } from "./x509.ts";

const OCSP_SIGNING = "1.3.6.1.5.5.7.3.9";
const BASIC = "1.3.6.1.5.5.7.48.1.1";
const INVALIDITY_DATE = "2.5.29.24";

interface Single extends Word {
  readonly serial: bigint;
  readonly digest: DigestName;
  readonly issuerName: Uint8Array;
  readonly issuerKey: Uint8Array;
}

/** One answer; refusals and other things are FormatErrors. */
export class OcspAnswer {
  private readonly signed: Signed;
  private readonly sent: readonly Uint8Array[];
  private readonly producedAt: Micros;
  private readonly singles: readonly Single[];

  constructor(der: Uint8Array) {
    const basic = basicResponse(der).sequence();
    const data = basic.take();
    const algorithm = parseSignatureAlgorithm(basic.take());
    this.signed = { message: data.raw, algorithm, signature: basic.take().bits() };
    const sent = basic.takeIf(0xa0)?.inner(0xa0).sequence().rest() ?? [];
    basic.end();
    this.sent = sent.map(({ raw }) => raw);
    const members = data.sequence();
    if (members.takeIf(0xa0)?.inner(0xa0).integer() === 0n)
      throw new FormatError("OCSP answer: a default that is written", "tsp.ocsp.format");
    responder(members);
    this.producedAt = members.take(TAG.generalizedTime).time();
    this.singles = members.take().sequence().rest().map(readSingle);
    members.takeIf(0xa1);
    members.end();
  }

  /** Return what is said about a certificate, once it is verified that its issuer says so. */
  wordsAbout(certificate: Certificate, issuer: Certificate): Word[] {
    const about = this.singles.filter((single) => isAbout(single, certificate, issuer));
    if (about.length > 0) this.verify(issuer);
    if (about.some(({ knownAt }) => knownAt < issuer.notBefore || knownAt > issuer.notAfter))
      throw new FalseError("OCSP answer: outside its issuer's time", "tsp.ocsp.time");
    return about;
  }

  private verify(issuer: Certificate): void {
    for (const responder of [issuer, ...this.responders(issuer)]) {
      try {
        verifySigned(this.signed, responder.key, "OCSP answer");
        return;
      } catch (error) {
        if (!(error instanceof FalseError) || error.code !== "tsp.signature") throw error;
      }
    }
    throw new FalseError("OCSP answer: not signed by the issuer or its responder", "tsp.ocsp.signature");
  }

  /** Return the certificates sent along that the issuer made for this purpose. */
  private responders(issuer: Certificate): Certificate[] {
    const named = this.sent.slice(0, MAX_OCSP_RESPONDERS).map(parseCertificate).filter(
      ({ issuer: maker, purposes, notBefore, notAfter }) =>
        maker.key === issuer.subject.key &&
        purposes?.has(OCSP_SIGNING) === true &&
        notBefore <= this.producedAt &&
        this.producedAt <= notAfter,
    );
    for (const one of named) verifySigned(one.signed, issuer.key, "OCSP responder's certificate");
    return named;
  }
}

function basicResponse(der: Uint8Array): Element {
  const outer = parseDer(der, MAX_REVOCATION_BYTES).sequence();
  const status = outer.take(TAG.enumerated).content;
  const typed = outer.take(0xa0).inner(0xa0).sequence();
  outer.end();
  const type = typed.take().oid();
  const body = typed.take().octets();
  typed.end();
  if (status.length !== 1 || status[0] !== 0) throw new FormatError("OCSP answer: it is a refusal", "tsp.ocsp.refusal");
  if (type !== BASIC) throw new FormatError("OCSP answer: of an unknown type", "tsp.ocsp.format");
  return parseDer(body, MAX_REVOCATION_BYTES);
}

function responder(members: Members): void {
  const name = members.takeIf(0xa1);
  if (name === null) members.take(0xa2).inner(0xa2).octets();
  else parseName(name.inner(0xa1));
}

function readSingle(element: Element): Single {
  const members = element.sequence();
  const id = members.take().sequence();
  const digest = digestName(parseAlgorithm(id.take()));
  if (/^\d/.test(digest)) throw new FormatError("OCSP answer: an unknown digest", "tsp.ocsp.format");
  const [issuerName, issuerKey, serial] = [id.take().octets(), id.take().octets(), id.take().integer()];
  id.end();
  const status = statusOf(members.take());
  const knownAt = members.take(TAG.generalizedTime).time();
  members.takeIf(0xa0)?.inner(0xa0).expect(TAG.generalizedTime).time();
  const extensions = members.takeIf(0xa1)?.inner(0xa1);
  members.end();
  const date = (extensions ? readExtensions(extensions) : []).find(({ oid }) => oid === INVALIDITY_DATE);
  const invalidityDate = date?.value.expect(TAG.generalizedTime).time() ?? null;
  return { digest, issuerName, issuerKey, serial, knownAt, invalidityDate, ...status };
}

function statusOf(element: Element): Pick<Word, "state" | "revokedAt" | "reason"> {
  if (element.tag === 0xa1) {
    const members = element.members(0xa1);
    const revokedAt = members.take(TAG.generalizedTime).time();
    const reason = members.takeIf(0xa0)?.inner(0xa0);
    members.end();
    return { state: "revoked", revokedAt, reason: reason ? reasonOf(reason) : null };
  }
  if ((element.tag !== 0x80 && element.tag !== 0x82) || element.content.length > 0)
    throw new FormatError("OCSP answer: an unknown status", "tsp.ocsp.format");
  return { state: element.tag === 0x80 ? "good" : "unknown", revokedAt: null, reason: null };
}

function isAbout(single: Single, certificate: Certificate, issuer: Certificate): boolean {
  const digest = namingDigest(single.digest);
  return (
    digest !== undefined &&
    single.serial === certificate.serial &&
    equal(single.issuerName, digest(issuer.subject.der)) &&
    equal(single.issuerKey, digest(issuer.keyBits))
  );
}
