/**
 * Step 13: a project's records with their proofs, under a policy.
 *
 * What a record claims of its own time is set beside the evidence and touches no word.
 */
import { type Micros, SECOND, parseUtc, utcText } from "../bytes/time.ts";
import { judgeProof } from "../verify/judge.ts";
import type { Circumstances } from "../verify/question.ts";
import type { Finding, RecordPart, Status, Utc, Verdict } from "../verify/verdict.ts";
import { judgeBeacon } from "./beacons.ts";
import { type Chain, type Fork, type Listed, type Stub, isRecord, judgeChain } from "./chain.ts";
import type { RecordText } from "./record.ts";
import { recordSteps } from "./steps.ts";
import { withoutProof } from "./unproven.ts";

const HOUR: Micros = 3600n * SECOND;
const LATE_AFTER: Micros = 24n * HOUR;
/** Of all exit statuses in a list, the first of these that occurs is the list's. */
const PRECEDENCE = [1, 6, 4, 3, 0] as const;

/** A record and the text of its proof, if there is one. */
export interface ProvenRecord {
  readonly record: RecordText;
  readonly proof: Uint8Array | string | null;
}

/** What a list of records is judged with. */
export interface RecordsQuestion extends Circumstances {
  readonly items: readonly (ProvenRecord | Stub)[];
  /** Records seen elsewhere, which may show a fork or a revocation. */
  readonly others?: readonly ProvenRecord[];
  /** Digests of records for whose proofs an exhibit has no units of work left. */
  readonly unpaid?: ReadonlySet<string>;
}

/** The verdict on a list of records; names are those of its JSON. */
export interface RecordsVerdict {
  readonly status: Status;
  readonly reason: string;
  readonly project: string;
  readonly complete_up_to: number | null;
  readonly closed: boolean;
  readonly statement: string;
  readonly withheld_records: number;
  readonly withheld_fields: number;
  readonly not_listed: number;
  readonly forks: readonly Finding[];
  readonly records: readonly (Verdict & { readonly record: RecordPart })[];
  readonly stubs: readonly Stub[];
  readonly exit_status: 0 | 1 | 3 | 4 | 6;
}

/** Judge a list of records. Raises FormatError where no record is shown or a proof is none. */
export function judgeRecords(question: RecordsQuestion): RecordsVerdict {
  const others = question.others ?? [];
  const chain = judgeChain(
    question.items.map((item) => ("record" in item ? item.record : item)),
    others.map((item) => item.record),
  );
  const timed = judgeTimes([...question.items, ...others], question);
  const forks = chain.forks.map((fork) => ({ fork, found: judgeFork(fork, chain, timed) }));
  const compromises = judgeKeys(chain, timed);
  const records = chain.records.map(({ record, signature, place }) => {
    const findings = [signature, ...(compromises.get(record.seq) ?? []), place];
    for (const { fork, found } of forks)
      if (found.status === "failed" && fork.listed === record) findings.push(found);
    return judgeRecord(record, findings, timed.get(record.digest)!, question);
  });
  return sumOf(chain, records, forks.map(({ found }) => found));
}

/** By digest, what its proof shows; the first proof of a record counts. */
function judgeTimes(
  items: readonly (ProvenRecord | Stub)[],
  question: RecordsQuestion,
): Map<string, Verdict> {
  const proofs = new Map<string, { record: RecordText; proof: Uint8Array | string | null }>();
  for (const item of items) {
    if (!("record" in item)) continue;
    const held = proofs.get(item.record.digest);
    if (held === undefined) proofs.set(item.record.digest, { ...item });
    else held.proof ??= item.proof;
  }
  const { items: _items, others: _others, unpaid, ...circumstances } = question;
  const timed = new Map<string, Verdict>();
  for (const [digest, { record, proof }] of proofs)
    timed.set(
      digest,
      proof === null
        ? withoutProof(digest, circumstances)
        : judgeProof({ ...circumstances, proof, fileDigest: digestOf(record), unpaid: unpaid?.has(digest) ?? false }),
    );
  return timed;
}

function digestOf(record: RecordText): Uint8Array {
  return Uint8Array.from(record.digest.match(/../g)!, (byte) => Number.parseInt(byte, 16));
}

// -- keys and forks -------------------------------------------------------------------------------

