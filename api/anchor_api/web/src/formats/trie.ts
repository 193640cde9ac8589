/**
 * Merkle-Patricia trie proofs (Yellow Paper, appendix D; EIP-1186): what a key leads to under a root.
 *
 * Each node given must be the one that the step before names by its Keccak-256, in that order, and all
 * must be used; a node shorter than 32 bytes sits inside its parent and is not given.
 */
import { keccak_256 } from "@noble/hashes/sha3.js";
import { equal } from "../bytes/bytes.ts";
import { FalseError, FormatError, LimitExceededError } from "../errors.ts";
import { MAX_TRIE_NODE_BYTES, MAX_TRIE_NODES } from "../limits.ts";
import { asBytes, asList, decodeRlp, encodeRlp, type Rlp } from "./rlp.ts";

const EMPTY_NODE = Uint8Array.of(0x80);

/** Return the value under a key, or null where the proof shows that there is none. */
export function trieValue(root: Uint8Array, key: Uint8Array, nodes: readonly Uint8Array[]): Uint8Array | null {
  if (nodes.length > MAX_TRIE_NODES) throw new LimitExceededError("too many trie nodes");
  if (equal(root, keccak_256(EMPTY_NODE)) && (nodes.length === 0 || (nodes.length === 1 && equal(nodes[0]!, EMPTY_NODE))))
    return null;
  const walk = new Walk(nodes);
  const value = walk.value(root, nibblesOf(key));
  walk.end();
  return value;
}

class Walk {
  private used = 0;
  private readonly nodes: readonly Uint8Array[];

  constructor(nodes: readonly Uint8Array[]) {
    this.nodes = nodes;
  }

  value(root: Uint8Array, key: readonly number[]): Uint8Array | null {
    let reference: Rlp = root;
    for (let at = 0; ; ) {
      const node = reference instanceof Uint8Array ? this.open(reference) : reference;
      const step = follow(node, key.slice(at));
      if ("value" in step) return step.value;
      reference = step.reference;
      at += step.taken;
    }
  }

  /** Refuse nodes that were not needed. */
  end(): void {
    if (this.used < this.nodes.length) throw new FalseError("a trie proof has nodes that are not needed", "verify.trie.unused_node");
  }

  private open(digest: Uint8Array): Rlp[] {
    const encoded = this.nodes[this.used];
    if (encoded === undefined) throw new FalseError("a trie proof ends where a node is wanted", "verify.trie.missing_node");
    this.used += 1;
    const value = decodeRlp(encoded, MAX_TRIE_NODE_BYTES);
    if (!equal(keccak_256(encoded), digest)) throw new FalseError("a trie node is not the one named", "verify.trie.wrong_node");
    return asList(value, "trie node");
  }
}

type Step = { readonly value: Uint8Array | null } | { readonly reference: Rlp; readonly taken: number };

/** Return the next step, or the value at the end of the way, or null where the way ends. */
function follow(node: readonly Rlp[], key: readonly number[]): Step {
  if (node.length === 17) {
    const [nibble] = key;
    if (nibble === undefined) {
      const value = asBytes(node[16], "value of a trie branch");
      return { value: value.length === 0 ? null : value };
    }
    const child = node[nibble]!;
    if (child instanceof Uint8Array && child.length === 0) return { value: null };
    return { reference: reference(child), taken: 1 };
  }
  if (node.length !== 2) throw new FormatError(`a trie node of ${node.length} items`, "format.trie.node");
  const { isLeaf, part } = pathOf(asBytes(node[0], "path of a trie node"));
  const fits = part.every((nibble, i) => nibble === key[i]);
  if (isLeaf) {
    const value = asBytes(node[1], "value of a trie leaf");
    if (value.length === 0) throw new FormatError("a trie leaf without a value", "format.trie.node");
    return { value: fits && part.length === key.length ? value : null };
  }
  const child = reference(node[1]!);
  return fits ? { reference: child, taken: part.length } : { value: null };
}

/** Take a hex-prefixed path apart. */
function pathOf(packed: Uint8Array): { isLeaf: boolean; part: number[] } {
  const [flags, pad, ...rest] = nibblesOf(packed);
  if (flags === undefined || pad === undefined || flags > 3 || ((flags & 1) === 0 && pad !== 0))
    throw new FormatError("a path of a trie node has no valid flags", "format.trie.path");
  const isLeaf = (flags & 2) !== 0;
  const part = (flags & 1) !== 0 ? [pad, ...rest] : rest;
  if (!isLeaf && part.length === 0) throw new FormatError("a trie extension with an empty path", "format.trie.path");
  return { isLeaf, part };
}

function reference(value: Rlp): Rlp {
  if (value instanceof Uint8Array) return asBytes(value, "reference to a trie node", 32);
  if (encodeRlp(value).length >= 32) throw new FormatError("a trie node of 32 bytes or more inside its parent", "format.trie.embedded");
  return value;
}

function nibblesOf(bytes: Uint8Array): number[] {
  return Array.from(bytes, (byte) => [byte >> 4, byte & 15]).flat();
}
