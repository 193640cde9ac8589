/** What the judgement of an exhibit says; names are those of its JSON (docs/spec/exhibit.md). */
import type { RecordsVerdict } from "../records/judge.ts";
import type { Status } from "../verify/verdict.ts";

/** One thing that was found out, and the file it is about. */
export interface ExhibitFinding {
  /** `E2` to `E6`. */
  readonly step: string;
  readonly status: "failed" | "not_checked";
  readonly code: string;
  /** Within the bag, or null. */
  readonly path: string | null;
  readonly reason: string;
}

/** The verdict on an exhibit. */
export interface ExhibitVerdict {
  readonly status: Status;
  readonly reason: string;
  readonly name: string | null;
  readonly project: string | null;
  /** The bundle digest in hex. */
  readonly bundle: string | null;
  /** Raw public key that signed the manifest, in hex, where that was verified. */
  readonly signed_by: string | null;
  readonly findings: readonly ExhibitFinding[];
  readonly records: RecordsVerdict | null;
  readonly files: { readonly shown: number; readonly withheld: number };
  readonly proved: readonly string[];
  readonly asserted: readonly string[];
  readonly not_checked: readonly string[];
  readonly exit_status: 0 | 1 | 3 | 4 | 6;
}

/** A finding that something is false. */
export function failed(step: string, code: string, path: string | null, reason: string): ExhibitFinding {
  return { step, status: "failed", code: `exhibit.${code}`, path, reason };
}
