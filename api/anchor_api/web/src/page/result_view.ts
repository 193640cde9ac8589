/** Everything below the drop area: the sentence first, then what it rests on. */
import type { Status } from "../verify/verdict.ts";
import { shortHex, shownTime } from "../words/shown.ts";
import type { Words } from "../words/words.ts";
import { digest, facts, foreign, h, unfolding } from "./dom.ts";
import { exhibitBody } from "./exhibit_view.ts";
import type { Item, Problem, Result } from "./protocol.ts";
import { recordsTable } from "./records_view.ts";
import { harmless, word } from "./status.ts";
import { block, ladder, reasonOf, stepsOf, withTime } from "./verdict_view.ts";

/** The sentence about one thing, with its verdict word. */
export function sentenceOf(item: Item, words: Words): (Node | string)[] {
  return [...spoken(item, words), " ", word(item.verdict.status, words)];
}

function spoken(item: Item, words: Words): (Node | string)[] {
  if (item.type === "proof") {
    const { verdict } = item;
    const headline = verdict.existed_before.headline;
    const name = foreign(harmless(baseName(item.file ?? item.name), 120), { class: "name" });
    if (headline === null) return [name, separator(words), statusSentence(verdict.status, words)];
    if (item.file !== null) return [name, " ", ...withTime(words.sentence.existed, headline)];
    const short = h("code", { title: verdict.digest }, shortHex(verdict.digest));
    return words.lang === "en" ? ["The digest ", short, " ", ...withTime(words.sentence.existed, headline)] : ["哈希值 ", short, " ", ...withTime(words.sentence.existed, headline)];
  }
  const records = item.type === "exhibit" ? item.verdict.records : item.verdict;
  const newest = records?.records.findLast(({ existed_before }) => existed_before.headline !== null);
  const what: (Node | string)[] =
    item.type === "exhibit"
      ? [foreign(harmless(item.verdict.name ?? item.name, 120), { class: "name" }), separator(words)]
      : [words.sentence.records(item.shown.length), separator(words)];
  if (item.verdict.status === "failed" || newest === undefined) return [...what, statusSentence(item.verdict.status, words)];
  return [...what, ...withTime((time) => words.sentence.newest(newest.record.seq, time), newest.existed_before.headline!)];
}

function separator(words: Words): string {
  return words.lang === "en" ? ": " : "：";
}

function statusSentence(status: Status, words: Words): string {
  if (status === "failed") return words.sentence.failed;
  return status === "pending" ? words.sentence.pending : words.sentence.notChecked;
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** The same in plain text, for the title and for those who listen. */
export function plainSentence(result: Result, words: Words): string {
  const [item] = result.items;
  if (result.items.length !== 1 || item === undefined) return words.sentence.manyFiles(result.items.length);
  return h("p", {}, sentenceOf(item, words)).textContent ?? "";
}

/** What one sentence rests on. */
export function bodyOf(item: Item, words: Words): (HTMLElement | null)[] {
  if (item.type === "exhibit") return exhibitBody(item, words);
  if (item.type === "records") {
    const { verdict } = item;
    return [
      h("p", {}, foreign(words.exhibit.complete(verdict))),
      recordsTable(verdict, item.shown, words),
      unfolding(words.steps.json, block(JSON.stringify({ ...verdict, records: verdict.records.map((each) => ({ ...each, steps: undefined })) }, null, 1), words.steps.copy, words)),
    ];
  }
  const { verdict } = item;
  return [
    verdict.status === "failed" ? h("p", { class: "failed" }, why(item, words)) : null,
    item.file === null ? h("p", { class: "note" }, words.sentence.digestOnly) : null,
    verdict.file === "failed" ? h("p", { class: "note" }, words.sentence.otherFile) : null,
    verdict.answer === undefined ? null : answer(verdict.before ?? "", verdict.answer, words),
    ladder(verdict, words),
    facts([words.steps.digest, digest(verdict.digest)]),
    stepsOf(verdict, words),
  ];
}

function why(item: Extract<Item, { type: "proof" }>, words: Words): HTMLElement {
  const { verdict } = item;
  const row = verdict.attestations.find(({ status }) => status === "failed");
  if (verdict.file === "failed") return reasonOf("page.file", verdict.reason, words);
  return reasonOf(row?.code ?? verdict.log.code, verdict.reason, words);
}

function answer(before: string, said: "yes" | "no" | "unknown" | null, words: Words): HTMLElement {
  return h("p", { class: "answer" }, h("strong", {}, words.ask.before(shownTime(before))), " ", said === null ? words.ask.none : words.ask[said]);
}

/** What could not be judged. */
export function problemsOf(problems: readonly Problem[], words: Words): HTMLElement | null {
  if (problems.length === 0) return null;
  const said = (problem: Problem) =>
    problem.code === "page.no_proof" ? words.problem.noProof : [words.problem.unreadable, ": ", reasonOf(problem.code, problem.reason, words)];
  return h(
    "section",
    { class: "problems" },
    h("h3", {}, words.problem.heading),
    h("ul", {}, problems.map((problem) => h("li", {}, foreign(harmless(problem.name, 200), { class: "name" }), " – ", said(problem)))),
  );
}

/** What the verdict trusts. */
export function policyOf(result: Result | null, builtIn: Result["policy"], words: Words, back: (() => void) | null): HTMLElement {
  const policy = result?.policy ?? builtIn;
  return h(
    "section",
    { class: "policy" },
    h("h2", {}, words.policy.heading),
    facts(
      [words.ladder.policy, [foreign(harmless(policy.name)), ` (${policy.builtIn ? words.policy.builtIn : words.policy.own})`]],
      [words.policy.class, policy.class],
      [words.policy.sha256, digest(policy.sha256)],
    ),
    policy.class === "test" && (result?.items.length ?? 0) === 0 ? h("p", { class: "pending" }, words.sentence.test) : null,
    h("p", { class: "note" }, words.policy.text),
    back === null ? null : h("button", { type: "button", onclick: back }, words.policy.back),
  );
}
