/**
 * The proof file as values (`docs/spec/proof.md`). Read strictly, so that one proof has one meaning.
 * Nothing in here is believed.
 */
import { Fields } from "../bytes/fields.ts";
import { parseJson, type Json } from "../bytes/json.ts";
import { parseBase64, parseHex } from "../bytes/text.ts";
import { parseUtc, type Micros } from "../bytes/time.ts";
import { FormatError } from "../errors.ts";
import * as limits from "../limits.ts";

/** A leaf's way to the root of one tree. */
export interface Inclusion {
  readonly leafIndex: number;
  readonly treeSize: number;
  /** The leaf's sibling first. */
  readonly hashes: readonly Uint8Array[];
  /** The signed note, letter for letter. */
  readonly checkpoint: string | null;
}

/** A time-stamp token with what was saved beside it. */
export interface Rfc3161Attestation {
  readonly kind: "rfc3161";
  readonly rootHash: Uint8Array;
  readonly covers: "root" | "checkpoint";
  readonly token: Uint8Array;
  readonly certificates: readonly Uint8Array[];
  readonly ocsp: readonly Uint8Array[];
  readonly crls: readonly Uint8Array[];
  /** The way of SHA-256(token) into the log. */
  readonly inclusions: readonly Inclusion[];
}

/** A proof under one of a header's tries by index. */
export interface IndexedTrieProof {
  readonly header: Uint8Array;
  readonly index: number;
  readonly nodes: readonly Uint8Array[];
}

/** A proof under a header's state root. */
export interface StorageTrieProof {
  readonly header: Uint8Array;
  readonly accountNodes: readonly Uint8Array[];
  readonly storageNodes: readonly Uint8Array[];
}

/** Evidence of an EVM chain. */
export interface EvmAttestation {
  readonly kind: "evm";
  readonly rootHash: Uint8Array;
  readonly chainId: number;
  readonly contract: Uint8Array;
  readonly transactionHash: Uint8Array | null;
  readonly transaction: IndexedTrieProof | null;
  readonly receipt: IndexedTrieProof | null;
  readonly storage: StorageTrieProof | null;
}

/** A block's header and what follows it. */
export interface HeaderRun {
  readonly height: number;
  readonly headers: readonly Uint8Array[];
}

/** An OpenTimestamps tree over the root hash. */
export interface OtsAttestation {
  readonly kind: "opentimestamps";
  readonly rootHash: Uint8Array;
  readonly calendar: string;
  readonly tree: Uint8Array;
  readonly headers: readonly HeaderRun[];
}

/** A checkpoint with a witness's cosignature. */
export interface WitnessAttestation {
  readonly kind: "witness";
  readonly rootHash: Uint8Array;
  readonly witness: string;
  readonly checkpoint: string;
}

/** A row that is not there yet. */
export interface ExpectedAttestation {
  readonly kind: "expected";
  readonly family: string;
  readonly by: string;
  readonly expectedAt: Micros | null;
  readonly note: string;
}

/** A row of a kind that is not known. */
export interface UnknownAttestation {
  readonly kind: "unknown";
  readonly name: string;
}

/** Any row. */
export type Attestation =
  | Rfc3161Attestation
  | EvmAttestation
  | OtsAttestation
  | WitnessAttestation
  | ExpectedAttestation
  | UnknownAttestation;

/** A proof file. */
export interface Proof {
  readonly digest: Uint8Array;
  readonly opening: Uint8Array | null;
  readonly inclusions: readonly Inclusion[];
  readonly attestations: readonly Attestation[];
}

/** Read a proof file; FormatError for anything that is none. */
export function readProof(data: Uint8Array | string): Proof {
  const json = parseJson(data, limits.MAX_PROOF_BYTES, "proof", { left: limits.MAX_PROOF_JSON_VALUES });
  const fields = new Fields(json, "proof");
  const version = fields.integer("version");
  if (version !== 1)
    throw new FormatError(`proof: version ${version}, this release reads 1`, "format.unsupported_version");
  const proof: Proof = {
    digest: fields.hex("digest", 32),
    opening: fields.optional("opening", (n) => fields.hexUpTo(n, limits.MAX_OPENING_BYTES)),
    inclusions: readInclusions(fields),
    attestations: fields.array("attestations", limits.MAX_ATTESTATIONS).map(readAttestation),
  };
  fields.done();
  if (proof.inclusions.length === 0) throw new FormatError("proof: no inclusion");
  return proof;
}

function readInclusions(fields: Fields): Inclusion[] {
  return fields.objects("inclusions", limits.MAX_INCLUSIONS, readInclusion, true);
}

