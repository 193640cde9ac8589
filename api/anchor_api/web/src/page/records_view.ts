/** A project's records: one row each, unfolding to what it discloses, its ladder and its steps. */
import type { Json } from "../bytes/json.ts";
import type { RecordsVerdict } from "../records/judge.ts";
import type { Finding } from "../verify/verdict.ts";
import type { Words } from "../words/words.ts";
import { digest, facts, foreign, h } from "./dom.ts";
import type { ShownRecord } from "./protocol.ts";
import { harmless, word } from "./status.ts";
import { ladder, reasonOf, stepsOf, timeOf } from "./verdict_view.ts";

type Judged = RecordsVerdict["records"][number];

/** The table of records and stubs. */
export function recordsTable(
  verdict: RecordsVerdict,
  shown: readonly ShownRecord[],
  words: Words,
  reasons: ReadonlyMap<number, string> = new Map(),
): HTMLElement {
  const known = new Map(shown.map((record) => [record.digest, record]));
  const rows = [
    ...verdict.records.map((judged) => ({ seq: judged.record.seq, row: recordRow(judged, known.get(judged.digest), words) })),
    ...verdict.stubs.map((stub) => ({ seq: stub.seq, row: stubRow(stub, reasons.get(stub.seq), words) })),
  ].sort((a, b) => a.seq - b.seq);
  return h(
    "section",
    { class: "records" },
    h("h3", {}, words.records.heading),
    h("ol", { class: "rows" }, rows.map(({ row }) => row)),
    verdict.forks.length === 0 ? null : h("div", {}, h("h4", {}, words.records.forks), findings(verdict.forks, words)),
  );
}

function recordRow(judged: Judged, shown: ShownRecord | undefined, words: Words): HTMLElement {
  const { record } = judged;
  const headline = judged.existed_before.headline;
  const summary = h(
    "summary",
    {},
    h("span", { class: "seq" }, String(record.seq)),
    h("span", { class: "kind" }, words.kind[record.kind] ?? record.kind),
    h("span", { class: "gist" }, foreign(shown === undefined ? "" : gist(shown))),
    h("span", { class: "when" }, headline === null ? "–" : words.ladder.before(headline.slice(0, 16).replace("T", " "))),
    word(judged.status, words),
  );
  const details = h("details", {}, summary);
  details.addEventListener("toggle", () => details.append(recordBody(judged, shown, words)), { once: true });
  return h("li", { class: judged.status, value: String(record.seq) }, details);
}

function recordBody(judged: Judged, shown: ShownRecord | undefined, words: Words): HTMLElement {
  const { record } = judged;
  const late = shown?.late ? h("span", {}, ` · ${words.records.late}`) : null;
  return h(
    "div",
    { class: "body" },
    disclosed(shown, record.withheld_fields, words),
    h("h4", {}, words.records.findings),
    findings(record.findings, words),
    ladder(judged, words),
    facts(
      [words.records.claimed, [timeOf(record.claimed_time), ` (${words.records.claimOnly})`, late ?? ""]],
      record.lag_s === null ? null : [words.records.lag, `${record.lag_s} s`],
      [words.records.role, foreign(record.actor.role)],
      [words.records.key, digest(record.actor.key)],
      [words.records.digest, digest(judged.digest)],
    ),
    stepsOf(judged, words),
  );
}

function findings(found: readonly Finding[], words: Words): HTMLElement {
  return h(
    "ul",
    { class: "findings" },
    found.map((finding) =>
      h("li", { class: finding.status }, word(finding.status, words), " ", h("span", { class: "number" }, finding.step), " ", reasonOf(finding.code, finding.reason, words)),
    ),
  );
}

function disclosed(shown: ShownRecord | undefined, withheld: number, words: Words): HTMLElement {
  const fields = shown?.fields ?? [];
  const files = shown?.files ?? [];
  return h(
    "section",
    { class: "disclosed" },
    h("h4", {}, words.records.fields),
    fields.length + files.length === 0
      ? h("p", { class: "note" }, words.records.noContent)
      : facts(
          ...fields.map(([name, value]) => [h("code", {}, name), valueOf(value)] as const),
          ...files.map((file) => [
            h("code", {}, `file.${file.number}`),
            [foreign(file.name ?? file.role), ` · ${file.role} · ${file.mediaType} · ${file.size.toLocaleString("en-US")} B · `, digest(file.sha256, true)],
          ] as const),
        ),
    withheld === 0 ? null : h("p", { class: "note" }, words.records.fieldsWithheld(withheld)),
  );
}

/** A value as people read it; whatever is in it stays text. */
function valueOf(value: Json): HTMLElement {
  if (typeof value === "string") return foreign(value, { class: "text" });
  if (isDifference(value))
    return h(
      "bdi",
      { class: "text" },
      value.map(([sign, text]) => h(sign === "+" ? "ins" : sign === "-" ? "del" : "span", {}, text)),
    );
  if (Array.isArray(value))
    return h("ul", { class: "values" }, value.map((item) => h("li", {}, typeof item === "string" ? foreign(item) : valueOf(pairText(item)))));
  return foreign(typeof value === "object" && value !== null ? pairText(value) as string : String(value), { class: "text" });
}

function isDifference(value: Json): value is [string, string][] {
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    value.every((item) => Array.isArray(item) && item.length === 2 && ["=", "-", "+"].includes(item[0] as string))
  );
}

function pairText(value: Json): string {
  if (Array.isArray(value) && value.length === 2) return `${String(value[0])}: ${String(value[1])}`;
  if (typeof value === "object" && value !== null)
    return Object.entries(value).map(([name, item]) => `${name}: ${typeof item === "string" ? item : JSON.stringify(item)}`).join(", ");
  return String(value);
}

/** A few words that tell one record from another. */
function gist(record: ShownRecord): string {
  const wanted = ["title", "positive", "text", "why", "reason", "human", "tool", "app", "where", "statement", "medium", "note"];
  const fields = new Map(record.fields);
  for (const name of wanted) {
    const value = fields.get(name);
    if (typeof value === "string" && value !== "") return harmless(value, 90);
  }
  return record.files.map((file) => file.name ?? file.role).slice(0, 3).map((name) => harmless(name, 40)).join(", ");
}

function stubRow(stub: { seq: number; kind: string; digest: string }, reason: string | undefined, words: Words): HTMLElement {
  return h(
    "li",
    { class: "stub", value: String(stub.seq) },
    h(
      "div",
      { class: "summary" },
      h("span", { class: "seq" }, String(stub.seq)),
      h("span", { class: "kind" }, words.kind[stub.kind] ?? stub.kind),
      h("span", { class: "gist" }, reason === undefined ? words.records.withheld : foreign(words.records.withheldWhy(harmless(reason, 300)))),
      h("span", { class: "when" }, digest(stub.digest, true)),
    ),
  );
}
