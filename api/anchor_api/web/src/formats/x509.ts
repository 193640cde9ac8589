/**
 * X.509 certificates (RFC 5280), read into the few facts that a time stamp's chain needs. Judged in
 * `x509_path.ts`.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { toHex } from "../bytes/bytes.ts";
import { parseUtf8 } from "../bytes/text.ts";
import type { Micros } from "../bytes/time.ts";
import { FormatError } from "../errors.ts";
import { MAX_CERTIFICATE_BYTES } from "../limits.ts";
import { latin1, parseDer, TAG, type Element, type Members } from "./der.ts";
import {
  CURVES, parseSignatureAlgorithm, sameAlgorithm, verifySignature, WEAK_CURVES, type Algorithm, type PublicKey,
} from "./signature.ts";

/** keyUsage bits that are asked for. */
export const USAGE = { digitalSignature: 0, contentCommitment: 1, keyCertSign: 5, crlSign: 6 } as const;

/** The shape that certificates, CRLs and OCSP answers share. */
export interface Signed {
  /** The signed bytes. */
  readonly message: Uint8Array;
  readonly algorithm: Algorithm;
  readonly signature: Uint8Array;
}

/** A distinguished name. */
export interface Name {
  readonly der: Uint8Array;
  /** Equal for equal names, whatever kinds of string they are written in. */
  readonly key: string;
  /** Common name, else organisation, else all of it; printable. */
  readonly shown: string;
}

/** One certificate. */
export interface Certificate {
  readonly der: Uint8Array;
  /** SHA-256 of `der`, hex: which certificate this is. */
  readonly fingerprint: string;
  readonly serial: bigint;
  readonly issuer: Name;
  readonly subject: Name;
  readonly notBefore: Micros;
  readonly notAfter: Micros;
  readonly key: PublicKey;
  /** SubjectPublicKeyInfo, hex. */
  readonly keyInfo: string;
  /** The subjectPublicKey bits. */
  readonly keyBits: Uint8Array;
  readonly signed: Signed;
  readonly isCa: boolean;
  readonly pathLength: number | null;
  readonly keyUsage: ReadonlySet<number> | null;
  readonly purposes: ReadonlySet<string> | null;
  readonly purposesCritical: boolean;
  readonly keyId: Uint8Array | null;
  readonly keyNotBefore: Micros | null;
  readonly keyNotAfter: Micros | null;
  /** OIDs of critical extensions that are not understood here. */
  readonly strangeCritical: readonly string[];
  /** URLs of distribution points. */
  readonly crlNames: readonly string[];
}

/** An extension; its value is read when it is asked for. */
export class Extension {
  readonly oid: string;
  readonly critical: boolean;
  private readonly octets: Uint8Array;

  constructor(element: Element) {
    const members = element.sequence();
    this.oid = members.take().oid();
    const stated = members.takeIf(TAG.boolean)?.boolean();
    this.octets = members.take().octets();
    members.end();
    if (stated === false) throw unreadable("a default that is written");
    this.critical = stated ?? false;
  }

  get value(): Element {
    return parseDer(this.octets, MAX_CERTIFICATE_BYTES);
  }
}

const OID = {
  keyId: "2.5.29.14",
  keyUsage: "2.5.29.15",
  keyPeriod: "2.5.29.16",
  alternativeName: "2.5.29.17",
  basicConstraints: "2.5.29.19",
  crlPoints: "2.5.29.31",
  policies: "2.5.29.32",
  purposes: "2.5.29.37",
} as const;
const UNDERSTOOD = new Set<string>([
  OID.keyUsage, OID.basicConstraints, OID.purposes, OID.policies, OID.alternativeName,
]);

/** Read the outer shape of a certificate or CRL. */
export function parseSigned(der: Uint8Array, maxBytes: number): Signed & { readonly body: Element } {
  const members = parseDer(der, maxBytes).sequence();
  const body = members.take();
  const algorithm = parseSignatureAlgorithm(members.take());
  const signature = members.take().bits();
  members.end();
  return { message: body.raw, algorithm, signature, body };
}

/** Verify what is signed under a key. */
export function verifySigned(signed: Signed, key: PublicKey, what: string): void {
  verifySignature(key, signed.algorithm, signed.message, signed.signature, what);
}

const remembered = new Map<string, Certificate>();

/** Read a certificate; the few that come again and again are remembered. */
export function parseCertificate(der: Uint8Array): Certificate {
  const fingerprint = toHex(sha256(der));
  let certificate = remembered.get(fingerprint);
  if (certificate === undefined) {
    certificate = readCertificate(der, fingerprint);
    if (remembered.size >= 512) remembered.clear();
    remembered.set(fingerprint, certificate);
  }
  return certificate;
}

