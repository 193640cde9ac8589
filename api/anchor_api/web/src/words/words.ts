/** The languages of the page, and which one a browser wants. */
import { type Words, en } from "./en.ts";
import { zh } from "./zh.ts";

export type { Words } from "./en.ts";

/** Every language by its tag. */
export const LANGUAGES: Readonly<Record<"en" | "zh", Words>> = { en, zh };

/** Name of a language of the page. */
export type Language = keyof typeof LANGUAGES;

/** Return the language of the page that suits a browser's list of wanted ones. */
export function languageFor(wanted: readonly string[]): Language {
  for (const tag of wanted) {
    if (/^zh\b/i.test(tag)) return "zh";
    if (/^en\b/i.test(tag)) return "en";
  }
  return "en";
}
