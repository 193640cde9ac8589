/**
 * OpenTimestamps trees and detached files, read and worked out.
 *
 * The format is that of python-opentimestamps (`core/op.py`, `core/notary.py`, `core/timestamp.py`);
 * limits and what is done with equal operations are in `docs/spec/verification.md`, step 7.1.
 */
import { ripemd160, sha1 } from "@noble/hashes/legacy.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { keccak_256 } from "@noble/hashes/sha3.js";
import { compare, concat, fromBigInt, reversed, toHex } from "../bytes/bytes.ts";
import { toUtf8 } from "../bytes/text.ts";
import { FormatError, LimitExceededError } from "../errors.ts";
import * as limits from "../limits.ts";

/** One operation: a tag, and for append and prepend what they add. */
export interface Op {
  readonly tag: number;
  readonly name: string;
  readonly argument: Uint8Array;
}

/** What stands at the end of a path. */
export type OtsEnd =
  | { readonly kind: "bitcoin"; readonly height: number }
  | { readonly kind: "pending"; readonly uri: string }
  | { readonly kind: "unknown"; readonly tag: string };

/** The way from the tree's message to one attestation. */
export interface OtsPath {
  readonly ops: readonly Op[];
  /** The message after each operation; the last is what the attestation is about. */
  readonly messages: readonly Uint8Array[];
  readonly end: OtsEnd;
}

/** A `.ots` file: the operation that made the file's digest, the digest, and the paths of its tree. */
export interface Detached {
  readonly fileOp: "sha1" | "ripemd160" | "sha256";
  readonly digest: Uint8Array;
  readonly paths: readonly OtsPath[];
}

/** What an operation is: the length that a digest has, and the bytes in a block of a slow one. */
export interface OpKind {
  readonly name: string;
  readonly argument?: boolean;
  readonly digestBytes?: number;
  /** Whether the digest may have been made of a file. */
  readonly ofFiles?: boolean;
  readonly slow?: boolean;
  readonly run: (message: Uint8Array, argument: Uint8Array) => Uint8Array;
}

const OPS = new Map<number, OpKind>([
  [0xf0, { name: "append", argument: true, run: (message, argument) => concat(message, argument) }],
  [0xf1, { name: "prepend", argument: true, run: (message, argument) => concat(argument, message) }],
  [0xf2, { name: "reverse", run: reversed }],
  [0xf3, { name: "hexlify", run: (message) => toUtf8(toHex(message)) }],
  [0x02, { name: "sha1", digestBytes: 20, ofFiles: true, run: (message) => sha1(message) }],
  [0x03, { name: "ripemd160", digestBytes: 20, ofFiles: true, slow: true, run: (message) => ripemd160(message) }],
  [0x08, { name: "sha256", digestBytes: 32, ofFiles: true, run: (message) => sha256(message) }],
  [0x67, { name: "keccak256", digestBytes: 32, slow: true, run: (message) => keccak_256(message) }],
]);

const MAGIC = "004f70656e54696d657374616d7073000050726f6f6600bf89e2e884e89294";
const PENDING = "83dfe30d2ef90c8e";
const BITCOIN = "0588960d73d71901";
/** Another item of the same node comes after this one. */
export const MORE = 0xff;
const NONE = new Uint8Array();

/** A position in bytes that moves forward only. */
export class Reader {
  private at = 0;
  private readonly data: Uint8Array;

  constructor(data: Uint8Array) {
    this.data = data;
  }

  take(length: number): Uint8Array {
    if (this.at + length > this.data.length) throw new FormatError("OpenTimestamps data ends early", "format.truncated");
    this.at += length;
    return this.data.subarray(this.at - length, this.at);
  }

  byte(): number {
    return this.take(1)[0]!;
  }

  /** An unsigned LEB128 number of at most ten bytes, below 2^63. */
  number(): bigint {
    let value = 0n;
    for (let group = 0n; group < 10n; group++) {
      const byte = this.byte();
      value |= BigInt(byte & 0x7f) << (7n * group);
      if (byte < 0x80) {
        if (value >= 1n << 63n) throw new LimitExceededError("a number past 2^63 - 1");
        return value;
      }
    }
    throw new LimitExceededError("a number of more than ten bytes");
  }

  bytes(least: number, most: number): Uint8Array {
    const length = this.number();
    if (length < least || length > most) throw new LimitExceededError(`${length} bytes announced, at most ${most}`);
    return this.take(Number(length));
  }

  finish(): void {
    if (this.at !== this.data.length) throw new FormatError("bytes after the end", "format.trailing_data");
  }
}

interface Node {
  readonly message: Uint8Array;
  readonly ends: Map<string, { readonly end: OtsEnd; readonly order: Uint8Array }>;
  readonly branches: Map<string, { readonly op: Op; readonly node: Node }>;
}

/** Read a bare tree over a message and return the way to each of its attestations. */
export function readTree(data: Uint8Array, message: Uint8Array): OtsPath[] {
  if (data.length > limits.MAX_OTS_BYTES) throw new LimitExceededError("an OpenTimestamps tree is too long");
  const reader = new Reader(data);
  const tree = buildTree(reader, message);
  reader.finish();
  return pathsOf(tree);
}

