/** What an exhibit shows, said in sentences: proved, asserted, not checked. */
import { thumbprint } from "../records/keys.ts";
import type { RecordsVerdict } from "../records/judge.ts";
import type { Status } from "../verify/verdict.ts";
import { type Words, en } from "../words/en.ts";
import type { Listing } from "./list.ts";
import type { ExhibitFinding } from "./verdict.ts";

type ExhibitWords = Words["exhibit"];

/** What the sentences are made from. */
export interface Shown {
  /** How many files there are. */
  readonly entries: number;
  readonly list: Listing | null;
  readonly records: RecordsVerdict | null;
  readonly findings: readonly ExhibitFinding[];
  readonly bundle: string | null;
  readonly signedBy: string | null;
  readonly status: Status;
}

/** The three lists. */
export interface Sentences {
  readonly proved: readonly string[];
  readonly asserted: readonly string[];
  readonly not_checked: readonly string[];
}

/** Say what is shown; no sentence says more than the verdict it is made from. */
export function sentencesOf(shown: Shown, words: ExhibitWords = en.exhibit): Sentences {
  const { list, records } = shown;
  if (list === null || records === null) return { proved: [], asserted: [], not_checked: [] };
  return {
    proved: shown.status === "failed" ? [] : [...proved(shown, list, records, words)],
    asserted: words.assertedItems,
    not_checked: [...unchecked(shown, list, records, words), words.neverShown],
  };
}

function* proved(shown: Shown, list: Listing, records: RecordsVerdict, words: ExhibitWords): Generator<string> {
  yield words.filesWhole(shown.entries);
  if (shown.signedBy !== null && shown.bundle !== null)
    yield words.signed(short(thumbprint(shown.signedBy)), short(shown.bundle));
  const given = list.files.filter(({ path }) => path !== null).length;
  if (given > 0) yield words.filesNamed(given);
  const signed = records.records.filter(({ record }) =>
    record.findings.some(({ step, status }) => step === "13.3" && status === "verified"),
  );
  if (signed.length > 0) yield words.recordsSigned(signed.length);
  const timed = records.records.filter(({ status, headline }) => status === "verified" && headline !== null);
  const newest = timed.at(-1);
  if (newest !== undefined)
    yield words.recordsTimed(timed.length, newest.record.seq, newest.existed_before.headline!, newest.headline!);
  if (records.complete_up_to !== null) yield words.complete(records);
}

function* unchecked(shown: Shown, list: Listing, records: RecordsVerdict, words: ExhibitWords): Generator<string> {
  for (const { status, code, reason } of shown.findings)
    if (status === "not_checked") yield words.finding(code, reason);
  const withheld = list.records.filter(({ shown: there }) => !there).map(({ seq }) => seq);
  if (withheld.length > 0) yield words.recordsWithheld(withheld.length, runs(withheld));
  if (records.withheld_fields > 0) yield words.fieldsWithheld(records.withheld_fields);
  const files = list.files.filter(({ path }) => path === null).length;
  if (files > 0) yield words.filesWithheld(files);
  const reasons = new Map<string, number[]>();
  for (const verdict of records.records) {
    if (verdict.status === "verified" || verdict.status === "failed") continue;
    const why = words.unsure(verdict);
    reasons.set(why, [...(reasons.get(why) ?? []), verdict.record.seq]);
  }
  for (const [why, numbers] of reasons) yield words.recordsUnsure(runs(numbers), why);
  if (records.complete_up_to === null) yield words.complete(records);
}

/** Write numbers in order as `1-3, 7`. */
export function runs(numbers: readonly number[]): string {
  const found: [number, number][] = [];
  for (const number of [...numbers].sort((a, b) => a - b)) {
    const last = found.at(-1);
    if (last !== undefined && last[1] === number - 1) last[1] = number;
    else found.push([number, number]);
  }
  return found.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(", ");
}

function short(hex: string): string {
  return `${hex.slice(0, 8)}…`;
}
