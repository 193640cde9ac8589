/** Step 6: the root hash in a block of an EVM chain. */
import { contains, equal, toHex } from "../bytes/bytes.ts";
import { seconds, type Micros } from "../bytes/time.ts";
import { FalseError } from "../errors.ts";
import {
  parseEvmHeader, provenAccount, provenTransaction, receiptHolds, registryTime, type EvmHeader,
} from "../formats/evm.ts";
import { keccak_256 } from "@noble/hashes/sha3.js";
import type { Chain, Policy } from "../proof/policy.ts";
import type { EvmAttestation, IndexedTrieProof, StorageTrieProof } from "../proof/proof.ts";
import type { KnownFacts } from "./facts.ts";
import { judged, type Judgement } from "./judgement.ts";
import type { Step } from "./verdict.ts";

/** Seconds of 9999-01-01: a date ends with the year 9999, and a tolerance is added. */
const LAST_TIME = 253_370_764_800n;

/** A time that the evidence gives if the header is its chain's. */
interface Bound {
  readonly header: EvmHeader;
  readonly time: bigint;
  readonly step: Step;
}

/** Judge one EVM row. */
export function judgeEvm(attestation: EvmAttestation, policy: Policy, facts: KnownFacts): Judgement {
  const chain = policy.chains.find(({ chainId }) => chainId === attestation.chainId);
  const by = chain?.name ?? `chain ${attestation.chainId}`;
  const bounds = boundsOf(attestation, chain);
  const steps = bounds.map(({ step }) => step);
  if (bounds.length === 0)
    return attestation.storage === null
      ? judged("pending", "evm.pending", "the transaction is not final yet", { by })
      : judged("not_checked", "evm.contract_unknown", "the contract is not the policy's, and how it stores is not known", { by });
  if (chain === undefined)
    return judged("not_checked", "evm.chain_unknown", `the policy does not know chain ${attestation.chainId}`, { by, steps });
  const standings = bounds.map((bound) => ({ bound, who: canonicalBy(bound.header.number, bound.header.hash, chain, facts) }));
  const verified = standings.filter(({ who }) => who !== null);
  const { bound, who } = earliest(verified.length > 0 ? verified : standings);
  const time = blockTime(bound.time, chain.toleranceS);
  const { number, hash } = bound.header;
  const common = { toleranceS: chain.toleranceS, by, steps };
  if (who === null)
    return judged(
      "not_checked", "evm.header_supplied",
      `matches a supplied header: block ${number}, hash ${toHex(hash)}; nothing here says that it is canonical`,
      { ...common, potential: time },
    );
  return judged("verified", "evm.verified", `in block ${number} of ${chain.name}`, {
    ...common, time, trust: trustOf(chain, number, who), headline: chain.headline,
  });
}

function earliest<T extends { readonly bound: Bound }>(standings: readonly T[]): T {
  return standings.reduce((least, one) => (one.bound.time < least.bound.time ? one : least));
}

/** Return a block's time with a tolerance added; FalseError for one that no calendar has. */
export function blockTime(unixTime: bigint, toleranceS: number): Micros {
  if (unixTime > LAST_TIME) throw new FalseError(`the block's time ${unixTime} is in no year`, "evm.time");
  return seconds(unixTime + BigInt(toleranceS));
}

function trustOf(chain: Chain, number: bigint, who: string): string {
  const sentence = `believe that block ${number} is canonical (${who})`;
  if (chain.class === "l2") return `${sentence}, and the clock of its sequencer ${chain.sequencer}`;
  return chain.class === "test" ? `${sentence}; a test chain shows nothing to anybody else` : sentence;
}

/**
 * Return who says that a block is its chain's, or null where nobody does (6.4). FalseError where a
 * pinned or confirmed block of that number is another one.
 */
export function canonicalBy(number: bigint, hash: Uint8Array, chain: Chain, facts: KnownFacts): string | null {
  const pinned = chain.pinned.find((block) => BigInt(block.number) === number);
  const confirmed = facts.evm?.get(`${chain.chainId}:${number}`);
  const claims: { hash: string; who: string }[] = [];
  if (pinned !== undefined) claims.push({ hash: toHex(pinned.hash), who: "pinned by the policy" });
  if (confirmed !== undefined) claims.push({ hash: confirmed.hash, who: `confirmed by ${confirmed.confirmed_by}` });
  for (const claim of claims)
    if (claim.hash !== toHex(hash))
      throw new FalseError(`block ${number} is ${claim.hash} (${claim.who}), not ${toHex(hash)}`, "evm.block_not_canonical");
  return claims[0]?.who ?? null;
}

function boundsOf(attestation: EvmAttestation, chain: Chain | undefined): Bound[] {
  const bounds: Bound[] = [];
  if (attestation.transaction !== null) bounds.push(ofTransaction(attestation, attestation.transaction));
  if (attestation.receipt !== null) bounds.push(ofReceipt(attestation, attestation.receipt));
  const stored = attestation.storage === null ? null : ofStorage(attestation, attestation.storage, chain);
  return stored === null ? bounds : [...bounds, stored];
}

/** 6.1 */
function ofTransaction(attestation: EvmAttestation, proof: IndexedTrieProof): Bound {
  const header = parseEvmHeader(proof.header);
  const raw = provenTransaction(header, proof.index, proof.nodes);
  const hash = keccak_256(raw);
  if (attestation.transactionHash !== null && !equal(attestation.transactionHash, hash))
    throw new FalseError("the proven transaction is not the one named", "evm.transaction_mismatch");
  if (!contains(raw, attestation.rootHash))
    throw new FalseError("the transaction does not hold the root hash", "evm.root_not_in_transaction");
  const lines = [
    `block ${header.number}, keccak-256 of its header ${toHex(header.hash)}`,
    `transaction 0x${toHex(hash)} at index ${proof.index}`,
  ];
  return { header, time: header.time, step: { number: "6.1", title: "the transaction holds the root hash", lines } };
}

/** 6.2 */
function ofReceipt(attestation: EvmAttestation, proof: IndexedTrieProof): Bound {
  const header = parseEvmHeader(proof.header);
  if (!receiptHolds(header, proof.index, proof.nodes, attestation.rootHash))
    throw new FalseError("no event of the receipt holds the root hash", "evm.root_not_in_receipt");
  const lines = [`block ${header.number}, receipt at index ${proof.index}`];
  return { header, time: header.time, step: { number: "6.2", title: "an event holds the root hash", lines } };
}

/** 6.3: null where a strange contract's storage shows nothing. */
function ofStorage(attestation: EvmAttestation, proof: StorageTrieProof, chain: Chain | undefined): Bound | null {
  const header = parseEvmHeader(proof.header);
  const account = provenAccount(header, attestation.contract, proof.accountNodes);
  const known = chain?.contracts.find(
    ({ address, codeHash }) => equal(address, attestation.contract) && equal(codeHash, account.codeHash),
  );
  let time: bigint;
  try {
    time = registryTime(account, known?.mapSlot ?? 0, attestation.rootHash, proof.storageNodes);
  } catch (error) {
    if (known === undefined && error instanceof FalseError) return null;
    throw error;
  }
  const stored = known !== undefined && time <= header.time;
  const what = stored
    ? `the policy's contract stored the time ${time}`
    : "the contract is not the policy's, or its time is after its block's: the block's time is used";
  const step = { number: "6.3", title: "the storage holds the root hash", lines: [`block ${header.number}; ${what}`] };
  return { header, time: stored ? time : header.time, step };
}
