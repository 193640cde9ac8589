/** The head of a growing list: RFC 6962, section 2.1, over digests of 32 bytes. */
import { sha256 } from "@noble/hashes/sha2.js";
import { concat, toHex } from "../bytes/bytes.ts";
import { parseHex } from "../bytes/text.ts";

const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);

/** Digests one after the other, and the root hash over them at each moment. */
export class Heads {
  /** Roots of the perfect subtrees from the left, with how many leaves each covers. */
  readonly #peaks: { leaves: number; root: Uint8Array }[] = [];
  /** How many digests there are. */
  size = 0;
  /** The newest digest in hex; null at first. */
  last: string | null = null;

  /** Take up the next digest, in hex. */
  append(digest: string): void {
    let node = { leaves: 1, root: sha256(concat(LEAF, parseHex(digest, 32))) };
    while (this.#peaks.at(-1)?.leaves === node.leaves) {
      const left = this.#peaks.pop()!;
      node = { leaves: 2 * node.leaves, root: sha256(concat(NODE, left.root, node.root)) };
    }
    this.#peaks.push(node);
    this.size += 1;
    this.last = digest;
  }

  /** The root hash in hex; of nothing, the SHA-256 of no bytes. */
  root(): string {
    const peaks = this.#peaks.map((peak) => peak.root);
    let root = peaks.pop() ?? sha256(new Uint8Array(0));
    while (peaks.length > 0) root = sha256(concat(NODE, peaks.pop()!, root));
    return toHex(root);
  }
}
