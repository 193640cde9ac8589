/** What one verifier trusts (`docs/spec/policy.md`), read strictly. Trust never comes from a proof. */
import { sha256 } from "@noble/hashes/sha2.js";
import { reversed, toBigInt, toHex } from "../bytes/bytes.ts";
import { Fields } from "../bytes/fields.ts";
import { parseJson } from "../bytes/json.ts";
import { parseBase64 } from "../bytes/text.ts";
import { FormatError } from "../errors.ts";
import { type DrandNetwork, readDrandNetwork } from "../formats/drand.ts";
import { COSIGNATURE_V1, ED25519, parseVerifierKey, type VerifierKey } from "../formats/note.ts";
import { MAX_POLICY_BYTES, MAX_TSP_BYTES } from "../limits.ts";

/** Families that may set the headline. */
export const FAMILIES = ["rfc3161", "evm", "bitcoin", "witness"] as const;

/** A log's key and the sizes that it may sign. */
export interface LogKey {
  readonly origin: string;
  readonly key: VerifierKey;
  readonly firstSize: number;
  readonly lastSize: number | null;
  /** Root hash at `lastSize` when the key was retired. */
  readonly closingRoot: Uint8Array | null;
}

/** A time-stamping authority. */
export interface Authority {
  readonly name: string;
  /** DER certificates. */
  readonly roots: readonly Uint8Array[];
  /** What a token that states no accuracy is given. */
  readonly accuracyS: number;
  readonly qualified: boolean;
  readonly headline: boolean;
}

/** A registry contract whose stored time is believed. */
export interface Contract {
  readonly address: Uint8Array;
  readonly codeHash: Uint8Array;
  readonly mapSlot: number;
}

/** A block that the policy pins. */
export interface PinnedBlock {
  readonly number: number;
  readonly hash: Uint8Array;
}

/** An EVM chain. */
export interface Chain {
  readonly chainId: number;
  readonly name: string;
  readonly class: "l1" | "l2" | "test";
  readonly toleranceS: number;
  readonly sequencer: string;
  readonly headline: boolean;
  readonly contracts: readonly Contract[];
  readonly pinned: readonly PinnedBlock[];
  readonly sources: readonly string[];
  readonly agree: number;
}

/** A Bitcoin block that the policy knows. */
export interface Checkpoint {
  readonly height: number;
  /** Internal byte order. */
  readonly hash: Uint8Array;
  /** Total work up to and with it; 0 where it is not stated. */
  readonly chainWork: bigint;
}

/** Bitcoin as the policy knows it; checkpoints by height. */
export interface BitcoinPolicy {
  readonly network: "main" | "regtest";
  readonly checkpoints: readonly Checkpoint[];
  /** Of a header archive, from the first block on. */
  readonly minimumChainWork: bigint;
  /** Of its headers after the last checkpoint that it passes; null: six times that checkpoint's own. */
  readonly minimumWorkBeyondCheckpoint: bigint | null;
  readonly sources: readonly string[];
  readonly agree: number;
  readonly headline: boolean;
}

/** A witness; a related one never sets the headline. */
export interface WitnessKey {
  readonly key: VerifierKey;
  readonly related: boolean;
}

/** The policy. */
export interface Policy {
  readonly name: string;
  readonly class: "production" | "test";
  /** SHA-256 of the policy's bytes. */
  readonly sha256: Uint8Array;
  readonly familiesWanted: number;
  readonly headlineFamilies: ReadonlySet<string>;
  readonly logs: readonly LogKey[];
  readonly authorities: readonly Authority[];
  readonly chains: readonly Chain[];
  readonly bitcoin: BitcoinPolicy;
  readonly witnesses: readonly WitnessKey[];
  readonly calendars: readonly string[];
  readonly drand: readonly DrandNetwork[];
}

/** Read a policy; FormatError for bytes that are none of version 1. */
export function readPolicy(data: Uint8Array): Policy {
  const fields = new Fields(parseJson(data, MAX_POLICY_BYTES, "policy"), "policy");
  fields.integer("version", 1, 1);
  fields.text("comment", 4000, "");
  const policy: Policy = {
    name: fields.text("name", 100),
    class: fields.choice("class", ["production", "test"]),
    sha256: sha256(data),
    familiesWanted: fields.integer("families_wanted", 1, 4, 1),
    headlineFamilies: headlineFamilies(fields),
    logs: fields.objects("logs", 256, readLog, true),
    witnesses: fields.objects("witnesses", 64, readWitness, true),
    authorities: fields.objects("authorities", 64, readAuthority, true),
    chains: fields.objects("chains", 64, readChain, true),
    bitcoin: fields.has("bitcoin") ? fields.inner("bitcoin", readBitcoin) : NO_BITCOIN,
    calendars: strings(fields, "calendars"),
    drand: fields.objects("drand", 16, readDrandNetwork, true),
  };
  fields.done();
  check(policy);
  return policy;
}

const NO_BITCOIN: BitcoinPolicy = {
  network: "main", checkpoints: [], minimumChainWork: 0n, minimumWorkBeyondCheckpoint: null, headline: true, sources: [], agree: 2,
};

