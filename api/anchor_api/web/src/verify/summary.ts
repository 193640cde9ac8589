/** Steps 10 to 12: the bounds, the headline, the sum, and the answer to "before T?". */
import { compare } from "../bytes/bytes.ts";
import { toUtf8 } from "../bytes/text.ts";
import type { Micros } from "../bytes/time.ts";
import type { Policy } from "../proof/policy.ts";
import type { JudgedRow } from "./judgement.ts";
import type { Answer, Status, Verdict } from "./verdict.ts";

const RANK: Record<Status, number> = { verified: 0, failed: 1, not_checked: 2, pending: 3 };
const EXIT: Record<Status, Verdict["exit_status"]> = { verified: 0, failed: 1, pending: 3, not_checked: 4 };

/** Return the ladder: earliest bound first, then failed, not checked, pending; by family where equal. */
export function orderRows(rows: readonly JudgedRow[]): JudgedRow[] {
  return [...rows].sort(
    (a, b) =>
      RANK[a.judgement.status] - RANK[b.judgement.status] ||
      compareTimes(a.judgement.time, b.judgement.time) ||
      compare(toUtf8(a.family), toUtf8(b.family)),
  );
}

function compareTimes(a: Micros | null, b: Micros | null): number {
  if (a === null || b === null) return Number(a === null) - Number(b === null);
  return a < b ? -1 : Number(a > b);
}

/** Return the earliest verified bound of each family (10.1), by name. */
export function boundsByFamily(rows: readonly JudgedRow[]): Map<string, Micros> {
  const bounds = new Map<string, Micros>();
  const sorted = [...rows].sort((a, b) => compare(toUtf8(a.family), toUtf8(b.family)));
  for (const { family, judgement } of sorted) {
    const known = bounds.get(family);
    if (judgement.time !== null && (known === undefined || judgement.time < known)) bounds.set(family, judgement.time);
  }
  return bounds;
}

/** Return the row that the headline rests on (10.2), or null. */
export function headlineOf(rows: readonly JudgedRow[], policy: Policy): JudgedRow | null {
  const admitted = rows.filter(
    ({ family, judgement }) => judgement.time !== null && judgement.headline && policy.headlineFamilies.has(family),
  );
  if (admitted.length === 0 || new Set(admitted.map(({ family }) => family)).size < policy.familiesWanted) return null;
  return admitted.reduce((least, row) => (row.judgement.time! < least.judgement.time! ? row : least));
}

/** Return the word for the whole (11). */
export function sumStatus(rows: readonly JudgedRow[], failed: boolean, headline: JudgedRow | null): Status {
  const words = new Set(rows.map(({ judgement }) => judgement.status));
  if (failed || words.has("failed")) return "failed";
  if (headline !== null) return "verified";
  return words.has("pending") && !words.has("not_checked") && !words.has("verified") ? "pending" : "not_checked";
}

/** Return the exit status of a word (11). */
export function exitStatus(status: Status): Verdict["exit_status"] {
  return EXIT[status];
}

/** Answer "did it exist before T?" (12). */
export function answerBefore(
  rows: readonly JudgedRow[], headline: JudgedRow | null, before: Micros, now: Micros,
): { answer: Answer; exit: Verdict["exit_status"] } {
  if (headline !== null && headline.judgement.time! <= before) return { answer: "yes", exit: 0 };
  const could = (word: Status, test: (row: JudgedRow) => boolean): boolean =>
    rows.some((row) => row.judgement.status === word && test(row));
  if (could("not_checked", ({ judgement: { potential } }) => potential === null || potential <= before))
    return { answer: "unknown", exit: 4 };
  if (could("pending", ({ attestation }) => now <= before || attestation.kind !== "expected"))
    return { answer: "unknown", exit: 3 };
  return { answer: "no", exit: 6 };
}
