/** Which blocks a proof rests on, so that a person can compare them with a source of their own. */
import { toHex } from "../bytes/bytes.ts";
import { displayHex, parseHeader } from "../formats/bitcoin.ts";
import { parseEvmHeader } from "../formats/evm.ts";
import { readTree } from "../formats/ots.ts";
import type { Policy } from "../proof/policy.ts";
import type { Attestation, Proof } from "../proof/proof.ts";
import type { Beacon } from "../records/record.ts";
import type { Block } from "./protocol.ts";

/** Return each block once, in the order of the proof. */
export function blocksOf(proof: Proof, policy: Policy): Block[] {
  return proof.attestations.flatMap((row) => {
    try {
      return row.kind === "evm" ? evmBlocks(row, policy) : row.kind === "opentimestamps" ? bitcoinBlocks(row) : [];
    } catch {
      return []; // a row that can not be read is failed, and rests on nothing
    }
  });
}

/** Return the blocks that beacons name. */
export function beaconBlocks(beacons: readonly Beacon[]): Block[] {
  return beacons.flatMap((beacon): Block[] => {
    if (beacon.source === "bitcoin") return [{ chain: "bitcoin", height: beacon.height, hash: beacon.hash }];
    return [];
  });
}

function bitcoinBlocks(row: Extract<Attestation, { kind: "opentimestamps" }>): Block[] {
  const heights = readTree(row.tree, row.rootHash).flatMap(({ end }) => (end.kind === "bitcoin" ? [end.height] : []));
  return heights.map((height) => {
    const run = row.headers.find((headers) => headers.height === height);
    const hash = run === undefined ? null : displayHex(parseHeader(run.headers[0]!).hash);
    return { chain: "bitcoin", height, hash };
  });
}

function evmBlocks(row: Extract<Attestation, { kind: "evm" }>, policy: Policy): Block[] {
  const name = policy.chains.find(({ chainId }) => chainId === row.chainId)?.name ?? `EVM ${row.chainId}`;
  const headers = [row.transaction, row.receipt, row.storage].flatMap((part) => (part === null ? [] : [part.header]));
  return headers.map((raw) => {
    const header = parseEvmHeader(raw);
    return { chain: "evm", chainId: row.chainId, name, number: Number(header.number), hash: toHex(header.hash) };
  });
}