function readCertificate(der: Uint8Array, fingerprint: string): Certificate {
  const { body, ...signed } = parseSigned(der, MAX_CERTIFICATE_BYTES);
  const members = body.sequence();
  const version = members.takeIf(0xa0)?.inner(0xa0).integer();
  const serial = members.take(TAG.integer).integer();
  const algorithm = parseSignatureAlgorithm(members.take());
  const issuer = parseName(members.take());
  const validity = members.take().sequence();
  const [notBefore, notAfter] = [validity.take().time(), validity.take().time()];
  validity.end();
  const subject = parseName(members.take());
  const info = members.take();
  members.takeIf(0x81);
  members.takeIf(0x82);
  const extensions = members.takeIf(0xa3);
  members.end();
  if (serial < 0n || !sameAlgorithm(algorithm, signed.algorithm) || (version !== undefined && version !== 2n))
    throw new FormatError("certificate: bad version, serial number or algorithm", "tsp.certificate");
  return {
    der, fingerprint, serial, issuer, subject, notBefore, notAfter, signed,
    ...keyOf(info),
    ...extensionFacts(extensions ? readExtensions(extensions.inner(0xa3)) : []),
  };
}

function keyOf(info: Element): Pick<Certificate, "key" | "keyInfo" | "keyBits"> {
  const members = info.sequence();
  const algorithm = members.take().sequence();
  const oid = algorithm.take().oid();
  const [parameter, ...more] = algorithm.rest();
  const keyBits = members.take().bits();
  members.end();
  if (more.length > 0) throw unreadable("a key's algorithm");
  return { key: publicKey(oid, parameter, keyBits), keyInfo: toHex(info.raw), keyBits };
}

function publicKey(oid: string, parameter: Element | undefined, bits: Uint8Array): PublicKey {
  if (oid === "1.2.840.113549.1.1.1" || oid === "1.2.840.113549.1.1.10") {
    const members = parseDer(bits, MAX_CERTIFICATE_BYTES).sequence();
    const key = { kind: "rsa" as const, n: members.take().natural(), e: members.take().natural() };
    members.end();
    return key;
  }
  if (oid === "1.2.840.10045.2.1" && parameter?.tag === TAG.oid) return ecKey(parameter.oid(), bits);
  if (oid === "1.3.101.112" && bits.length === 32) return { kind: "ed25519", bytes: bits };
  throw new FormatError("certificate: a key of another kind", "tsp.key.unknown");
}

function ecKey(curve: string, point: Uint8Array): PublicKey {
  if (WEAK_CURVES.has(curve)) return { kind: "ec", curve, point };
  const group = CURVES.get(curve);
  if (group === undefined) throw new FormatError("certificate: a key of another curve", "tsp.key.unknown");
  try {
    group.Point.fromBytes(point);
  } catch {
    throw new FormatError("certificate: a key that is no point of its curve", "tsp.certificate");
  }
  return { kind: "ec", curve, point };
}

