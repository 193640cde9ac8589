/**
 * What judgement says: four words for each piece of evidence, and a sum that says no more.
 *
 * Specification: `docs/spec/verification.md`, "The verdict as JSON". Names are those of the JSON
 * object, so that a verdict is its own JSON. Times are UTC, ISO 8601 with `Z` and whole seconds,
 * upper bounds with the tolerance applied.
 */

/** The four words. There is no fifth. */
export type Status = "verified" | "failed" | "pending" | "not_checked";

/** The answer to "did it exist before T?". */
export type Answer = "yes" | "no" | "unknown";

/** How exact a bound is: a block chain's clock gives a day, others a second. */
export type Precision = "second" | "day";

/** `YYYY-MM-DDTHH:MM:SSZ`. */
export type Utc = string;

/** One step that a person can redo. */
export interface Step {
  /** As in `docs/spec/verification.md`, such as `2.1`. */
  readonly number: string;
  /** What is done. */
  readonly title: string;
  /** Inputs, result and, where a stock tool redoes it, its command. */
  readonly lines: readonly string[];
}

/** One row of the ladder: an attestation and what was found out about it. */
export interface Row {
  readonly kind: string;
  readonly family: string;
  /** Who attests: the authority, chain, calendar or witness. */
  readonly by: string;
  /** 32 bytes in hex; null where the row has none. */
  readonly root_hash: string | null;
  readonly status: Status;
  /** Why, in one sentence without a capital or a full stop. */
  readonly reason: string;
  /** The cause for programs, such as `tsp.chain.expired`. */
  readonly code: string;
  /** The bound; only when verified. */
  readonly attested_time: Utc | null;
  /** What was added to the time that the evidence states. */
  readonly tolerance_s: number;
  readonly precision: Precision;
  /** Whom one has to believe, one sentence; empty when nothing was verified. */
  readonly trust: string;
}

/** What is known of the place in the log; it does not touch the time. */
export interface LogVerdict {
  readonly status: Status;
  readonly reason: string;
  readonly code: string;
  /** These three only when verified: under a checkpoint that a policy key signed. */
  readonly origin: string | null;
  readonly leaf_index: number | null;
  readonly tree_size: number | null;
}

/** The policy that a verdict rests on. */
export interface PolicyName {
  readonly name: string;
  /** SHA-256 of the policy's bytes, hex. */
  readonly sha256: string;
  readonly class: "production" | "test";
}

/** What was found out about a record's signature, key, place or forks. */
export interface Finding {
  readonly step: string;
  readonly status: Status;
  readonly code: string;
  readonly reason: string;
}

/** One beacon as the record states it, and what was found out about it (step 13.7). */
export interface BeaconVerdict {
  readonly status: Status;
  readonly reason: string;
  readonly code: string;
  readonly not_before: Utc | null;
  readonly trust: string;
  /** The fields as stated. */
  readonly [stated: string]: unknown;
}

/** What was found out about a record besides the time of its digest (step 13). */
export interface RecordPart {
  readonly project: string;
  readonly seq: number;
  readonly kind: string;
  readonly original: boolean;
  readonly actor: { readonly key: string; readonly role: string };
  readonly claimed_time: Utc;
  readonly lag_s: number | null;
  readonly disclosed: readonly string[];
  readonly withheld_fields: number;
  readonly findings: readonly Finding[];
  readonly beacons: readonly BeaconVerdict[];
}

/** The whole verdict on one proof. */
export interface Verdict {
  readonly status: Status;
  readonly reason: string;
  /** The log's entry, 32 bytes in hex. */
  readonly digest: string;
  /** verified when a file was given and leads to the digest; not_checked when none was given. */
  readonly file: Status;
  readonly policy: PolicyName;
  /** `headline` (null without one), then the earliest verified bound of each family. */
  readonly existed_before: { readonly headline: Utc | null; readonly [family: string]: Utc | null };
  /** The row that the headline rests on. */
  readonly headline: Row | null;
  /** Of a record; else null. */
  readonly not_before: Utc | null;
  readonly log: LogVerdict;
  /** Earliest bound first, rows without a bound last. */
  readonly attestations: readonly Row[];
  readonly warnings: readonly string[];
  /** 0 verified or yes, 1 failed, 3 pending, 4 not checked, 6 not shown to be before T. */
  readonly exit_status: 0 | 1 | 3 | 4 | 6;
  /** The question and its answer, when asked. */
  readonly before?: Utc | null;
  readonly answer?: Answer | null;
  readonly record?: RecordPart;
  readonly steps?: readonly Step[];
}
