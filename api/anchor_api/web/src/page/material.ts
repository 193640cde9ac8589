/** What each dropped file is, told by its content. */
import { parseJson, isObject } from "../bytes/json.ts";
import { blobSource } from "../exhibit/source.ts";
import { sha256Of } from "../exhibit/digests.ts";
import type { Dropped } from "./protocol.ts";

interface Text<Type> {
  readonly type: Type;
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** A dropped file, told apart. */
export type Material =
  | { readonly type: "file"; readonly name: string; readonly sha256: string }
  | Text<"proof">
  | Text<"ots">
  | Text<"policy">
  | Text<"record">
  | { readonly type: "exhibit"; readonly name: string; readonly file: Blob }
  | { readonly type: "bag"; readonly name: string; readonly files: ReadonlyMap<string, Blob> };

const OTS_MAGIC = "\x00OpenTimestamps\x00\x00Proof\x00";
const MAX_TEXT_BYTES = 24 << 20;
const PIECE = 4 << 20;
const hashes = new Map<string, string>();

/** Tell what a file is; a plain file is hashed. */
export async function materialOf(
  { name, file }: Dropped,
  names: ReadonlySet<string>,
  progress: (done: number, total: number) => void,
): Promise<Material> {
  const start = new Uint8Array(await file.slice(0, 64).arrayBuffer());
  const head = String.fromCharCode(...start);
  const proven = names.has(`${name}.proof`) || names.has(`${name}.ots`);
  if (head.startsWith("PK") && /\.zip$/i.test(name) && !proven) return { type: "exhibit", name, file };
  if (!proven && file.size <= MAX_TEXT_BYTES) {
    const type = await textType(head, name, file);
    if (type !== null) return { type, name, bytes: new Uint8Array(await file.arrayBuffer()) } as Material;
  }
  return { type: "file", name, sha256: await hashed(name, file, progress) };
}

/** Take unpacked exhibits out of what was dropped: a folder with a bag in it. */
export function bagsAmong(dropped: readonly Dropped[]): { bags: Material[]; rest: Dropped[] } {
  const names = new Set(dropped.map(({ name }) => name));
  const roots = dropped
    .filter(({ name }) => /(^|\/)bagit\.txt$/.test(name))
    .map(({ name }) => name.slice(0, -"bagit.txt".length))
    .filter((root) => names.has(`${root}data/exhibit.json`));
  const rest = dropped.filter(({ name }) => !roots.some((root) => name.startsWith(root)));
  const bags = roots.map((root): Material => {
    const inside = dropped.filter(({ name }) => name.startsWith(root));
    return { type: "bag", name: root, files: new Map(inside.map(({ name, file }) => [name.slice(root.length), file])) };
  });
  return { bags, rest };
}

async function textType(head: string, name: string, file: Blob): Promise<"proof" | "ots" | "policy" | "record" | null> {
  if (head.startsWith(OTS_MAGIC) || name.endsWith(".ots")) return "ots";
  if (name.endsWith(".proof")) return "proof";
  if (name.endsWith(".sdjwt")) return "record";
  if (/^eyJ[\w-]+\.[\w-]*$/.test(head)) return (await file.text()).includes("~") ? "record" : null;
  if (!/^\s*\{/.test(head)) return null;
  try {
    const value = parseJson(await file.text(), MAX_TEXT_BYTES, name);
    if (!isObject(value)) return null;
    if ("attestations" in value && "inclusions" in value) return "proof";
    if ("version" in value && "name" in value && "class" in value) return "policy";
  } catch {
    return null; // some other text: a file like any
  }
  return null;
}

async function hashed(
  name: string,
  file: Blob,
  progress: (done: number, total: number) => void,
): Promise<string> {
  const key = `${name} ${file.size} ${file instanceof File ? file.lastModified : ""}`;
  const known = file instanceof File ? hashes.get(key) : undefined;
  if (known !== undefined) return known;
  let done = 0;
  const source = blobSource(file);
  const pieces = (async function* () {
    for (let at = 0; at < file.size; at += PIECE) yield await source.read(at, Math.min(file.size, at + PIECE));
  })();
  const hash = await sha256Of(file.size, pieces, (bytes) => progress((done += bytes), file.size));
  hashes.set(key, hash);
  return hash;
}
