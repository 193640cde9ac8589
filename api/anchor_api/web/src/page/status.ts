/** The four words with their signs: the same everywhere, never colour alone. */
import type { Status } from "../verify/verdict.ts";
import type { Words } from "../words/words.ts";
import { h } from "./dom.ts";

const SIGNS: Record<Status, string> = { verified: "✓", failed: "✕", pending: "…", not_checked: "○" };

/** What in somebody else's words could be taken for one of them. */
const IMITATIONS = /[✓✔✅☑🗸🗹✕✗✘✖❌☒○⨯◯◌⚪⭕…⋯‥⋰]/gu;

/** Our own short form of a digest, which keeps its ellipsis. */
const SHORTENED = /\b([0-9a-f]{8})…(?! ?pending)/g;

/** Return the word of a status with its sign. */
export function word(status: Status, words: Words): HTMLElement {
  const sign = h("span", { class: "sign", "aria-hidden": "true" }, SIGNS[status]);
  return h("span", { class: `word ${status}` }, sign, ` ${words.status[status]}`);
}

/** Return a peer's words without what imitates a verdict, on one line and not too long. */
export function harmless(text: string, most = 200): string {
  const plain = text
    .replace(/[\p{C}\p{Z}]+/gu, " ")
    .replace(SHORTENED, "$1\u0001")
    .replace(IMITATIONS, (sign) => ("…⋯‥⋰".includes(sign) ? "..." : "?"))
    .replaceAll("\u0001", "…")
    .trim();
  return plain.length > most ? `${plain.slice(0, most)} [...]` : plain;
}
