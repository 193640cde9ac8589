/** An exhibit: what is proved, asserted, not checked; what is wrong; its files; its records. */
import { sentencesOf } from "../exhibit/sentences.ts";
import type { ExhibitFinding } from "../exhibit/verdict.ts";
import { thumbprint } from "../records/keys.ts";
import type { Words } from "../words/words.ts";
import { digest, facts, foreign, h, unfolding } from "./dom.ts";
import type { Item, ShownFile } from "./protocol.ts";
import { recordsTable } from "./records_view.ts";
import { harmless, word } from "./status.ts";
import { block, reasonOf } from "./verdict_view.ts";

type Exhibit = Extract<Item, { type: "exhibit" }>;

const PICTURES = new Set(["image/png", "image/jpeg", "image/webp", "image/gif", "image/avif"]);
const FIRST_PICTURES = 12;

/** Everything below the sentence. */
export function exhibitBody(item: Exhibit, words: Words): (HTMLElement | null)[] {
  const { verdict } = item;
  return [
    wrong(verdict.findings.filter(({ status }) => status === "failed"), words),
    lists(item, words),
    facts(
      [words.exhibit.title, foreign(harmless(item.title, 400))],
      verdict.project === null ? null : [words.exhibit.project, digest(verdict.project)],
      verdict.bundle === null ? null : [words.exhibit.bundle, digest(verdict.bundle)],
      [words.exhibit.signedBy, verdict.signed_by === null ? words.exhibit.unsigned : digest(thumbprint(verdict.signed_by))],
    ),
    pictures(item, words),
    verdict.records === null ? null : recordsTable(verdict.records, item.shown, words, reasonsOf(item)),
    unfolding(words.steps.json, block(JSON.stringify(withoutSteps(verdict), null, 1), words.steps.copy, words)),
    h("p", { class: "note" }, words.exhibit.take),
  ];
}

/** Steps are many and stand with each record; the JSON is without them. */
function withoutSteps(verdict: Exhibit["verdict"]): unknown {
  const records = verdict.records;
  if (records === null) return verdict;
  return { ...verdict, records: { ...records, records: records.records.map((each) => ({ ...each, steps: undefined })) } };
}

function wrong(found: readonly ExhibitFinding[], words: Words): HTMLElement | null {
  if (found.length === 0) return null;
  return h(
    "section",
    { class: "wrong" },
    h("h3", {}, words.exhibit.findings),
    h(
      "ul",
      { class: "findings" },
      found.map((finding) =>
        h(
          "li",
          { class: "failed" },
          word("failed", words),
          " ",
          finding.path === null ? (words.exhibit.step[finding.step] ?? finding.step) : h("code", {}, foreign(finding.path)),
          " – ",
          reasonOf(finding.code, finding.reason, words),
        ),
      ),
    ),
  );
}

function lists(item: Exhibit, words: Words): HTMLElement {
  const said = spoken(item, words);
  const list = (name: string, items: readonly string[], kind: string, none: string | null = null) =>
    h(
      "section",
      { class: kind },
      h("h3", {}, name),
      items.length === 0 ? h("p", { class: "note" }, none) : h("ul", {}, items.map((text) => h("li", {}, foreign(harmless(text, 600))))),
    );
  return h(
    "div",
    { class: "lists" },
    list(words.exhibit.proved, said.proved, "proved", words.exhibit.nothingProved),
    list(words.exhibit.asserted, said.asserted, "asserted"),
    list(words.exhibit.notChecked, said.not_checked, "unchecked"),
  );
}

/** The sentences of the verdict, in the page's language. */
function spoken({ verdict, entries, list }: Exhibit, words: Words): ReturnType<typeof sentencesOf> {
  const { records, findings, bundle, signed_by: signedBy, status } = verdict;
  return sentencesOf({ entries, list, records, findings, bundle, signedBy, status }, words.exhibit);
}

/** Why records are withheld, by number, in the party's words. */
function reasonsOf({ list }: Exhibit): Map<number, string> {
  return new Map((list?.records ?? []).flatMap(({ seq, reason }) => (reason === null ? [] : [[seq, reason] as const])));
}

function pictures({ shown, verdict }: Exhibit, words: Words): HTMLElement | null {
  const bad = verdict.findings.filter(({ status }) => status === "failed").map(({ path }) => path ?? "");
  const draw = ({ seq, file }: Drawn) => picture(seq, file, bad.some((path) => path.includes(file.sha256)), words);
  const files = shown.flatMap((record) => record.files.map((file) => ({ seq: record.seq, file })));
  if (files.length === 0) return null;
  const seen = new Set<string>();
  const drawn = files.filter(({ file }) => {
    const takes = file.bytes !== null && PICTURES.has(file.mediaType) && !seen.has(file.sha256);
    if (takes) seen.add(file.sha256);
    return takes;
  });
  const sheet = h("ul", { class: "pictures" }, drawn.slice(0, FIRST_PICTURES).map(draw));
  const rest = drawn.slice(FIRST_PICTURES);
  const more = h(
    "button",
    {
      type: "button",
      onclick: () => {
        sheet.append(...rest.map(draw));
        more.remove();
      },
    },
    words.exhibit.all(drawn.length),
  );
  return h("section", { class: "files" }, h("h3", {}, words.exhibit.files), sheet, rest.length === 0 ? null : more);
}

interface Drawn {
  readonly seq: number;
  readonly file: ShownFile;
}

function picture(seq: number, file: ShownFile, bad: boolean, words: Words): HTMLElement {
  const image = h("img", { alt: words.exhibit.file(seq, file.number), loading: "lazy", decoding: "async" });
  const address = URL.createObjectURL(new Blob([file.bytes!], { type: file.mediaType }));
  image.addEventListener("load", () => URL.revokeObjectURL(address), { once: true });
  image.src = address;
  const name = file.name === null ? null : foreign(harmless(file.name, 40));
  return h("li", {}, h("figure", {}, image, h("figcaption", {}, words.exhibit.file(seq, file.number), name === null ? null : h("span", {}, " · ", name), bad ? word("failed", words) : null)));
}
