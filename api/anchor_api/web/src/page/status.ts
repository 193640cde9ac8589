/** The four words with their signs: the same everywhere, never colour alone. */
import type { Status } from "../verify/verdict.ts";
import type { Words } from "../words/words.ts";
import { h } from "./dom.ts";

const SIGNS: Record<Status, string> = { verified: "✓", failed: "✕", pending: "…", not_checked: "○" };

/** What in somebody else's words could be taken for one of them. */
const IMITATIONS = /[✓✔✅☑🗸🗹✕✗✘✖❌☒○⨯◯◌⚪⭕…⋯‥⋰]/gu;

/** Return the word of a status with its sign. */
export function word(status: Status, words: Words): HTMLElement {
  const sign = h("span", { class: "sign", "aria-hidden": "true" }, SIGNS[status]);
  return h("span", { class: `word ${status}` }, sign, ` ${words.status[status]}`);
}

/** Return a peer's words without what imitates a verdict, on one line and not too long. */
export function harmless(text: string, most = 200): string {
  const plain = text
    .replace(/[\p{C}\p{Z}]+/gu, " ")
    .replace(IMITATIONS, (sign) => ("…⋯‥⋰".includes(sign) ? "..." : "?"))
    .trim();
  return plain.length > most ? `${plain.slice(0, most)} [...]` : plain;
}