/** Whether the record is shown to precede its key's compromise, if there was one. */
function precedes(item: Listed, chain: Chain, timed: ReadonlyMap<string, Verdict>): boolean {
  if (!isRecord(item)) return true;
  const since = chain.compromisedSince.get(item.key);
  const headline = timed.get(item.digest)?.existed_before.headline ?? null;
  return since === undefined || (headline !== null && parseUtc(headline) < since);
}

/** Step 13.4, by `seq`. */
function judgeKeys(chain: Chain, timed: ReadonlyMap<string, Verdict>): Map<number, Finding[]> {
  const found = new Map<number, Finding[]>();
  const add = (seq: number, status: Status, code: string, reason: string) =>
    found.set(seq, [{ step: "13.4", status, code, reason }]);
  for (const { record, boundBy } of chain.records) {
    const since = chain.compromisedSince.get(record.key);
    const binding = boundBy === null ? [] : (found.get(boundBy) ?? []);
    if (binding.some(({ status }) => status !== "verified")) {
      const why = `its key was bound by record ${boundBy}, which is not shown to be genuine`;
      add(record.seq, "not_checked", "record.key_bound_after_compromise", why);
    } else if (since !== undefined && precedes(record, chain, timed)) {
      const why = `it existed before its key was compromised at ${utcText(since)}`;
      add(record.seq, "verified", "record.before_compromise", why);
    } else if (since !== undefined) {
      const why = `its key was compromised at ${utcText(since)}, and nothing verified shows that it existed before that`;
      add(record.seq, "not_checked", "record.key_compromised", why);
    }
  }
  return found;
}

/** Step 13.6: a thief can not make a creator's history false. */
function judgeFork(fork: Fork, chain: Chain, timed: ReadonlyMap<string, Verdict>): Finding {
  const { listed, other } = fork;
  const two = `${listed.digest} and ${other.digest}`;
  const said = (status: Status, code: string, reason: string) => ({ step: "13.6", status, code, reason });
  if (!precedes(listed, chain, timed) || !precedes(other, chain, timed)) {
    const why = `two records ${listed.seq}, ${two}, one of them by a key that was compromised`;
    return said("not_checked", "record.fork_by_compromised_key", why);
  }
  if (fork.oneKey) return said("failed", "record.forked", `one key signed two records ${listed.seq}: ${two}`);
  return said("not_checked", "record.histories_meet", `two histories meet at record ${listed.seq}: ${two}`);
}

// -- one record -----------------------------------------------------------------------------------

function judgeRecord(
  record: RecordText,
  findings: Finding[],
  timed: Verdict,
  question: Circumstances,
): Verdict & { record: RecordPart } {
  const beacons = record.notBefore.map((beacon) => judgeBeacon(beacon, question));
  const notBefore = latest(beacons.map((beacon) => beacon.not_before));
  const families = Object.entries(timed.existed_before).filter(([name]) => name !== "headline");
  const earliest = families
    .map(([, time]) => time)
    .filter((time) => time !== null)
    .sort()[0];
  if (notBefore !== null && earliest !== undefined && notBefore > earliest) {
    const why = `its beacon is of ${notBefore} at the earliest, it existed before ${earliest}`;
    const code = "record.not_before_after_existed_before";
    findings.push({ step: "13.7", status: "failed", code, reason: why });
  }
  const headline = timed.existed_before.headline;
  const lag = headline === null ? null : parseUtc(headline) - record.claimedTime;
  const part: RecordPart = {
    project: record.project,
    seq: record.seq,
    kind: record.kind.name,
    original: record.kind.original,
    actor: { key: record.key, role: record.role },
    claimed_time: record.sdJwt.payload["claimed_time"] as Utc,
    lag_s: lag === null ? null : Number(floorDivide(lag, SECOND)),
    disclosed: record.sdJwt.disclosures.map(({ name }) => name).sort(),
    withheld_fields: record.withheld,
    findings,
    beacons,
  };
  const judged = {
    ...timed,
    not_before: notBefore,
    warnings: [
      ...timed.warnings.filter((warning) => !warning.includes("look it up")),
      ...claims(record, notBefore, lag),
    ],
    record: part,
  };
  if (question.steps) judged.steps = [...(timed.steps ?? []), ...recordSteps(record)];
  return sumRecord(judged);
}