function readInclusion(fields: Fields): Inclusion {
  return {
    leafIndex: fields.integer("leaf_index", 0, limits.MAX_TREE_SIZE - 1),
    treeSize: fields.integer("tree_size", 1, limits.MAX_TREE_SIZE),
    hashes: fields.texts("hashes", limits.MAX_PATH_HASHES, (text, where) => parseHex(text, 32, where)),
    checkpoint: fields.optional("checkpoint", (n) => fields.text(n, limits.MAX_NOTE_BYTES)),
  };
}

function readAttestation(value: Json, position: number): Attestation {
  const fields = new Fields(value, `proof.attestations[${position}]`);
  const kind = fields.text("kind", 64);
  const read = READERS.get(kind);
  if (read === undefined) return { kind: "unknown", name: kind };
  const attestation = read(fields);
  fields.done();
  return attestation;
}

const READERS = new Map<string, (fields: Fields) => Attestation>([
  ["rfc3161", readRfc3161],
  ["evm", readEvm],
  ["opentimestamps", readOts],
  ["witness", readWitness],
  ["expected", readExpected],
]);

function base64s(fields: Fields, name: string, maxBytes: number): Uint8Array[] {
  return fields.texts(name, limits.MAX_CERTIFICATES, (text, where) => parseBase64(text, maxBytes, where), true);
}

function readRfc3161(fields: Fields): Rfc3161Attestation {
  return {
    kind: "rfc3161",
    rootHash: fields.hex("root_hash", 32),
    covers: fields.choice("covers", ["root", "checkpoint"]),
    token: fields.base64("token", limits.MAX_TSP_BYTES),
    certificates: base64s(fields, "certificates", limits.MAX_TSP_BYTES),
    ocsp: base64s(fields, "ocsp", limits.MAX_TSP_BYTES),
    crls: base64s(fields, "crls", limits.MAX_REVOCATION_BYTES),
    inclusions: readInclusions(fields),
  };
}

function readEvm(fields: Fields): EvmAttestation {
  return {
    kind: "evm",
    rootHash: fields.hex("root_hash", 32),
    chainId: fields.integer("chain_id", 1),
    contract: fields.hex("contract", 20),
    transactionHash: fields.optional("transaction_hash", (n) => fields.hex(n, 32)),
    transaction: fields.optional("transaction", (n) => fields.inner(n, readIndexed)),
    receipt: fields.optional("receipt", (n) => fields.inner(n, readIndexed)),
    storage: fields.optional("storage", (n) => fields.inner(n, readStorage)),
  };
}

function nodes(fields: Fields, name: string): Uint8Array[] {
  return fields.texts(name, limits.MAX_TRIE_NODES, (text, where) => parseHex(text, undefined, where));
}

function readIndexed(fields: Fields): IndexedTrieProof {
  return {
    header: fields.hexUpTo("header", limits.MAX_EVM_HEADER_BYTES),
    index: fields.integer("index", 0, 2 ** 32),
    nodes: nodes(fields, "proof"),
  };
}

function readStorage(fields: Fields): StorageTrieProof {
  return {
    header: fields.hexUpTo("header", limits.MAX_EVM_HEADER_BYTES),
    accountNodes: nodes(fields, "account_proof"),
    storageNodes: nodes(fields, "storage_proof"),
  };
}

function readOts(fields: Fields): OtsAttestation {
  return {
    kind: "opentimestamps",
    rootHash: fields.hex("root_hash", 32),
    calendar: fields.text("calendar", limits.MAX_OTS_URI_BYTES),
    tree: fields.base64("tree", limits.MAX_OTS_BYTES),
    headers: fields.objects("headers", 8, readHeaderRun, true),
  };
}

function readHeaderRun(fields: Fields): HeaderRun {
  const height = fields.integer("height", 0, 2 ** 31);
  const headers = fields.texts("headers", 1 + limits.BITCOIN_SUCCESSORS, (text, where) =>
    parseHex(text, limits.BITCOIN_HEADER_BYTES, where),
  );
  if (headers.length === 0) throw new FormatError(`${fields.path("headers")}: empty`);
  return { height, headers };
}

function readWitness(fields: Fields): WitnessAttestation {
  return {
    kind: "witness",
    rootHash: fields.hex("root_hash", 32),
    witness: fields.text("witness", 256),
    checkpoint: fields.text("checkpoint", limits.MAX_NOTE_BYTES),
  };
}

function readExpected(fields: Fields): ExpectedAttestation {
  const root = fields.take("root_hash");
  if (root !== undefined && root !== null) throw new FormatError(`${fields.path("root_hash")}: null is wanted`);
  return {
    kind: "expected",
    family: fields.text("family", 64),
    by: fields.text("by", 256),
    expectedAt: fields.optional("expected_at", (n) => parseUtc(fields.text(n, 40), fields.path(n))),
    note: fields.text("note", 1000, ""),
  };
}
