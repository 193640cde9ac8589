/**
 * Time-stamp tokens (RFC 3161, RFC 5652, RFC 5035, RFC 5816): taken apart, and judged at their own time.
 *
 * The order of the checks is that of `docs/spec/verification.md`, step 5.1. Nothing here knows what
 * time it is.
 */
import { equal } from "../bytes/bytes.ts";
import { seconds, type Micros } from "../bytes/time.ts";
import { FalseError, FormatError, LimitExceededError } from "../errors.ts";
import { MAX_CERTIFICATES, MAX_TSP_BYTES } from "../limits.ts";
import { parseSigner, type Signer } from "./cms.ts";
import { parseDer, TAG, type Element, type Members } from "./der.ts";
import { digestName, namingDigest, parseAlgorithm, strongDigest, verifySignature } from "./signature.ts";
import { parseCertificate, USAGE, type Certificate } from "./x509.ts";
import { findPath, refuseStrangers, TIME_STAMPING } from "./x509_path.ts";

const SIGNED_DATA = "1.2.840.113549.1.7.2";
const TST_INFO = "1.2.840.113549.1.9.16.1.4";
const FIRST_YEAR = seconds(-2_208_988_800n); // 1900
const END_OF_YEARS = seconds(253_339_228_800n); // 9998

/** A token, taken apart and not believed. */
export interface Token {
  /** DER of the TSTInfo. */
  readonly content: Uint8Array;
  readonly imprintAlgorithm: string;
  readonly imprint: Uint8Array;
  readonly genTime: Micros;
  /** As stated, or null. */
  readonly accuracy: Micros | null;
  /** Sent along, unsigned: anybody may add some. */
  readonly certificates: readonly Uint8Array[];
  readonly crls: readonly Uint8Array[];
  readonly signer: Signer;
}

/** Take a TimeStampToken apart, to the last byte. */
export function parseToken(der: Uint8Array): Token {
  const info = parseDer(der, MAX_TSP_BYTES).sequence();
  expectOid(info, SIGNED_DATA);
  const data = info.take(0xa0).inner(0xa0).sequence();
  info.end();
  const version = data.take().integer();
  const digests = data.take().members(TAG.set).rest().map((digest) => digestName(parseAlgorithm(digest)));
  const content = contentOf(data.take());
  const [certificates, crls] = [data.takeIf(0xa0), data.takeIf(0xa1)];
  const signers = data.take().members(TAG.set);
  data.end();
  const signer = parseSigner(signers.take());
  signers.end();
  if (version < 3n || version > 5n || !digests.includes(signer.digestName))
    throw new FormatError("token: wrong version or digest algorithms", "tsp.signed_data");
  return { content, signer, certificates: plainSequences(certificates), crls: plainSequences(crls), ...tstInfo(content) };
}

function expectOid(members: Members, wanted: string): void {
  const oid = members.take().oid();
  if (oid !== wanted) throw new FormatError(`token: type ${oid}, ${wanted} wanted`, "tsp.type");
}

function contentOf(element: Element): Uint8Array {
  const members = element.sequence();
  expectOid(members, TST_INFO);
  const content = members.take(0xa0).inner(0xa0).octets();
  members.end();
  return content;
}

/** Return those members of a set that are plain SEQUENCEs: X.509 certificates, CRLs. */
function plainSequences(element: Element | null): Uint8Array[] {
  const found = element?.members(element.tag).rest() ?? [];
  if (found.length > MAX_CERTIFICATES) throw new LimitExceededError("too many certificates in a token");
  return found.filter(({ tag }) => tag === TAG.sequence).map(({ raw }) => raw);
}

function tstInfo(content: Uint8Array): Pick<Token, "imprint" | "imprintAlgorithm" | "genTime" | "accuracy"> {
  const members = parseDer(content, MAX_TSP_BYTES).sequence();
  const version = members.take().integer();
  members.take().oid();
  const stamped = members.take().sequence();
  const [imprintAlgorithm, imprint] = [digestName(parseAlgorithm(stamped.take())), stamped.take().octets()];
  stamped.end();
  members.take().integer();
  const genTime = members.take().generalizedTime();
  const stated = members.takeIf(TAG.sequence);
  const accuracy = stated ? accuracyOf(stated.sequence()) : null;
  members.takeIf(TAG.boolean)?.boolean();
  members.takeIf(TAG.integer)?.integer();
  members.takeIf(0xa0);
  const extensions = members.takeIf(0xa1);
  members.end();
  if (extensions) refuseCritical(extensions);
  if (version !== 1n || genTime < FIRST_YEAR || genTime >= END_OF_YEARS)
    throw new FormatError("time stamp: unknown version or a time out of range", "tsp.content");
  return { imprint, imprintAlgorithm, genTime, accuracy };
}