const PRINTABLE = /^[A-Za-z0-9 '()+,\-./:=?]*$/;

/** Read a Name. */
export function parseName(element: Element): Name {
  const parts: { oid: string; text: string }[] = [];
  const sets = element.sequence().rest().map((rdn) => {
    const pairs = rdn.members(TAG.set).rest().map((attribute) => {
      const members = attribute.sequence();
      const pair = { oid: members.take().oid(), text: "" };
      pair.text = nameText(members.take(), pair.oid);
      members.end();
      parts.push(pair);
      return `${pair.oid}=${pair.text}`;
    });
    if (pairs.length === 0 || new Set(pairs).size !== pairs.length) throw unreadable("a name");
    return pairs.sort();
  });
  const named = parts.find(({ oid }) => oid === "2.5.4.3") ?? parts.find(({ oid }) => oid === "2.5.4.10");
  const shown = named?.text ?? parts.map(({ oid, text }) => `${oid}=${text}`).join(",");
  return { der: element.raw, key: JSON.stringify(sets), shown: shown.replace(/[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu, "?") };
}

/** Kinds of string (X.680): octet, UTF8, numeric, printable, T61, IA5, two of time, visible. */
const TEXT_TAGS = new Set<number>([0x04, 0x0c, 0x12, 0x13, 0x14, 0x16, 0x17, 0x18, 0x1a]);
/** x500UniqueIdentifier, the one attribute that is a BIT STRING. */
const UNIQUE_ID = "2.5.4.45";

function nameText({ tag, content }: Element, oid: string): string {
  if (tag === TAG.bmp) return wideText(content, 2);
  if (tag === TAG.universal) return wideText(content, 4);
  if (tag === TAG.bitString && oid === UNIQUE_ID) return `#${toHex(content)}`;
  if (!TEXT_TAGS.has(tag)) throw unreadable("a name");
  const text = parseUtf8(content, "name");
  if (tag === TAG.printable && !PRINTABLE.test(text)) throw unreadable("a name");
  return text;
}

/** Read UTF-16 or UTF-32, big end first. */
function wideText(content: Uint8Array, size: 2 | 4): string {
  if (content.length % size !== 0) throw unreadable("a name");
  const units: number[] = [];
  for (let at = 0; at < content.length; at += size)
    units.push(content.subarray(at, at + size).reduce((sum, byte) => sum * 256 + byte, 0));
  const text = size === 2 ? String.fromCharCode(...units) : units.map(fromPoint).join("");
  if (/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/.test(text)) throw unreadable("a name");
  return text;
}

function fromPoint(point: number): string {
  if (point > 0x10ffff || (point >= 0xd800 && point < 0xe000)) throw unreadable("a name");
  return String.fromCodePoint(point);
}

function unreadable(what: string): FormatError {
  return new FormatError(`certificate: ${what} that cannot be read`, "tsp.certificate");
}

/** Read a SEQUENCE of extensions; there is at least one, and none twice. */
export function readExtensions(element: Element): Extension[] {
  const list = element.sequence().rest().map((member) => new Extension(member));
  if (list.length === 0 || new Set(list.map(({ oid }) => oid)).size !== list.length)
    throw unreadable("a list of extensions");
  return list;
}

type Facts = Pick<
  Certificate,
  | "isCa" | "pathLength" | "keyUsage" | "purposes" | "purposesCritical" | "keyId"
  | "keyNotBefore" | "keyNotAfter" | "strangeCritical" | "crlNames"
>;

function extensionFacts(extensions: readonly Extension[]): Facts {
  const find = (oid: string): Extension | undefined => extensions.find((extension) => extension.oid === oid);
  const purposes = find(OID.purposes);
  return {
    ...constraints(find(OID.basicConstraints)?.value),
    ...period(find(OID.keyPeriod)?.value),
    keyUsage: find(OID.keyUsage)?.value.namedBits() ?? null,
    purposes: purposes ? purposesOf(purposes.value) : null,
    purposesCritical: purposes?.critical ?? false,
    keyId: find(OID.keyId)?.value.octets() ?? null,
    strangeCritical: extensions.filter(({ critical, oid }) => critical && !UNDERSTOOD.has(oid)).map(({ oid }) => oid),
    crlNames: find(OID.crlPoints)?.value.sequence().rest().flatMap(pointUrls) ?? [],
  };
}

function purposesOf(value: Element): Set<string> {
  const purposes = value.sequence().rest().map((purpose) => purpose.oid());
  if (purposes.length === 0) throw unreadable("an empty list of purposes");
  return new Set(purposes);
}

function constraints(value: Element | undefined): Pick<Facts, "isCa" | "pathLength"> {
  if (value === undefined) return { isCa: false, pathLength: null };
  const members = value.sequence();
  const stated = members.takeIf(TAG.boolean)?.boolean();
  if (stated === false) throw unreadable("a default that is written");
  const isCa = stated ?? false;
  const length = members.takeIf(TAG.integer)?.integer();
  members.end();
  if (length !== undefined && (length < 0n || length > 255n))
    throw new FormatError("certificate: a path length out of range", "tsp.certificate");
  return { isCa, pathLength: length === undefined ? null : Number(length) };
}

function period(value: Element | undefined): Pick<Facts, "keyNotBefore" | "keyNotAfter"> {
  const members: Members | undefined = value?.sequence();
  const [from, to] = [members?.takeIf(0x80), members?.takeIf(0x81)];
  members?.end();
  return {
    keyNotBefore: from?.as(TAG.generalizedTime).time() ?? null,
    keyNotAfter: to?.as(TAG.generalizedTime).time() ?? null,
  };
}

function pointUrls(point: Element): string[] {
  const name = point.sequence().takeIf(0xa0);
  return name ? urlsOf(name.inner(0xa0)) : [];
}

/** Return the URLs among the full names of a DistributionPointName; none where it is a relative one. */
export function urlsOf(name: Element): string[] {
  if (name.tag !== 0xa0) return [];
  return name.members(0xa0).rest().filter(({ tag }) => tag === 0x86).map(({ content }) => latin1(content));
}
