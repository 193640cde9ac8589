/** One verdict: the ladder, and below it the steps. */
import type { BeaconVerdict, Row, Step, Utc, Verdict } from "../verify/verdict.ts";
import { shownTime } from "../words/shown.ts";
import type { Words } from "../words/words.ts";
import { add, copyText, digest, foreign, h, lazily, unfolding } from "./dom.ts";
import { withCommands } from "./redo.ts";
import { harmless, word } from "./status.ts";

/** A time in UTC, marked as one; the place's own time is an addition. */
export function timeOf(utc: Utc): HTMLElement {
  return h("time", { datetime: utc, title: new Date(utc).toString() }, shownTime(utc));
}

/** A sentence of ours with a time in it, the time marked as one. */
export function withTime(sentence: (time: string) => string, utc: Utc): (Node | string)[] {
  const [before = "", after = ""] = sentence("\u0000").split("\u0000");
  return [before, timeOf(utc), after];
}

/** The rows: one for each attestation, then not-before, the log, the policy. */
export function ladder(verdict: Verdict, words: Words): HTMLElement {
  const list = h("ol", { class: "ladder" });
  for (const row of verdict.attestations) list.append(attestationRow(row, words));
  list.append(notBeforeRow(verdict, words));
  if (verdict.log.code !== "log.none") list.append(logRow(verdict, words));
  return h("section", { class: "evidence" }, h("h3", {}, words.ladder.heading), list, warnings(verdict, words));
}

function attestationRow(row: Row, words: Words): HTMLElement {
  const label = [words.ladder.family[row.family] ?? words.ladder.family["other"]!];
  const bound =
    row.attested_time === null ? [words.ladder.none] : withTime(words.ladder.before, row.attested_time);
  const notes: (Node | string)[] = [];
  if (row.status === "verified") {
    notes.push(foreign(words.trust(row))); // made of the policy's words alone
    if (row.tolerance_s > 0) notes.push(words.ladder.tolerance(row.tolerance_s));
    if (row.precision === "day") notes.push(words.ladder.day);
  } else if (row.status === "pending") {
    notes.push(foreign(harmless(row.kind === "expected" ? row.by : hostsOf(row))));
    const usually = words.ladder.usually[row.family];
    if (usually !== undefined) notes.push(usually);
  } else {
    notes.push(reasonOf(row.code, row.reason, words));
  }
  const by = row.status !== "pending" && row.by !== "" ? [foreign(harmless(hostOf(row.by), 80), { class: "by" })] : [];
  return h(
    "li",
    {},
    h("span", { class: "label" }, label, by),
    h("span", { class: "bound" }, bound),
    word(row.status, words),
    h("span", { class: "note" }, ...joined(notes)),
  );
}

/** The host of an address, anything else as it is. */
function hostOf(by: string): string {
  return /^https?:\/\/([^/\s]+)/.exec(by)?.[1] ?? by;
}

/** The hosts of calendars that have promised. */
function hostsOf(row: Row): string {
  const hosts = [...row.reason.matchAll(/https?:\/\/([^/\s,;]+)/g)].map((match) => match[1]!);
  return hosts.length > 0 ? hosts.join(", ") : row.by;
}

/** Why, in the page's language; where that says less than the original, the original follows. */
export function reasonOf(code: string, reason: string, words: Words): HTMLElement {
  const said = words.reason(code, reason);
  if (said === reason || reason === "") return foreign(harmless(said, 400));
  return h("span", {}, said, " ", h("small", { lang: "en" }, "(", foreign(harmless(reason, 400)), ")"));
}

function notBeforeRow(verdict: Verdict, words: Words): HTMLElement {
  const beacons = verdict.record?.beacons ?? [];
  const notes = beacons.map((beacon) => beaconNote(beacon, words));
  const bound = verdict.not_before === null ? [words.ladder.none] : [timeOf(verdict.not_before)];
  return h(
    "li",
    { class: "below" },
    h("span", { class: "label" }, words.ladder.notBefore),
    h("span", { class: "bound" }, bound),
    verdict.not_before === null ? h("span", { class: "word" }) : word("verified", words),
    h(
      "span",
      { class: "note" },
      notes.length === 0 ? words.ladder.noNotBefore : notes,
      verdict.not_before === null ? null : h("span", {}, words.ladder.notBeforeBounds),
    ),
  );
}

function beaconNote(beacon: BeaconVerdict, words: Words): HTMLElement {
  const source = String(beacon["source"]);
  const number = String(beacon["height"] ?? beacon["number"] ?? beacon["round"]);
  const name = { bitcoin: words.ladder.family["bitcoin"]!, evm: `EVM ${String(beacon["chain_id"])}`, drand: "drand" }[source];
  return h("span", { class: "beacon" }, `${name ?? source} ${number}: `, word(beacon.status, words), " ", reasonOf(beacon.code, beacon.reason, words));
}

function logRow({ log }: Verdict, words: Words): HTMLElement {
  const place =
    log.leaf_index === null || log.tree_size === null ? words.ladder.none : words.ladder.logAt(log.leaf_index, log.tree_size);
  return h(
    "li",
    { class: "below" },
    h("span", { class: "label" }, words.ladder.log),
    h("span", { class: "bound" }, place),
    word(log.status, words),
    h("span", { class: "note" }, log.origin === null ? reasonOf(log.code, log.reason, words) : foreign(harmless(log.origin))),
  );
}

function warnings({ warnings: texts }: Verdict, words: Words): HTMLElement | null {
  if (texts.length === 0) return null;
  return h("ul", { class: "warnings" }, texts.map((text) => h("li", {}, foreign(words.warning(text)))));
}

/** Everything that can be redone by hand, and the verdict as JSON. */
export function stepsOf(verdict: Verdict, words: Words): HTMLElement {
  const steps = verdict.steps ?? [];
  return lazily(words.steps.heading, () => [
    h("p", {}, words.steps.digest, ": ", digest(verdict.digest)),
    h("ol", { class: "steps" }, steps.map((step) => stepItem(step, words))),
    unfolding(words.steps.json, block(JSON.stringify({ ...verdict, steps: undefined }, null, 1), words.steps.copy, words)),
  ]);
}

function stepItem(step: Step, words: Words): HTMLElement {
  const title = h("h4", {}, h("span", { class: "number" }, step.number), " ", words.steps.title(step.number, step.title));
  const original = words.steps.title(step.number, step.title) === step.title ? null : h("small", { lang: "en" }, ` ${step.title}`);
  add(title, [original]);
  return h("li", {}, title, block(withCommands(step.lines).join("\n"), words.steps.copyStep(step.number), words));
}

/** A text to be copied whole. */
export function block(text: string, label: string, words: Words): HTMLElement {
  const state = h("span", { role: "status" });
  const button = h(
    "button",
    {
      type: "button",
      class: "copy",
      "aria-label": label,
      onclick: () =>
        void copyText(text).then(() => {
          state.textContent = words.steps.copied;
          setTimeout(() => (state.textContent = ""), 2000);
        }),
    },
    words.steps.copy,
  );
  return h("div", { class: "block" }, h("pre", { dir: "ltr", tabindex: "0" }, text), h("div", { class: "tools" }, button, state));
}

function joined(parts: readonly (Node | string)[]): (Node | string)[] {
  return parts.flatMap((part, i) => (i === 0 ? [part] : [" · ", part]));
}
