/** How much work the proofs of an exhibit ask for, and for which of them there is enough: step E5. */
import { sha256 } from "@noble/hashes/sha2.js";
import { toHex } from "../bytes/bytes.ts";
import { toUtf8 } from "../bytes/text.ts";
import { slowDigestUnits } from "../formats/ots_cost.ts";
import * as limits from "../limits.ts";
import type { Attestation } from "../proof/proof.ts";
import { sizeUnits, workUnits } from "../verify/work.ts";
import { type Agreement, otsPathOf } from "./agreement.ts";
import type { Contents } from "./contents.ts";

const DIGEST_BYTES = 32;
/** Magic, version, operation and SHA-256, before the tree. */
const OTS_HEAD_BYTES = 65;

/**
 * Return the digests of the records for whose proofs no units are left. The first proof that asks for too
 * much ends it, so that no bytes are looked through only to learn what they would cost.
 */
export function unpaidRecords(
  contents: Pick<Contents, "texts">,
  { records, proofs }: Pick<Agreement, "records" | "proofs">,
  most = limits.MAX_EXHIBIT_UNITS,
): ReadonlySet<string> {
  const seen = new Set<string>();
  const unpaid = new Set<string>();
  let left = most;
  let ended = false;
  for (const [seq, proof] of proofs) {
    const rows = proof.attestations.filter((row) => sizeUnits(row) > 0);
    const fresh = new Map(rows.map((row) => [keyOf(row), row] as const).filter(([key]) => !seen.has(key)));
    const file = contents.texts.get(otsPathOf(seq)) ?? new Uint8Array();
    if (file.length === 0 && fresh.size === 0) continue;
    if (!ended) {
      left -= rowsUnits([...fresh.values()], file.length > 0 ? 2 : 1) + otsUnits(file);
      ended = left < 0;
    }
    if (ended) unpaid.add(records.get(seq)!.digest);
    else for (const key of fresh.keys()) seen.add(key);
  }
  return unpaid;
}

/** What a proof's rows cost, their trees walked so many times, at most what is done for that many proofs. */
function rowsUnits(rows: readonly Attestation[], times: number): number {
  const most = times * limits.MAX_WORK_UNITS;
  let spent = 0;
  for (const row of rows) {
    const size = sizeUnits(row);
    spent += size;
    if (size <= limits.MAX_WORK_UNITS && spent < most) spent += times * workUnits(row);
  }
  return Math.min(spent, most);
}

/** What an `.ots` file costs, at most what is done for one proof. */
function otsUnits(data: Uint8Array): number {
  let units = limits.UNITS_PER_OTS_BYTE * data.length;
  if (units < limits.MAX_WORK_UNITS) units += slowDigestUnits(data.subarray(OTS_HEAD_BYTES), DIGEST_BYTES);
  return Math.min(units, limits.MAX_WORK_UNITS);
}

/** The same for rows that are equal in all that they hold. */
function keyOf(row: Attestation): string {
  const text = JSON.stringify(row, (_name, value: unknown) => {
    if (value instanceof Uint8Array) return { bytes: toHex(value) };
    return typeof value === "bigint" ? { integer: String(value) } : value;
  });
  return toHex(sha256(toUtf8(text)));
}
