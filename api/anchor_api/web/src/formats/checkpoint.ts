/** Checkpoints (C2SP tlog-checkpoint): what a log says of itself at one size. */
import { parseBase64 } from "../bytes/text.ts";
import { FormatError, LimitExceededError } from "../errors.ts";
import { MAX_TREE_SIZE } from "../limits.ts";

/** Origin, size and root hash; extension lines are signed and mean nothing here. */
export interface Checkpoint {
  readonly origin: string;
  readonly treeSize: number;
  readonly rootHash: Uint8Array;
}

/** Read the text of a signed note, which ends in a line feed, as a checkpoint. */
export function parseCheckpoint(text: string): Checkpoint {
  const [origin, size, root, ...more] = text.slice(0, -1).split("\n");
  if (!origin || !size || !root || more.includes(""))
    throw new FormatError("a checkpoint has at least three lines, none of them empty");
  if (!/^(?:0|[1-9][0-9]*)$/.test(size)) throw new FormatError("a tree size is a decimal without leading zeros");
  if (size.length > 16 || Number(size) > MAX_TREE_SIZE) throw new LimitExceededError("a tree size past 2^53 - 1");
  const rootHash = parseBase64(root, 32, "root hash");
  if (rootHash.length !== 32) throw new FormatError("a root hash has 32 bytes");
  return { origin, treeSize: Number(size), rootHash };
}
