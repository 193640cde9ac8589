/** What was found out about one row, before it is written down. */
import { utcText, type Micros } from "../bytes/time.ts";
import { toHex } from "../bytes/bytes.ts";
import { FalseError, FormatError } from "../errors.ts";
import type { Attestation } from "../proof/proof.ts";
import type { Precision, Row, Status, Step } from "./verdict.ts";

/** What was found out about one piece of evidence. */
export interface Judgement {
  readonly status: Status;
  readonly reason: string;
  readonly code: string;
  /** Upper bound, tolerance applied; only when verified. */
  readonly time: Micros | null;
  /** The bound that it would give if what is missing were there; null where that is not known. */
  readonly potential: Micros | null;
  readonly toleranceS: number;
  readonly precision: Precision;
  readonly trust: string;
  /** Whether the policy lets it set the headline. */
  readonly headline: boolean;
  readonly by: string;
  readonly steps: readonly Step[];
}

/** A row of the ladder: the attestation and its judgement. */
export interface JudgedRow {
  readonly attestation: Attestation;
  readonly family: string;
  readonly judgement: Judgement;
}

/** Return a judgement with everything that is not given left empty. */
export function judged(status: Status, code: string, reason: string, more: Partial<Judgement> = {}): Judgement {
  return {
    status, code, reason,
    time: null, potential: null, toleranceS: 0, precision: "second", trust: "", headline: true, by: "", steps: [],
    ...more,
  };
}

/** Run a judgement; what cannot be read or is false is failed, with the cause's code. */
export function guarded<T>(judge: () => T): T | Judgement {
  try {
    return judge();
  } catch (error) {
    if (error instanceof FormatError || error instanceof FalseError) return judged("failed", error.code, error.message);
    throw error;
  }
}

/** Return the root hash that a row is for, or null where it names none. */
export function rootHashOf(attestation: Attestation): Uint8Array | null {
  return "rootHash" in attestation ? attestation.rootHash : null;
}

/** Return what kind of row this is, as the file says. */
export function kindOf(attestation: Attestation): string {
  return attestation.kind === "unknown" ? attestation.name : attestation.kind;
}

/** Return the family that a row belongs to. */
export function familyOf(attestation: Attestation): string {
  if (attestation.kind === "expected") return attestation.family;
  return attestation.kind === "opentimestamps" ? "bitcoin" : kindOf(attestation);
}

/** Write a row. */
export function rowOf({ attestation, family, judgement }: JudgedRow): Row {
  const root = rootHashOf(attestation);
  return {
    kind: kindOf(attestation),
    family,
    by: judgement.by,
    root_hash: root === null ? null : toHex(root),
    status: judgement.status,
    reason: judgement.reason,
    code: judgement.code,
    attested_time: judgement.time === null ? null : utcText(judgement.time),
    tolerance_s: judgement.toleranceS,
    precision: judgement.precision,
    trust: judgement.trust,
  };
}
