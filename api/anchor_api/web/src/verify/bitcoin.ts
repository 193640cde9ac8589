/** Step 7: OpenTimestamps operations that end at a Bitcoin block. */
import { equal, reversed, toHex } from "../bytes/bytes.ts";
import { parseHex } from "../bytes/text.ts";
import { seconds, type Micros } from "../bytes/time.ts";
import { FalseError, FormatError } from "../errors.ts";
import { displayHex, parseHeader, verifyHeaders, type BitcoinHeader } from "../formats/bitcoin.ts";
import { readTree, type OtsPath } from "../formats/ots.ts";
import { BITCOIN_SUCCESSORS, MAX_OTS_BITCOIN_ATTESTATIONS } from "../limits.ts";
import type { BitcoinPolicy, Policy } from "../proof/policy.ts";
import type { OtsAttestation } from "../proof/proof.ts";
import { archivedRun } from "./archive.ts";
import type { KnownFacts } from "./facts.ts";
import { judged, type Judgement } from "./judgement.ts";
import type { Step } from "./verdict.ts";

const WITH_SUCCESSORS_S = 2 * 3600;
const ALONE_S = 24 * 3600;
const ARCHIVE = "header archive, policy checkpoint";

/** Headers saved with a proof, by height: the block's own, then what follows. */
export type HeaderRuns = ReadonlyMap<number, readonly Uint8Array[]>;

/** A block's header and what is known to follow it, and who says that it is on the chain. */
export interface FoundBlock {
  readonly headers: readonly BitcoinHeader[];
  readonly confirmedBy: string | null;
  /** Seconds since 1970 before which the block was not mined, whatever it says itself. */
  readonly notEarlier: number;
}

/** Judge one calendar's tree. */
export function judgeOpenTimestamps(attestation: OtsAttestation, policy: Policy, facts: KnownFacts): Judgement {
  const paths = readTree(attestation.tree, attestation.rootHash);
  const runs = new Map(attestation.headers.map(({ height, headers }) => [height, headers]));
  return judgePaths(paths, runs, policy.bitcoin, facts, attestation.calendar);
}

/** Judge a tree's paths: false before verified, verified before not checked, that before pending. */
export function judgePaths(
  paths: readonly OtsPath[], runs: HeaderRuns, bitcoin: BitcoinPolicy, facts: KnownFacts, by: string,
): Judgement {
  const found: Judgement[] = [];
  const promised = new Set<string>();
  let unknown = 0;
  for (const path of paths) {
    if (path.end.kind === "bitcoin") {
      if (found.length >= MAX_OTS_BITCOIN_ATTESTATIONS)
        throw new FormatError("more Bitcoin attestations in one tree than are judged", "ots.bitcoin_attestations");
      found.push(judgePath(path, path.end.height, runs, bitcoin, facts, by));
    } else if (path.end.kind === "pending") promised.add(path.end.uri);
    else unknown += 1;
  }
  const verified = found.filter(({ time }) => time !== null);
  if (verified.length > 0) return verified.reduce((least, one) => (one.time! < least.time! ? one : least));
  if (found[0] !== undefined) return found[0];
  if (promised.size > 0) {
    const reason = `promised by ${[...promised].sort().join(", ")}; usually within 12 hours`;
    return judged("pending", "bitcoin.pending", reason, { precision: "day", by });
  }
  return judged("not_checked", "ots.attestation_unknown", `${unknown} attestation(s) of a kind that is not known`, { by });
}

function judgePath(
  path: OtsPath, height: number, runs: HeaderRuns, bitcoin: BitcoinPolicy, facts: KnownFacts, by: string,
): Judgement {
  const end = path.messages.at(-1)!;
  const step: Step = { number: "7.1", title: `operations to Bitcoin block ${height}`, lines: pathLines(path) };
  const common = { precision: "day", by, steps: [step] } as const;
  const block = findBlock(height, runs.get(height) ?? facts.headers?.get(height), bitcoin, facts);
  if (block === null)
    return judged(
      "not_checked", "bitcoin.header_missing",
      `block ${height} must have the merkle root ${displayHex(end)}; its header was not given`,
      common,
    );
  const { merkleRoot } = block.headers[0]!;
  if (!equal(end, merkleRoot))
    throw new FalseError(
      `the path ends at ${displayHex(end)}, the merkle root of block ${height} is ${displayHex(merkleRoot)}`,
      "bitcoin.merkle_root_mismatch",
    );
  if (path.ops.some(({ name }) => name === "sha1"))
    return judged("not_checked", "ots.sha1", "the path uses SHA-1, for which two files can be made to agree", common);
  return judgeBlock(block, height, bitcoin, by, step);
}

/** Say what a block that the path ends at is worth (7.3, 7.4). */
function judgeBlock(block: FoundBlock, height: number, bitcoin: BitcoinPolicy, by: string, step: Step): Judgement {
  const shown = displayHex(block.headers[0]!.hash);
  const { bound, toleranceS } = boundOf(block);
  const lines = block.headers.map(({ raw, time }) => `${toHex(raw)} time ${time}`);
  const steps = [step, { number: "7.2", title: `block ${height} ${shown}`, lines }];
  const common = { precision: "day", toleranceS, by, steps } as const;
  if (block.confirmedBy === null)
    return judged(
      "not_checked", "bitcoin.header_supplied",
      `matches a supplied header: block ${height}, ${shown}; nothing here says that it is on the chain`,
      { ...common, potential: bound },
    );
  const test = bitcoin.network === "main" ? "" : "; a test network shows nothing to anybody else";
  return judged("verified", "bitcoin.verified", `in Bitcoin block ${height}`, {
    ...common,
    time: bound,
    trust: `believe that block ${height} is on the Bitcoin chain (${block.confirmedBy})${test}`,
    headline: bitcoin.headline,
  });
}