/** Read seconds, milliseconds and microseconds; at most 366 days. */
function accuracyOf(members: Members): Micros {
  const parts = [TAG.integer, 0x80, 0x81].map((tag) => members.takeIf(tag)?.as(TAG.integer).integer() ?? 0n);
  members.end();
  const [whole, millis, micros] = parts as [bigint, bigint, bigint];
  if (whole < 0n || whole >= 366n * 86_400n || millis < 0n || millis > 999n || micros < 0n || micros > 999n)
    throw new FormatError("accuracy: out of range", "tsp.content");
  return seconds(whole) + millis * 1000n + micros;
}

/** A critical extension would have to be understood, and none is. */
function refuseCritical(extensions: Element): void {
  for (const extension of extensions.members(0xa1).rest()) {
    const members = extension.sequence();
    const oid = members.take().oid();
    const critical = members.takeIf(TAG.boolean)?.boolean();
    members.take().octets();
    members.end();
    if (critical) throw new FormatError(`time stamp: critical extension ${oid}`, "tsp.content");
  }
}

/** Verify that an authority under one of the roots stamped a SHA-256 digest; return signer to root. */
export function verifyToken(
  token: Token, digest: Uint8Array, roots: readonly Uint8Array[], extra: readonly Uint8Array[],
): Certificate[] {
  if (token.imprintAlgorithm !== "sha256" || !equal(token.imprint, digest))
    throw new FalseError("the token stamps another digest", "tsp.imprint_mismatch");
  verifyAttributes(token);
  if (token.certificates.length + extra.length > MAX_CERTIFICATES)
    throw new LimitExceededError("too many certificates with one token");
  const [sent, added, trusted] = [token.certificates, extra, roots].map(parseOnce) as [
    Certificate[], Certificate[], Certificate[],
  ];
  const pool = [...sent, ...added, ...trusted];
  const signer = signerOf(token.signer, pool);
  const { algorithm, signedAttributes, signature } = token.signer;
  verifySignature(signer.key, algorithm, signedAttributes, signature, "token", token.signer.digestName);
  verifyPurpose(signer, token.genTime);
  const path = findPath(signer, pool, trusted, token.genTime);
  refuseStrangers(sent, path);
  return path;
}

function parseOnce(ders: readonly Uint8Array[]): Certificate[] {
  return [...new Map(ders.map((der) => parseCertificate(der)).map((one) => [one.fingerprint, one])).values()];
}

function verifyAttributes(token: Token): void {
  const { contentType, digestName: name, messageDigest } = token.signer;
  if (contentType !== TST_INFO) throw new FalseError("the signature is for other content", "tsp.content_type");
  const digest = strongDigestOfContent(name)(token.content);
  if (!equal(digest, messageDigest))
    throw new FalseError("the content is not what was signed (message digest)", "tsp.message_digest");
}

function strongDigestOfContent(name: string): ReturnType<typeof strongDigest> {
  try {
    return strongDigest(name, "the token's message digest");
  } catch {
    throw new FalseError(`the token's message digest uses ${name}`, "tsp.algorithm.weak");
  }
}

/** Return the certificate that the signature itself names by digest (RFC 5035 5.4). */
function signerOf(signer: Signer, pool: readonly Certificate[]): Certificate {
  if (signer.certificateDigests.length === 0)
    throw new FalseError("no signing-certificate attribute", "tsp.signing_certificate.missing");
  const named = pool.filter((certificate) => isNamed(certificate, signer));
  if (named.length === 0) throw new FalseError("the signer's certificate is not there", "tsp.signer.missing");
  const bound = named.find(({ der }) =>
    signer.certificateDigests.every(([name, digest]) => {
      const found = namingDigest(name)?.(der);
      return found !== undefined && equal(found, digest);
    }),
  );
  if (bound === undefined)
    throw new FalseError("the certificate is not the one that the signature names", "tsp.signing_certificate.mismatch");
  return bound;
}

function isNamed(certificate: Certificate, { keyId, serial, issuer }: Signer): boolean {
  if (keyId !== null) return certificate.keyId !== null && equal(certificate.keyId, keyId);
  return certificate.serial === serial && issuer !== null && equal(certificate.issuer.der, issuer);
}

/** Want a key for time stamping and nothing else (RFC 3161 2.3). */
function verifyPurpose(signer: Certificate, at: Micros): void {
  const { purposes, purposesCritical, keyUsage, keyNotBefore, keyNotAfter, subject } = signer;
  if (purposes?.size !== 1 || !purposes.has(TIME_STAMPING) || !purposesCritical)
    throw new FalseError(`${subject.shown}: its certificate is not for time stamping alone`, "tsp.eku");
  const allowed: number[] = [USAGE.digitalSignature, USAGE.contentCommitment];
  const usage = keyUsage === null ? null : [...keyUsage].filter((bit) => bit < 7);
  if (usage !== null && (usage.length === 0 || usage.some((bit) => !allowed.includes(bit))))
    throw new FalseError(`${subject.shown}: its key is not for signing`, "tsp.key_usage");
  if ((keyNotBefore !== null && at < keyNotBefore) || (keyNotAfter !== null && at > keyNotAfter))
    throw new FalseError(`${subject.shown}: its key was not in use then`, "tsp.key_usage_period");
}
