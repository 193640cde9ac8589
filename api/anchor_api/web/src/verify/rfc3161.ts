/** Step 5: time-stamp tokens of RFC 3161 authorities. */
import { sha256 } from "@noble/hashes/sha2.js";
import { compare, equal, toHex } from "../bytes/bytes.ts";
import { toUtf8 } from "../bytes/text.ts";
import { ceilSecond, dayText, seconds, SECOND, utcText, type Micros } from "../bytes/time.ts";
import { FalseError } from "../errors.ts";
import { inclusionSteps, leafHash, rootFromPath } from "../formats/merkle.ts";
import { noteText, type SignedNote } from "../formats/note.ts";
import { revocationOf, type RevocationStatus } from "../formats/revocation.ts";
import { parseToken, verifyToken, type Token } from "../formats/tsp.ts";
import type { Certificate } from "../formats/x509.ts";
import { earliestEnd } from "../formats/x509_path.ts";
import type { Authority, Policy } from "../proof/policy.ts";
import type { Attestation, Rfc3161Attestation } from "../proof/proof.ts";
import { guarded, judged, rootHashOf, type JudgedRow, type Judgement } from "./judgement.ts";
import type { ReachedRoot } from "./log.ts";
import type { Step } from "./verdict.ts";

/** A token that its authority made; whether it still counts is not settled (5.4). */
export interface TokenFinding {
  /** What it is if it counts. */
  readonly ifItCounts: Judgement;
  /** Earliest end in the chain. */
  readonly chainEnd: Micros;
  /** From when on a key of the chain is not believed, or null. */
  readonly compromisedAt: Micros | null;
}

/** Judge one token by itself (5.1 to 5.3). */
export function judgeToken(
  attestation: Rfc3161Attestation, reached: readonly ReachedRoot[], policy: Policy,
): Judgement | TokenFinding {
  const token = parseToken(attestation.token);
  const digest = attestation.covers === "root" ? attestation.rootHash : coveredDigest(token, attestation, reached);
  if (digest === null)
    return judged("not_checked", "tsp.checkpoint_missing", "the checkpoint that the token is over is not in the proof");
  const { authority, chain } = verifyUnderPolicy(token, digest, attestation, policy);
  const name = chain[0]!.subject.shown;
  if (authority === null)
    return judged("not_checked", "tsp.root_unknown", `the policy does not trust the root certificate of ${name}`, {
      potential: token.genTime, by: name,
    });
  return findingOf(attestation, token, digest, authority, chain);
}

/**
 * Return the SHA-256 of the checkpoint with the one signature line that the token is over; null where
 * no checkpoint of that root hash is there.
 */
function coveredDigest(token: Token, attestation: Rfc3161Attestation, reached: readonly ReachedRoot[]): Uint8Array | null {
  const notes = reached.flatMap(({ rootHash, note }): SignedNote[] =>
    note !== null && equal(rootHash, attestation.rootHash) ? [note] : [],
  );
  const digests = notes.flatMap(({ text, signatures }) => signatures.map((line) => sha256(toUtf8(noteText(text, [line])))));
  return digests.find((digest) => equal(digest, token.imprint)) ?? digests[0] ?? null;
}

/** Verify under the policy's roots; where none is the chain's, see whether the token contradicts itself. */
function verifyUnderPolicy(
  token: Token, digest: Uint8Array, { certificates }: Rfc3161Attestation, policy: Policy,
): { authority: Authority | null; chain: Certificate[] } {
  const roots = policy.authorities.flatMap((authority) => authority.roots.map((root) => ({ root, authority })));
  try {
    const chain = verifyToken(token, digest, roots.map(({ root }) => root), certificates);
    const { authority } = roots.find(({ root }) => equal(root, chain.at(-1)!.der))!;
    return { authority, chain };
  } catch (error) {
    if (!(error instanceof FalseError) || error.code !== "tsp.chain.untrusted_root") throw error;
  }
  const own = [...certificates, ...token.certificates];
  return { authority: null, chain: verifyToken(token, digest, own, certificates) };
}

function findingOf(
  attestation: Rfc3161Attestation, token: Token, digest: Uint8Array, authority: Authority, chain: readonly Certificate[],
): TokenFinding {
  const statuses = revocationOf(chain, attestation.ocsp, [...attestation.crls, ...token.crls]);
  const accuracy = token.accuracy ?? seconds(authority.accuracyS);
  const name = chain[0]!.subject.shown;
  const good = statuses[0] !== undefined && statuses[0].revocation === null ? statuses[0].goodAt : null;
  const known = good === null ? "" : `; not revoked as of ${dayText(good)}`;
  const ifItCounts = judged("verified", "tsp.verified", `stamped by ${name}${known}`, {
    time: ceilSecond(token.genTime + accuracy),
    toleranceS: Number(ceilSecond(accuracy) / SECOND),
    trust: `believe ${authority.name} (root ${chain.at(-1)!.fingerprint.slice(0, 8)}…)`,
    headline: authority.headline,
    by: authority.name,
    steps: [stepOf(attestation, token, digest, chain)],
  });
  return { ifItCounts, chainEnd: earliestEnd(chain), compromisedAt: compromisedAt(statuses, token.genTime) };
}

/** Return from when on the chain's keys are not believed; FalseError for a token dated after a revocation. */
function compromisedAt(statuses: readonly RevocationStatus[], genTime: Micros): Micros | null {
  const times: Micros[] = [];
  for (const { name, revocation } of statuses) {
    if (revocation === null) continue;
    const { revokedAt, invalidFrom, voidsEarlierTokens } = revocation;
    if (genTime >= revokedAt)
      throw new FalseError(`the token is dated ${utcText(genTime)}, ${name} was revoked at ${utcText(revokedAt)}`, "tsp.revoked");
    if (voidsEarlierTokens || genTime >= invalidFrom) times.push(invalidFrom);
  }
  return earliest(times);
}