/** Step 7.4. */
function boundOf({ headers, notEarlier }: FoundBlock): { bound: Micros; toleranceS: number } {
  const enough = headers.length > BITCOIN_SUCCESSORS;
  const latest = enough ? Math.max(...headers.map(({ time }) => time)) : headers[0]!.time;
  const toleranceS = enough ? WITH_SUCCESSORS_S : ALONE_S;
  return { bound: seconds(Math.max(latest, notEarlier) + toleranceS), toleranceS };
}

/**
 * Return the block at a height and what is known to follow it (7.2 to 7.4): the proof's block where it
 * has one, else the archive's; those after it from whichever of proof, supplied headers and archive
 * shows most. FalseError where what is known at that height is another block.
 */
export function findBlock(
  height: number, run: readonly Uint8Array[] | undefined, bitcoin: BitcoinPolicy, facts: KnownFacts,
): FoundBlock | null {
  const archived = facts.archive === undefined ? null : archivedRun(facts.archive, height, bitcoin);
  const notEarlier = archived?.notEarlier ?? 0;
  const shown = archived?.headers ?? [];
  if (run === undefined) return archived === null ? null : { headers: shown, confirmedBy: ARCHIVE, notEarlier };
  const headers = run.map(parseHeader);
  verifyHeaders(headers);
  const claims = [
    ...bitcoinClaims(height, 1 + BITCOIN_SUCCESSORS, bitcoin, facts),
    ...shown.map(({ hash }, offset): BitcoinClaim => ({ offset, hash, who: ARCHIVE })),
  ];
  refuseAnother(height, headers, claims);
  const runs = [headers, suppliedRun(height, headers[0]!, facts), shown].map((one) => knownPart(one, claims));
  const best = runs.reduce((longest, one) => (one.length > longest.length ? one : longest));
  if (best.length === 0) return { headers, confirmedBy: null, notEarlier: 0 };
  const nearest = claims.reduce((least, claim) => (claim.offset < least.offset ? claim : least));
  return { headers: best, confirmedBy: nearest.who, notEarlier };
}

/** Where the block's own height is known, its header must be that one; else each successor saved must be. */
function refuseAnother(height: number, headers: readonly BitcoinHeader[], claims: readonly BitcoinClaim[]): void {
  const byItself = claims.some(({ offset }) => offset === 0);
  for (const { offset, hash, who } of claims) {
    const header = byItself && offset > 0 ? undefined : headers[offset];
    if (header !== undefined && !equal(header.hash, hash))
      throw new FalseError(
        `block ${height + offset} is ${displayHex(hash)} (${who}), the proof's header is ${displayHex(header.hash)}`,
        "bitcoin.block_not_on_chain",
      );
  }
}

/** Return the headers supplied from outside, if they start with that block and hold together. */
function suppliedRun(height: number, block: BitcoinHeader, facts: KnownFacts): readonly BitcoinHeader[] {
  const supplied = facts.headers?.get(height) ?? [];
  try {
    const headers = supplied.map(parseHeader);
    verifyHeaders(headers);
    return headers[0] !== undefined && equal(headers[0].raw, block.raw) ? headers : [];
  } catch (error) {
    if (error instanceof FormatError || error instanceof FalseError) return [];
    throw error;
  }
}

/** Cut a run behind the last header that is known, and before the first that is another. */
function knownPart(headers: readonly BitcoinHeader[], claims: readonly BitcoinClaim[]): readonly BitcoinHeader[] {
  const within = claims.filter(({ offset }) => offset < headers.length);
  const differs = ({ offset, hash }: BitcoinClaim): boolean => !equal(headers[offset]!.hash, hash);
  const end = Math.min(headers.length, ...within.filter(differs).map(({ offset }) => offset));
  const known = within.map(({ offset }) => offset).filter((offset) => offset < end);
  return headers.slice(0, Math.max(-1, ...known) + 1);
}

/** What is believed of the blocks from a height on. */
export interface BitcoinClaim {
  readonly offset: number;
  /** Internal byte order. */
  readonly hash: Uint8Array;
  readonly who: string;
}

/** Return what checkpoints, sources and the archive say of `count` blocks from a height on. */
export function bitcoinClaims(height: number, count: number, bitcoin: BitcoinPolicy, facts: KnownFacts): BitcoinClaim[] {
  const claims: BitcoinClaim[] = [];
  for (let offset = 0; offset < count; offset++) {
    const at = height + offset;
    const checkpoint = bitcoin.checkpoints.find((one) => one.height === at);
    if (checkpoint !== undefined) claims.push({ offset, hash: checkpoint.hash, who: "checkpoint of the policy" });
    const confirmed = facts.bitcoin?.get(at);
    if (confirmed !== undefined)
      claims.push({ offset, hash: reversed(parseHex(confirmed.hash, 32)), who: `confirmed by ${confirmed.confirmed_by}` });
    const archived = facts.archive === undefined ? null : archivedRun(facts.archive, at, bitcoin);
    if (archived !== null) claims.push({ offset, hash: archived.headers[0]!.hash, who: ARCHIVE });
  }
  return claims;
}

/** Return one line an operation with its result. */
function pathLines({ ops, messages }: OtsPath): string[] {
  return ops.map(({ name, argument }, i) => {
    const what = argument.length > 0 ? `${name} ${toHex(argument)}` : name;
    return `${what} = ${toHex(messages[i + 1]!)}`;
  });
}