function floorDivide(value: bigint, by: bigint): bigint {
  const quotient = value / by;
  return value < 0n && quotient * by !== value ? quotient - 1n : quotient;
}

function latest(times: readonly (Utc | null)[]): Utc | null {
  return times.reduce((last, time) => (time !== null && (last === null || time > last) ? time : last), null);
}

/** Step 13.8. */
function* claims(record: RecordText, notBefore: Utc | null, lag: Micros | null): Generator<string> {
  if (lag !== null && lag < 0n)
    yield "the claimed time is later than the time by which it existed: a clock was wrong";
  if (notBefore !== null && record.claimedTime < parseUtc(notBefore))
    yield "the claimed time is earlier than its beacon could be known";
  if (lag !== null && lag > LATE_AFTER && !record.late)
    yield `shown to exist ${lag / HOUR} hours after the claimed time only; it does not say late`;
  if (record.kind.name === "import" || record.kind.name === "reproduction_test")
    yield `a record of kind ${record.kind.name} is never an original one`;
}

/** Step 13.9. */
function sumRecord(verdict: Verdict & { record: RecordPart }): Verdict & { record: RecordPart } {
  if (verdict.status === "failed") return verdict;
  const { findings, beacons } = verdict.record;
  const failed = [...findings, ...beacons].find(({ status }) => status === "failed");
  const asked = verdict.before !== undefined && verdict.before !== null;
  if (failed !== undefined)
    return {
      ...verdict,
      status: "failed",
      reason: failed.reason,
      existed_before: { ...verdict.existed_before, headline: null },
      headline: null,
      ...(asked ? { answer: null } : {}),
      exit_status: 1,
    };
  const unsure = findings.find(
    ({ step, status }) => (step === "13.3" || step === "13.4") && status !== "verified",
  );
  if (unsure === undefined || verdict.status === "not_checked") return verdict;
  const yes = verdict.answer === "yes";
  return {
    ...verdict,
    status: "not_checked",
    reason: unsure.reason,
    ...(asked ? { answer: yes ? "unknown" : (verdict.answer ?? null) } : {}),
    exit_status: yes || !asked ? 4 : verdict.exit_status,
  };
}

// -- the list -------------------------------------------------------------------------------------

/** Step 13.10. */
function sumOf(
  chain: Chain,
  records: readonly (Verdict & { record: RecordPart })[],
  forks: readonly Finding[],
): RecordsVerdict {
  const last = chain.records.at(-1)!.record.seq;
  const withheld = chain.stubs.filter((stub) => stub.seq < last).length;
  const met = forks.find(({ code }) => code === "record.histories_meet");
  const whole = chain.completeUpTo !== null && met === undefined;
  const exits = new Set(records.map((verdict) => verdict.exit_status));
  const statement = statementOf(chain, withheld, whole);
  const worst = (["failed", "not_checked", "pending"] as const)
    .map((word) => records.find(({ status }) => status === word))
    .find((verdict) => verdict !== undefined);
  let status: Status = worst?.status ?? "verified";
  let reason =
    worst === undefined
      ? `${records.length} records, ${withheld} withheld`
      : `record ${worst.record.seq}: ${worst.reason}`;
  if (!whole && (status === "verified" || status === "pending")) {
    status = "not_checked";
    reason = met?.reason ?? statement;
    exits.add(4);
  }
  return {
    status,
    reason,
    project: chain.project,
    complete_up_to: chain.completeUpTo,
    closed: chain.closed,
    statement,
    withheld_records: withheld,
    withheld_fields: chain.records.reduce((sum, { record }) => sum + record.withheld, 0),
    not_listed: chain.notListed,
    forks,
    records,
    stubs: chain.stubs,
    exit_status: PRECEDENCE.find((code) => exits.has(code))!,
  };
}

function statementOf(chain: Chain, withheld: number, whole: boolean): string {
  if (!whole) {
    const gap =
      chain.notListed > 0
        ? `${chain.notListed} records are not listed`
        : "the place of the last record is not verified, or there are two histories";
    return `completeness of project ${chain.project} is not shown: ${gap}`;
  }
  const closed = chain.closed ? ", which is closed" : "";
  const later = chain.closed ? "" : "about later records, ";
  return (
    `complete up to record ${chain.completeUpTo} of project ${chain.project}${closed}, ` +
    `${withheld} of them withheld; nothing is shown ${later}about other projects or other keys`
  );
}
