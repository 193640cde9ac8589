/**
 * A certificate's path to a trusted root, held against one moment (RFC 5280, 6.1, as
 * `docs/spec/verification.md`, step 5.2, says).
 *
 * The certificates to build with come from strangers: the search follows names, then signatures,
 * counts every signature that it checks, and stops at a fixed length.
 */
import { utcText, type Micros } from "../bytes/time.ts";
import { FalseError } from "../errors.ts";
import { MAX_CHAIN_LENGTH, MAX_CHAIN_SIGNATURE_CHECKS } from "../limits.ts";
import { USAGE, verifySigned, type Certificate } from "./x509.ts";

/** The extended key usage for time stamping. */
export const TIME_STAMPING = "1.3.6.1.5.5.7.3.8";
const ANY_PURPOSE = "2.5.29.37.0";

/** What is known of who issued whom, each signature checked once. */
class Issuance {
  /** The last failure that is not merely another key of the same name. */
  failure: FalseError | null = null;
  private readonly checked = new Map<string, boolean>();

  issued(issuer: Certificate, subject: Certificate): boolean {
    if (issuer.subject.key !== subject.issuer.key) return false;
    const pair = `${issuer.fingerprint} ${subject.fingerprint}`;
    let result = this.checked.get(pair);
    if (result === undefined) {
      if (this.checked.size >= MAX_CHAIN_SIGNATURE_CHECKS)
        throw new FalseError("too many certificates to find the chain in", "tsp.chain.too_many");
      result = this.verifies(issuer, subject);
      this.checked.set(pair, result);
    }
    return result;
  }

  private verifies(issuer: Certificate, subject: Certificate): boolean {
    const failure = signatureFailure(issuer, subject);
    if (failure !== null && failure.code !== "tsp.signature") this.failure = failure;
    return failure === null;
  }
}

const remembered = new Map<string, FalseError | null>();

/** Return why an issuer's key did not sign a certificate, or null; the same few pairs come again and again. */
function signatureFailure(issuer: Certificate, subject: Certificate): FalseError | null {
  const pair = `${issuer.fingerprint} ${subject.fingerprint}`;
  let failure = remembered.get(pair);
  if (failure === undefined) {
    failure = checkSignature(issuer, subject);
    if (remembered.size >= 256) remembered.clear();
    remembered.set(pair, failure);
  }
  return failure;
}

function checkSignature(issuer: Certificate, subject: Certificate): FalseError | null {
  try {
    verifySigned(subject.signed, issuer.key, `certificate ${subject.subject.shown}`);
    return null;
  } catch (error) {
    if (error instanceof FalseError) return error;
    throw error;
  }
}

/** Which certificate is whose: name and key together. */
function holder(certificate: Certificate): string {
  return `${certificate.keyInfo} ${certificate.subject.key}`;
}

/**
 * Return the path from a certificate to one of the roots that holds at a moment, both included; of
 * several the one that stays valid longest. FalseError `tsp.chain.untrusted_root` where none leads to
 * a root, else the first rule that the paths fail.
 */
export function findPath(
  leaf: Certificate, pool: readonly Certificate[], roots: readonly Certificate[], at: Micros,
): Certificate[] {
  const trusted = new Set(roots.map((root) => root.fingerprint));
  const candidates = [...roots, ...pool.filter(({ fingerprint }) => !trusted.has(fingerprint))];
  const issuance = new Issuance();
  let failure: FalseError | null = null;
  let best: { path: Certificate[]; end: Micros } | null = null;
  for (const path of pathsFrom([leaf], candidates, trusted, issuance)) {
    failure ??= fault(path, at);
    const end = earliestEnd(path);
    if (fault(path, at) === null && (best === null || end > best.end)) best = { path, end };
  }
  if (best !== null) return best.path;
  throw (
    failure ??
    issuance.failure ??
    new FalseError(`${leaf.subject.shown}: no chain to a root that the policy trusts`, "tsp.chain.untrusted_root")
  );
}

/** Return the earliest end of the certificates of a path. */
export function earliestEnd(path: readonly Certificate[]): Micros {
  return path.reduce((least, { notAfter }) => (notAfter < least ? notAfter : least), path[0]!.notAfter);
}