function headlineFamilies(fields: Fields): ReadonlySet<string> {
  if (!fields.has("headline_families")) return new Set(["rfc3161", "evm", "bitcoin"]);
  const names = strings(fields, "headline_families");
  if (names.some((name) => !(FAMILIES as readonly string[]).includes(name)))
    throw new FormatError(`policy.headline_families: only ${FAMILIES.join(", ")}`);
  return new Set(names);
}

function strings(fields: Fields, name: string): string[] {
  return fields.texts(
    name, 64,
    (text, where) => {
      if ([...text].length > 1000) throw new FormatError(`${where}: over 1000 characters`);
      return text;
    },
    true,
  );
}

function readKey(fields: Fields, algorithm: number): VerifierKey {
  const key = parseVerifierKey(fields.text("key"));
  if (key.algorithm !== algorithm)
    throw new FormatError(`${fields.path("key")}: of signature type ${key.algorithm}, ${algorithm} is wanted`, "policy.key_type");
  return key;
}

function readLog(fields: Fields): LogKey {
  return {
    origin: fields.text("origin", 256),
    key: readKey(fields, ED25519),
    firstSize: fields.integer("first_size", 0, Number.MAX_SAFE_INTEGER, 0),
    lastSize: fields.optional("last_size", (n) => fields.integer(n)),
    closingRoot: fields.optional("closing_root", (n) => fields.hex(n, 32)),
  };
}

function readWitness(fields: Fields): WitnessKey {
  return { key: readKey(fields, COSIGNATURE_V1), related: fields.boolean("related") };
}

function readAuthority(fields: Fields): Authority {
  return {
    name: fields.text("name", 100),
    roots: fields.texts("roots", 16, (text, where) => parseBase64(text, MAX_TSP_BYTES, where), true),
    accuracyS: fields.integer("accuracy_s", 0, 86_400, 60),
    qualified: fields.boolean("qualified", false),
    headline: fields.boolean("headline", true),
  };
}

function readChain(fields: Fields): Chain {
  const kind = fields.choice("class", ["l1", "l2", "test"]);
  const chain: Chain = {
    class: kind,
    chainId: fields.integer("chain_id", 1),
    name: fields.text("name", 100),
    toleranceS: fields.integer("tolerance_s", 0, 604_800, 12),
    headline: fields.boolean("headline", kind !== "test"),
    sequencer: fields.text("sequencer", 200, ""),
    contracts: fields.objects("contracts", 16, readContract, true),
    pinned: fields.objects("pinned", 65_536, readPinned, true),
    sources: strings(fields, "sources"),
    agree: fields.integer("agree", 1, 16, 1),
  };
  if (kind === "l2" && chain.sequencer === "") throw new FormatError(`${fields.where}: an l2 names its sequencer`);
  return chain;
}

function readContract(fields: Fields): Contract {
  return { address: fields.hex("address", 20), codeHash: fields.hex("code_hash", 32), mapSlot: fields.integer("map_slot") };
}

function readPinned(fields: Fields): PinnedBlock {
  return { number: fields.integer("number"), hash: fields.hex("hash", 32) };
}

function readBitcoin(fields: Fields): BitcoinPolicy {
  return {
    network: fields.choice("network", ["main", "regtest"], "main"),
    checkpoints: fields.objects("checkpoints", 4096, readCheckpoint, true).sort((a, b) => a.height - b.height),
    minimumChainWork: work(fields, "minimum_chain_work") ?? 0n,
    minimumWorkBeyondCheckpoint: work(fields, "minimum_work_beyond_checkpoint"),
    headline: fields.boolean("headline", true),
    sources: strings(fields, "sources"),
    agree: fields.integer("agree", 1, 16, 2),
  };
}

function readCheckpoint(fields: Fields): Checkpoint {
  return {
    height: fields.integer("height", 0, 2 ** 31),
    hash: reversed(fields.hex("hash", 32)),
    chainWork: work(fields, "chain_work") ?? 0n,
  };
}

/** Read a number of hashes: 32 bytes in hex, the high ones first. */
function work(fields: Fields, name: string): bigint | null {
  return fields.optional(name, (n) => toBigInt(fields.hex(n, 32)));
}

/** Refuse a policy that trusts a test in production, or says two things of one. */
function check(policy: Policy): void {
  if (policy.class === "production") {
    if (policy.bitcoin.network !== "main")
      throw new FormatError("policy.bitcoin.network: only a test policy may trust regtest");
    if (policy.chains.some((chain) => chain.class === "test" && chain.headline))
      throw new FormatError("policy.chains: a test chain may not set the headline");
  }
  once("a chain", policy.chains.map(({ chainId }) => String(chainId)));
  for (const { pinned, contracts } of policy.chains) {
    once("a pinned block", pinned.map(({ number }) => String(number)));
    once("a contract", contracts.map(({ address, codeHash }) => toHex(address) + toHex(codeHash)));
  }
  once("a Bitcoin checkpoint", policy.bitcoin.checkpoints.map(({ height }) => String(height)));
  once("a root certificate", policy.authorities.flatMap(({ roots }) => roots.map(toHex)));
  once("a drand network", policy.drand.map(({ chainHash }) => chainHash));
  once("a witness", policy.witnesses.map(({ key }) => key.text));
}

function once(what: string, keys: readonly string[]): void {
  if (new Set(keys).size !== keys.length) throw new FormatError(`policy: ${what} is there twice`, "policy.twice");
}
