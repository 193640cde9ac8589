/** Step W: how much work one verification does, and which rows get it. */
import { slowDigestUnits } from "../formats/ots_cost.ts";
import * as limits from "../limits.ts";
import type { Attestation, EvmAttestation } from "../proof/proof.ts";
import { judged } from "./judgement.ts";

/** The row that got none. */
export const OVER_BUDGET = judged(
  "not_checked", "limit.work",
  `this proof asks for more than the ${limits.MAX_WORK_UNITS.toLocaleString("en")} units of work that are done for one`,
);

/** The same, of an exhibit. */
export const EXHIBIT_OVER_BUDGET = judged(
  "not_checked", "limit.work",
  `the proofs before this one took the ${limits.MAX_EXHIBIT_UNITS.toLocaleString("en")} units of work that are done for one exhibit`,
);

/** Return those of the rows that are judged (W.3): first by size, then by whole cost. */
export function affordable(rows: readonly Attestation[]): ReadonlySet<Attestation> {
  const sized = within(rows.map((row) => ({ row, cost: sizeUnits(row) })));
  return new Set(within(sized.map(({ row, cost }) => ({ row, cost: cost + workUnits(row) }))).map(({ row }) => row));
}

interface Costly {
  readonly row: Attestation;
  readonly cost: number;
}

/** Return the rows of at most the greatest cost such that all rows of at most that cost fit. */
function within(rows: readonly Costly[]): Costly[] {
  const sums = new Map<number, number>();
  for (const { cost } of rows) sums.set(cost, (sums.get(cost) ?? 0) + cost);
  let spent = 0;
  let most = -1;
  for (const [cost, sum] of [...sums].sort(([a], [b]) => a - b)) {
    spent += sum;
    if (spent > limits.MAX_WORK_UNITS) break;
    most = cost;
  }
  return rows.filter(({ cost }) => cost <= most);
}

/** W.1: what a row costs by its size and number of parts alone. */
export function sizeUnits(row: Attestation): number {
  switch (row.kind) {
    case "opentimestamps": {
      const headers = row.headers.reduce((sum, run) => sum + run.headers.length, 0);
      return limits.UNITS_PER_OTS_BYTE * row.tree.length + limits.UNITS_PER_BITCOIN_HEADER * headers;
    }
    case "evm":
      return limits.UNITS_PER_EVM_BYTE * total(evmParts(row));
    case "rfc3161":
      return (
        limits.UNITS_PER_TOKEN +
        limits.UNITS_PER_CERTIFICATE * row.certificates.length +
        limits.UNITS_PER_OCSP_ANSWER * row.ocsp.length +
        limits.UNITS_PER_CRL * row.crls.length +
        Math.floor(total([row.token, ...row.certificates, ...row.ocsp]) / limits.TOKEN_BYTES_PER_UNIT) +
        Math.floor(total(row.crls) / limits.CRL_BYTES_PER_UNIT)
      );
    case "witness":
      return limits.UNITS_PER_COSIGNATURE * row.checkpoint.split("\n\u2014").length;
    default:
      return 0;
  }
}

/** W.2: what a row costs besides, by what it asks to be computed. */
export function workUnits(row: Attestation): number {
  return row.kind === "opentimestamps" ? slowDigestUnits(row.tree, row.rootHash.length) : 0;
}

function evmParts({ transaction, receipt, storage }: EvmAttestation): Uint8Array[] {
  const parts = [transaction, receipt].flatMap((proof) => (proof === null ? [] : [proof.header, ...proof.nodes]));
  return storage === null ? parts : [...parts, storage.header, ...storage.accountNodes, ...storage.storageNodes];
}

function total(parts: readonly Uint8Array[]): number {
  return parts.reduce((sum, part) => sum + part.length, 0);
}
