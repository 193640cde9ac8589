/** The vectors of records (`tests/vectors/records`). */
import { readFileSync, readdirSync } from "node:fs";
import type { Raw } from "./record_question.ts";

const FOLDER = new URL("../../../../tests/vectors/records/", import.meta.url);

/** Every vector's name. */
export const NAMES = readdirSync(FOLDER)
  .filter((name) => name.endsWith(".json"))
  .map((name) => name.slice(0, -5))
  .sort();

/** Read a vector. */
export function vectorOf(name: string): Raw {
  return JSON.parse(readFileSync(new URL(`${name}.json`, FOLDER), "utf8")) as Raw;
}