/** Read a `.ots` file. */
export function readDetached(data: Uint8Array): Detached {
  if (data.length > limits.MAX_OTS_BYTES) throw new LimitExceededError("the .ots file is too long");
  const reader = new Reader(data);
  if (toHex(data.subarray(0, MAGIC.length / 2)) !== MAGIC)
    throw new FormatError("this is no OpenTimestamps file: its magic is missing", "ots.magic");
  reader.take(MAGIC.length / 2);
  if (reader.number() !== 1n) throw new FormatError("an OpenTimestamps file of another version than 1");
  const kind = OPS.get(reader.byte());
  if (kind?.digestBytes === undefined || !kind.ofFiles) throw new FormatError("no operation for a file's digest", "ots.file_op");
  const digest = reader.take(kind.digestBytes);
  const tree = buildTree(reader, digest);
  reader.finish();
  return { fileOp: kind.name as Detached["fileOp"], digest, paths: pathsOf(tree) };
}

/** Read items until the last node has had its last; `open` holds the nodes that wait for one. */
function buildTree(reader: Reader, message: Uint8Array): Node {
  const budget = new Budget();
  const tree = newNode(message);
  const open: { node: Node; depth: number }[] = [{ node: tree, depth: 0 }];
  for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
    let tag = reader.byte();
    if (tag === MORE) tag = reader.byte();
    else open.pop();
    if (tag === 0) {
      attest(top.node, reader);
      continue;
    }
    if (top.depth >= limits.MAX_OTS_NESTED_OPERATIONS)
      throw new LimitExceededError("more nested operations than readers take");
    open.push({ node: branch(top.node, tag, reader, budget), depth: top.depth + 1 });
  }
  return tree;
}

/** What one tree may still cost its reader. */
class Budget {
  private operations = limits.MAX_OTS_OPERATIONS;
  private bytes = limits.MAX_OTS_TREE_MESSAGE_BYTES;
  private slow = limits.MAX_OTS_SLOW_DIGEST_BYTES;

  charge(kind: OpKind, message: Uint8Array, argument: Uint8Array): void {
    this.operations -= 1;
    this.bytes -= message.length + argument.length;
    if (kind.slow) this.slow -= message.length;
    if (this.operations < 0 || this.bytes < 0 || this.slow < 0)
      throw new LimitExceededError("the operations work on more than any real file does");
  }
}

function newNode(message: Uint8Array): Node {
  return { message, ends: new Map(), branches: new Map() };
}

/** Read what an operation is and its argument; its tag was read. */
export function readOp(tag: number, reader: Reader): { kind: OpKind; argument: Uint8Array } {
  const kind = OPS.get(tag);
  if (kind === undefined) throw new FormatError(`unknown operation tag ${tag.toString(16)}`, "ots.unknown_op");
  return { kind, argument: kind.argument ? reader.bytes(1, limits.MAX_OTS_MESSAGE_BYTES) : NONE };
}

function branch(parent: Node, tag: number, reader: Reader, budget: Budget): Node {
  const { kind, argument } = readOp(tag, reader);
  budget.charge(kind, parent.message, argument);
  const key = `${tag} ${toHex(argument)}`;
  const known = parent.branches.get(key);
  if (known !== undefined) return known.node;
  const message = kind.run(parent.message, argument);
  if (message.length > limits.MAX_OTS_MESSAGE_BYTES) throw new LimitExceededError(`the result of ${kind.name} is too long`);
  const node = newNode(message);
  parent.branches.set(key, { op: { tag, name: kind.name, argument }, node });
  return node;
}

function attest(node: Node, reader: Reader): void {
  const { tag, end, order } = readEnd(reader);
  node.ends.set(`${tag} ${toHex(order)}`, { end, order: concat(parseTag(tag), order) });
}

/** Read an attestation: tag and payload; `order` is what those of one tag are sorted by. */
export function readEnd(reader: Reader): { tag: string; end: OtsEnd; order: Uint8Array } {
  const tag = toHex(reader.take(8));
  const payload = reader.bytes(0, limits.MAX_OTS_PAYLOAD_BYTES);
  const inner = new Reader(payload);
  if (tag === PENDING) {
    const order = inner.bytes(0, limits.MAX_OTS_URI_BYTES);
    const uri = uriOf(order);
    inner.finish();
    return { tag, end: { kind: "pending", uri }, order };
  }
  if (tag !== BITCOIN) return { tag, end: { kind: "unknown", tag }, order: payload };
  const height = inner.number();
  inner.finish();
  return { tag, end: { kind: "bitcoin", height: Number(height) }, order: fromBigInt(height, 8) };
}

function parseTag(tag: string): Uint8Array {
  return Uint8Array.from(tag.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

function uriOf(bytes: Uint8Array): string {
  const uri = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  if (!/^[A-Za-z0-9._/:-]*$/.test(uri))
    throw new FormatError("a calendar URI may hold letters, digits and -._/: alone", "ots.uri");
  return uri;
}

/** Return the ways to all attestations: a node's own first, then its branches, each sorted by their bytes. */
function pathsOf(tree: Node): OtsPath[] {
  const paths: OtsPath[] = [];
  const walk: { node: Node; ops: readonly Op[]; messages: readonly Uint8Array[] }[] = [
    { node: tree, ops: [], messages: [tree.message] },
  ];
  for (let next = walk.pop(); next !== undefined; next = walk.pop()) {
    const { node, ops, messages } = next;
    const ends = [...node.ends.values()].sort((a, b) => compare(a.order, b.order));
    for (const { end } of ends) paths.push({ ops, messages, end });
    const branches = [...node.branches.values()].sort(
      (a, b) => a.op.tag - b.op.tag || compare(a.op.argument, b.op.argument),
    );
    for (const { op, node: child } of branches.reverse())
      walk.push({ node: child, ops: [...ops, op], messages: [...messages, child.message] });
  }
  return paths;
}