function* pathsFrom(
  soFar: Certificate[], candidates: readonly Certificate[], trusted: ReadonlySet<string>, issuance: Issuance,
): Generator<Certificate[]> {
  const last = soFar.at(-1)!;
  if (trusted.has(last.fingerprint)) {
    yield soFar;
    return;
  }
  if (soFar.length >= MAX_CHAIN_LENGTH) return;
  const holders = new Set(soFar.map(holder));
  for (const issuer of candidates)
    if (!holders.has(holder(issuer)) && issuance.issued(issuer, last))
      yield* pathsFrom([...soFar, issuer], candidates, trusted, issuance);
}

/**
 * Refuse certificates sent with a token that have nothing to do with its signer.
 *
 * They are not signed, so that whoever passes a token on can add some. At home are the path, other
 * certificates of the authorities on it (same name and key), what issued any of these, and what
 * these issued.
 */
export function refuseStrangers(sent: readonly Certificate[], path: readonly Certificate[]): void {
  const issuance = new Issuance();
  const home = [...path];
  const known = new Set(path.map(({ fingerprint }) => fingerprint));
  let strangers = sent.filter(({ fingerprint }) => !known.has(fingerprint));
  for (;;) {
    const found = strangers.filter((stranger) => home.some((member) => related(stranger, member, issuance)));
    if (found.length === 0) break;
    home.push(...found);
    strangers = strangers.filter((stranger) => !found.includes(stranger));
  }
  const [first] = strangers;
  if (first !== undefined)
    throw new FalseError(
      `the token carries the certificate of ${first.subject.shown}, which has no part in it`,
      "tsp.certificates.injected",
    );
}

function related(stranger: Certificate, member: Certificate, issuance: Issuance): boolean {
  return (
    (member.isCa && holder(stranger) === holder(member)) ||
    (member.isCa && issuance.issued(member, stranger)) ||
    (stranger.isCa && issuance.issued(stranger, member))
  );
}

/** Return what is wrong with a path at a moment, or null. */
function fault(path: readonly Certificate[], at: Micros): FalseError | null {
  for (const certificate of path) {
    const wrong = faultOfTime(certificate, at) ?? faultOfExtensions(certificate);
    if (wrong !== null) return wrong;
  }
  let below = 0;
  for (const [i, certificate] of path.slice(1).entries()) {
    const wrong = faultOfIssuer(certificate, below, i === path.length - 2);
    if (wrong !== null) return wrong;
    if (certificate.subject.key !== certificate.issuer.key) below += 1;
  }
  return null;
}

function faultOfTime({ subject, notAfter, notBefore }: Certificate, at: Micros): FalseError | null {
  if (at > notAfter)
    return new FalseError(`${subject.shown}: ended at ${utcText(notAfter)}, before ${utcText(at)}`, "tsp.chain.expired");
  if (at < notBefore)
    return new FalseError(`${subject.shown}: begins at ${utcText(notBefore)}, after ${utcText(at)}`, "tsp.chain.not_yet_valid");
  return null;
}

function faultOfExtensions({ subject, strangeCritical }: Certificate): FalseError | null {
  const [oid] = strangeCritical;
  return oid === undefined ? null : new FalseError(`${subject.shown}: critical extension ${oid}`, "tsp.chain.critical_extension");
}

function faultOfIssuer(certificate: Certificate, below: number, isRoot: boolean): FalseError | null {
  const { isCa, keyUsage, pathLength, purposes, subject } = certificate;
  if (!isCa || (keyUsage !== null && !keyUsage.has(USAGE.keyCertSign)))
    return new FalseError(`${subject.shown}: not an authority`, "tsp.chain.not_a_ca");
  if (pathLength !== null && below > pathLength)
    return new FalseError(`${subject.shown}: ${below} authorities below, at most ${pathLength}`, "tsp.chain.path_length");
  if (purposes !== null && !isRoot && !purposes.has(TIME_STAMPING) && !purposes.has(ANY_PURPOSE))
    return new FalseError(`${subject.shown}: not for time stamping`, "tsp.eku");
  return null;
}
