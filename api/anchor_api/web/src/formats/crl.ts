/** Certificate revocation lists (RFC 5280 5). Delta, indirect and partial lists are passed over. */
import type { Micros } from "../bytes/time.ts";
import { FalseError, FormatError } from "../errors.ts";
import { MAX_REVOCATION_BYTES } from "../limits.ts";
import { TAG, type Element } from "./der.ts";
import type { Word } from "./revocation.ts";
import { parseSignatureAlgorithm, sameAlgorithm } from "./signature.ts";
import {
  Extension, parseName, parseSigned, readExtensions, urlsOf, USAGE, verifySigned,
  type Certificate, type Name, type Signed,
} from "./x509.ts";

const DISTRIBUTION_POINT = "2.5.29.28";
const REASON = "2.5.29.21";
const INVALIDITY_DATE = "2.5.29.24";

interface Entry {
  readonly serial: bigint;
  readonly revokedAt: Micros;
  /** As they stand: those of entries about others are not looked at. */
  readonly extensions: readonly Extension[];
}

/** One list. */
export class RevocationList {
  private readonly signed: Signed;
  private readonly issuer: Name;
  private readonly thisUpdate: Micros;
  private readonly entries: Entry[];
  private readonly critical: readonly Extension[];

  constructor(der: Uint8Array) {
    const { body, ...signed } = parseSigned(der, MAX_REVOCATION_BYTES);
    this.signed = signed;
    const members = body.sequence();
    const version = members.takeIf(TAG.integer)?.integer();
    const algorithm = parseSignatureAlgorithm(members.take());
    this.issuer = parseName(members.take());
    this.thisUpdate = members.take().time();
    (members.takeIf(TAG.utcTime) ?? members.takeIf(TAG.generalizedTime))?.time();
    this.entries = [...(members.takeIf(TAG.sequence)?.each() ?? [])].map(readEntry);
    const extensions = members.takeIf(0xa0);
    members.end();
    if ((version !== undefined && version !== 1n) || !sameAlgorithm(algorithm, signed.algorithm))
      throw new FormatError("CRL: bad version or algorithm", "tsp.crl.format");
    this.critical = (extensions ? readExtensions(extensions.inner(0xa0)) : []).filter(({ critical }) => critical);
  }

  /** Return what the list says about a certificate: one word, or none where it is not about it. */
  wordsAbout(certificate: Certificate, issuer: Certificate): Word[] {
    if (this.issuer.key !== issuer.subject.key || !this.covers(certificate)) return [];
    if (issuer.keyUsage !== null && !issuer.keyUsage.has(USAGE.crlSign))
      throw new FalseError("CRL: its issuer may not sign CRLs", "tsp.crl.key_usage");
    try {
      verifySigned(this.signed, issuer.key, "CRL");
    } catch (error) {
      if (error instanceof FalseError && error.code === "tsp.signature")
        throw new FalseError("CRL: not signed by the issuer", "tsp.crl.signature");
      throw error;
    }
    if (this.thisUpdate < issuer.notBefore || this.thisUpdate > issuer.notAfter)
      throw new FalseError("CRL: outside its issuer's time", "tsp.crl.time");
    const entry = this.entries.find(({ serial }) => serial === certificate.serial);
    return [entry === undefined ? this.good() : this.revoked(entry)];
  }

  private good(): Word {
    return { state: "good", knownAt: this.thisUpdate, revokedAt: null, reason: null, invalidityDate: null };
  }

  private revoked({ revokedAt, extensions }: Entry): Word {
    if (new Set(extensions.map(({ oid }) => oid)).size !== extensions.length)
      throw new FormatError("CRL: an extension twice", "tsp.crl.format");
    const value = (wanted: string): Element | undefined => extensions.find(({ oid }) => oid === wanted)?.value;
    const reason = value(REASON);
    return {
      state: "revoked",
      knownAt: this.thisUpdate,
      revokedAt,
      reason: reason ? reasonOf(reason) : null,
      invalidityDate: value(INVALIDITY_DATE)?.expect(TAG.generalizedTime).time() ?? null,
    };
  }

  /** Tell whether a certificate's absence from this list would mean that it is good. */
  private covers(certificate: Certificate): boolean {
    return this.critical.every(({ oid, value }) => oid === DISTRIBUTION_POINT && pointCovers(value, certificate));
  }
}

function readEntry(element: Element): Entry {
  const members = element.sequence();
  const [serial, revokedAt] = [members.take().integer(), members.take().time()];
  const extensions = members.takeIf(TAG.sequence);
  members.end();
  return { serial, revokedAt, extensions: [...(extensions?.each() ?? [])].map((one) => new Extension(one)) };
}

/** Read a revocation reason (RFC 5280 5.3.1). */
export function reasonOf(value: Element): number {
  const [number] = value.expect(TAG.enumerated).content;
  if (value.content.length !== 1 || number === undefined || number > 10 || number === 7)
    throw new FormatError("an unknown reason of revocation", "tsp.crl.format");
  return number;
}

function pointCovers(value: Element, certificate: Certificate): boolean {
  const members = value.sequence();
  const name = members.takeIf(0xa0)?.inner(0xa0);
  const [users, authorities, reasons, indirect, attributes] = [0x81, 0x82, 0x83, 0x84, 0x85].map((tag) => {
    const member = members.takeIf(tag);
    return member !== null && (tag === 0x83 || member.as(TAG.boolean).boolean());
  });
  members.end();
  if (reasons || indirect || attributes || (certificate.isCa ? users : authorities)) return false;
  if (name === undefined) return true;
  const urls = urlsOf(name);
  return name.tag === 0xa0 && certificate.crlNames.some((url) => urls.includes(url));
}
