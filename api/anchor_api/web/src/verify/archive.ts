/** Step 7.3.1 to 7.3.3, header archives: which of a run of headers are the chain that is meant? */
import { equal } from "../bytes/bytes.ts";
import { FormatError } from "../errors.ts";
import {
  compactOf, displayHex, parseHeader, targetOf, verifyWork, workOf, type BitcoinHeader,
} from "../formats/bitcoin.ts";
import { BITCOIN_HEADER_BYTES, BITCOIN_SUCCESSORS } from "../limits.ts";
import type { BitcoinPolicy } from "../proof/policy.ts";
import type { HeaderArchive } from "./facts.ts";

const PERIOD_BLOCKS = 2016;
const PERIOD_S = 14 * 24 * 3600;
const MAX_TARGET = 0xffffn << 208n;
const MEDIAN_BLOCKS = 11;

/** What of an archive is believed. */
export interface Standing {
  /** Height of the last checkpoint that it passes, L. */
  readonly checkpoint: number;
  /** What L's header says, seconds since 1970. */
  readonly checkpointTime: number;
  /** Height of the last header that counts; L where those beyond it lack work. */
  readonly end: number;
}

/** A block that an archive shows, and up to six after it. */
export interface ArchivedRun {
  readonly headers: readonly BitcoinHeader[];
  /** Seconds since 1970 before which the block was not mined, whatever it says itself. */
  readonly notEarlier: number;
}

/** Return a block with those after it, as far as the archive is believed; null where it shows none. */
export function archivedRun(archive: HeaderArchive, height: number, bitcoin: BitcoinPolicy): ArchivedRun | null {
  const { checkpoint, checkpointTime, end } = standingOf(archive, bitcoin);
  const held = height <= checkpoint || height + BITCOIN_SUCCESSORS <= end;
  if (height < archive.first_height || !held) return null;
  const last = Math.min(height + BITCOIN_SUCCESSORS, end);
  const headers = Array.from({ length: last - height + 1 }, (_, i) => headerAt(archive, height + i));
  return { headers, notEarlier: height > checkpoint ? checkpointTime : 0 };
}

/** Return the headers of {@link archivedRun} alone. */
export function archivedHeaders(
  archive: HeaderArchive, height: number, bitcoin: BitcoinPolicy,
): readonly BitcoinHeader[] | null {
  return archivedRun(archive, height, bitcoin)?.headers ?? null;
}

const remembered = new WeakMap<HeaderArchive, WeakMap<BitcoinPolicy, Standing>>();

/** Check an archive and return what of it is believed; an error for one that is broken. */
export function standingOf(archive: HeaderArchive, bitcoin: BitcoinPolicy): Standing {
  const known = remembered.get(archive) ?? new WeakMap<BitcoinPolicy, Standing>();
  remembered.set(archive, known);
  let standing = known.get(bitcoin);
  if (standing === undefined) {
    standing = check(archive, bitcoin);
    known.set(bitcoin, standing);
  }
  return standing;
}

function headerAt(archive: HeaderArchive, height: number): BitcoinHeader {
  const at = (height - archive.first_height) * BITCOIN_HEADER_BYTES;
  return parseHeader(archive.headers.subarray(at, at + BITCOIN_HEADER_BYTES));
}

function check(archive: HeaderArchive, bitcoin: BitcoinPolicy): Standing {
  const checkpoints = new Map(bitcoin.checkpoints.map((checkpoint) => [checkpoint.height, checkpoint]));
  const first = archive.first_height;
  const start = checkpoints.get(first);
  if (start === undefined)
    throw new FormatError(`the header archive starts at block ${first}, which is no checkpoint`, "bitcoin.archive_start");
  let last = headerAt(archive, first);
  checkCheckpoint(last, first, start.hash);
  const chain = new Chain(last, first, bitcoin.network === "main");
  let settled = first;
  let total = start.chainWork;
  let beyond = 0n;
  const count = Math.floor(archive.headers.length / BITCOIN_HEADER_BYTES);
  for (let height = first + 1; height < first + count; height++) {
    const header = headerAt(archive, height);
    chain.add(header, height);
    total += workOf(header);
    beyond += workOf(header);
    const checkpoint = checkpoints.get(height);
    if (checkpoint === undefined) continue;
    checkCheckpoint(header, height, checkpoint.hash);
    [last, settled, beyond] = [header, height, 0n];
    total = checkpoint.chainWork || total;
  }
  const least = bitcoin.minimumWorkBeyondCheckpoint ?? BigInt(BITCOIN_SUCCESSORS) * workOf(last);
  const enough = total >= bitcoin.minimumChainWork && beyond >= least;
  return { checkpoint: settled, checkpointTime: last.time, end: enough ? Math.max(first + count - 1, settled) : settled };
}

/** Headers that follow one another, checked one by one; the first is a checkpoint. */
class Chain {
  private previous: BitcoinHeader;
  private periodStart: BitcoinHeader | null;
  private readonly times: number[];
  private readonly retargets: boolean;

  constructor(first: BitcoinHeader, height: number, retargets: boolean) {
    this.previous = first;
    this.periodStart = height % PERIOD_BLOCKS === 0 ? first : null;
    this.times = [first.time];
    this.retargets = retargets;
  }

  add(header: BitcoinHeader, height: number): void {
    if (!equal(header.previous, this.previous.hash))
      throw new FormatError(`block ${height} of the archive does not follow block ${height - 1}`, "bitcoin.archive_link");
    if (this.retargets && !targetAllowed(height, header, this.previous, this.periodStart))
      throw new FormatError(`block ${height} has a target that the retargeting rule forbids`, "bitcoin.archive_target");
    if (this.times.length === MEDIAN_BLOCKS && header.time <= median(this.times))
      throw new FormatError(`block ${height} of the archive is dated before its median`, "bitcoin.archive_time");
    verifyWork(header);
    if (height % PERIOD_BLOCKS === 0) this.periodStart = header;
    this.times.push(header.time);
    if (this.times.length > MEDIAN_BLOCKS) this.times.shift();
    this.previous = header;
  }
}

function median(times: readonly number[]): number {
  return [...times].sort((a, b) => a - b)[MEDIAN_BLOCKS >> 1]!;
}

/** The retargeting rule of Bitcoin Core's `pow.cpp`; where a period's first block is not known, its factor of four. */
function targetAllowed(
  height: number, header: BitcoinHeader, previous: BitcoinHeader, periodStart: BitcoinHeader | null,
): boolean {
  if (height % PERIOD_BLOCKS !== 0) return header.bits === previous.bits;
  if (periodStart !== null) {
    const elapsed = Math.min(Math.max(previous.time - periodStart.time, PERIOD_S / 4), PERIOD_S * 4);
    return header.bits === compactOf(least((previous.target * BigInt(elapsed)) / BigInt(PERIOD_S), MAX_TARGET));
  }
  const quarter = previous.target / 4n;
  const hardest = targetOf(compactOf(quarter > 0n ? quarter : 1n));
  return hardest <= header.target && header.target <= least(previous.target * 4n, MAX_TARGET);
}

function least(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

function checkCheckpoint(header: BitcoinHeader, height: number, wanted: Uint8Array): void {
  if (!equal(header.hash, wanted))
    throw new FormatError(
      `block ${height} of the archive is ${displayHex(header.hash)}, the policy's checkpoint is ${displayHex(wanted)}`,
      "bitcoin.archive_checkpoint",
    );
}