function earliest(times: readonly Micros[]): Micros | null {
  return times.reduce<Micros | null>((least, time) => (least === null || time < least ? time : least), null);
}

function stepOf({ covers }: Rfc3161Attestation, token: Token, digest: Uint8Array, chain: readonly Certificate[]): Step {
  const what = covers === "root" ? "the root hash" : "SHA-256 of the signed checkpoint";
  return {
    number: "5.1",
    title: "token",
    lines: [
      `imprint: ${what}, ${toHex(digest)}`,
      `genTime ${utcText(token.genTime)}, signed by ${chain[0]!.subject.shown}`,
      `root certificate ${chain.at(-1)!.fingerprint} (SHA-256)`,
      `openssl ts -verify -token_in -in token.der -digest ${toHex(digest)} ` +
        `-CAfile root.pem -untrusted chain.pem -attime ${token.genTime / SECOND}`,
    ],
  };
}

/** A row, or a token that waits to be settled. */
export interface UnsettledRow {
  readonly row: Omit<JudgedRow, "judgement">;
  readonly found: Judgement | TokenFinding;
}

/** A token that counts only if another row shows that it existed by a time. */
interface Waiting {
  readonly at: number;
  readonly finding: TokenFinding;
  readonly deadline: Micros;
  /** Root hashes, hex, that the token's own inclusions lead to. */
  readonly roots: ReadonlySet<string>;
}

/**
 * Step 5.4: decide which tokens still count, given what the other rows show, until nothing changes.
 * Rows that may set the headline are leaned on first, so that the order of rows says nothing.
 */
export function settleTokens(found: readonly UnsettledRow[], now: Micros): JudgedRow[] {
  const settled = new Map<number, JudgedRow>();
  let waiting: Waiting[] = [];
  for (const [at, { row, found: item }] of found.entries()) {
    const deadline = "status" in item ? null : deadlineOf(item, now);
    if ("status" in item) settled.set(at, { ...row, judgement: item });
    else if (deadline === null) settled.set(at, { ...row, judgement: item.ifItCounts });
    else waiting.push({ at, finding: item, deadline, roots: ownRoots(row.attestation) });
  }
  for (const anyRow of [false, true]) {
    let fresh = [...settled.values()];
    while (fresh.length > 0 && waiting.length > 0) {
      const shown = fresh.filter(({ judgement }) => anyRow || judgement.headline);
      const leaned = waiting.map((token) => ({ token, support: supportOf(token, shown) }));
      fresh = leaned.flatMap(({ token: { at, finding }, support }) =>
        support === null ? [] : [{ ...found[at]!.row, judgement: leaning(finding.ifItCounts, support.judgement) }],
      );
      const done = leaned.filter(({ support }) => support !== null);
      done.forEach(({ token }, i) => settled.set(token.at, fresh[i]!));
      waiting = leaned.filter(({ support }) => support === null).map(({ token }) => token);
    }
  }
  for (const { at, finding } of waiting) settled.set(at, { ...found[at]!.row, judgement: lapsed(finding) });
  return found.map((_, at) => settled.get(at)!);
}

/** Return the time by which a token must be shown to have existed, or null if it need not. */
function deadlineOf({ chainEnd, compromisedAt: compromised }: TokenFinding, now: Micros): Micros | null {
  return earliest([...(compromised === null ? [] : [compromised]), ...(now > chainEnd ? [chainEnd] : [])]);
}

/** Return the root hashes that the token's own inclusions lead to; their hashes decide alone. */
function ownRoots(attestation: Attestation): Set<string> {
  const roots = new Set<string>();
  if (attestation.kind !== "rfc3161") return roots;
  const leaf = leafHash(sha256(attestation.token));
  for (const { leafIndex, treeSize, hashes } of attestation.inclusions) {
    const root = guarded(() => rootFromPath(leaf, inclusionSteps(leafIndex, treeSize, hashes)));
    if (root instanceof Uint8Array) roots.add(toHex(root));
  }
  return roots;
}

/** Return the earliest row that shows that a token existed in time, or null. */
function supportOf({ deadline, roots }: Waiting, rows: readonly JudgedRow[]): JudgedRow | null {
  const fit = rows.filter(({ attestation, judgement: { time } }) => {
    const root = rootHashOf(attestation);
    return time !== null && time <= deadline && root !== null && roots.has(toHex(root));
  });
  const before = (a: JudgedRow, b: JudgedRow): boolean =>
    a.judgement.time! < b.judgement.time! ||
    (a.judgement.time === b.judgement.time && compare(toUtf8(a.judgement.by), toUtf8(b.judgement.by)) < 0);
  return fit.reduce<JudgedRow | null>((least, row) => (least === null || before(row, least) ? row : least), null);
}

function leaning(token: Judgement, other: Judgement): Judgement {
  return {
    ...token,
    reason: `${token.reason}; the token existed before ${utcText(other.time!)} (${other.by})`,
    trust: `${token.trust}, and ${other.trust}`,
    headline: token.headline && other.headline,
  };
}

function lapsed({ ifItCounts, chainEnd, compromisedAt: compromised }: TokenFinding): Judgement {
  const why =
    compromised === null
      ? `its certificates ended on ${dayText(chainEnd)}`
      : `a key of its chain is not believed from ${dayText(compromised)} on`;
  return {
    ...ifItCounts,
    status: "not_checked",
    reason: `${why}, and nothing verified shows that the token existed before that`,
    code: "tsp.lapsed",
    time: null,
    potential: ifItCounts.time,
    trust: "",
  };
}
