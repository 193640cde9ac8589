/**
 * Answers of costly checks, remembered: many proofs of one round hold the same token, chain and
 * checkpoint. A check's answer depends on its inputs alone, and these are the key, whole.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { fromBigInt, toHex } from "../bytes/bytes.ts";
import { toUtf8 } from "../bytes/text.ts";

const MOST = 8192;
const answers = new Map<string, boolean>();

/** Return what `check` says of these inputs, asking it the first time only. */
export function once(what: string, inputs: readonly Uint8Array[], check: () => boolean): boolean {
  const hash = sha256.create();
  for (const input of [toUtf8(what), ...inputs]) hash.update(fromBigInt(BigInt(input.length), 8)).update(input);
  const key = toHex(hash.digest());
  const known = answers.get(key);
  if (known !== undefined) return known;
  const answer = check();
  if (answers.size >= MOST) answers.clear();
  answers.set(key, answer);
  return answer;
}
