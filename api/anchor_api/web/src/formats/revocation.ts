/**
 * What OCSP answers and CRLs tell about the certificates of a chain (`docs/spec/verification.md`, 5.2).
 *
 * Pieces about other certificates are passed over; pieces that are about this chain and not genuinely
 * signed are false, since somebody made them. Nothing here knows what time it is.
 */
import type { Micros } from "../bytes/time.ts";
import { LimitExceededError } from "../errors.ts";
import { MAX_CERTIFICATES } from "../limits.ts";
import { RevocationList } from "./crl.ts";
import { OcspAnswer } from "./ocsp.ts";
import type { Certificate } from "./x509.ts";

/** What one piece says about one certificate. */
export interface Word {
  readonly state: "good" | "revoked" | "unknown";
  /** The state was so at this time. */
  readonly knownAt: Micros;
  /** For `revoked` alone; the number of the reason (RFC 5280 5.3.1), null where none is stated. */
  readonly revokedAt: Micros | null;
  readonly reason: number | null;
  /** invalidityDate, where one is stated. */
  readonly invalidityDate: Micros | null;
}

/** What all pieces together say about one certificate. */
export interface RevocationStatus {
  readonly name: string;
  /** When it was last known to be good, where nothing says that it is revoked. */
  readonly goodAt: Micros | null;
  readonly revocation: Revocation | null;
}

/** A revocation: the gravest reason and the earliest dates of all that tell of it. */
export interface Revocation {
  readonly revokedAt: Micros;
  /** The earliest of the revocation and invalidity dates. */
  readonly invalidFrom: Micros;
  /** Whether tokens from before it count no more. */
  readonly voidsEarlierTokens: boolean;
}

/** unspecified, affiliationChanged, superseded, cessationOfOperation (RFC 3161, 4). */
const SPARING = new Set<number | null>([0, 3, 4, 5]);

/** Return the status of each certificate of a verified chain but the root, in its order. */
export function revocationOf(
  chain: readonly Certificate[], ocsp: readonly Uint8Array[], crls: readonly Uint8Array[],
): RevocationStatus[] {
  if (ocsp.length + crls.length > MAX_CERTIFICATES) throw new LimitExceededError("too many pieces of revocation data");
  const answers = ocsp.map((der) => new OcspAnswer(der));
  const lists = crls.map((der) => new RevocationList(der));
  return chain.slice(0, -1).map((certificate, i) => {
    const issuer = chain[i + 1]!;
    const words = [
      ...answers.flatMap((answer) => answer.wordsAbout(certificate, issuer)),
      ...lists.flatMap((list) => list.wordsAbout(certificate, issuer)),
    ];
    return { name: certificate.subject.shown, goodAt: goodAt(words), revocation: sum(words) };
  });
}

function sum(words: readonly Word[]): Revocation | null {
  const revoked = words.filter(({ revokedAt }) => revokedAt !== null);
  if (revoked.length === 0) return null;
  const dates = revoked.map(({ revokedAt }) => revokedAt!);
  const invalid = revoked.flatMap(({ invalidityDate }) => (invalidityDate === null ? [] : [invalidityDate]));
  return {
    revokedAt: earliest(dates),
    invalidFrom: earliest([...dates, ...invalid]),
    voidsEarlierTokens: revoked.some(({ reason }) => !SPARING.has(reason)),
  };
}

function goodAt(words: readonly Word[]): Micros | null {
  const good = words.filter(({ state }) => state === "good").map(({ knownAt }) => knownAt);
  return good.length === 0 ? null : good.reduce((latest, time) => (time > latest ? time : latest));
}

function earliest(times: readonly Micros[]): Micros {
  return times.reduce((least, time) => (time < least ? time : least));
}
