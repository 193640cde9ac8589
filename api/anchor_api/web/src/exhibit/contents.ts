/** Everything of a bag, read once: the digests of all files, and the bytes of those that are judged. */
import { type Digests, digestsOf } from "./digests.ts";
import type { Source } from "./source.ts";
import { type Entry, contentOf, pieces, readZip, refused } from "./zip.ts";

const MAX_LIST_BYTES = 16 << 20;
const MAX_TAG_BYTES = 64 << 10;
const MAX_EVIDENCE_BYTES = 256 << 20;
const EVIDENCE_BYTES: Record<string, number> = { sdjwt: 24 << 20, proof: 8 << 20, ots: 1 << 20 };
const EVIDENCE = /^data\/(?:records\/\d{8}\.sdjwt|proofs\/\d{8}\.(?:proof|ots))$/;
const LISTS = ["data/exhibit.json", "manifest-sha256.txt", "manifest-sha512.txt"];

/** What a bag holds; paths are those within the bag. */
export interface Contents {
  /** Name of the top folder. */
  readonly folder: string;
  readonly sizes: ReadonlyMap<string, number>;
  readonly digests: ReadonlyMap<string, Digests>;
  /** The bytes of the files that are judged. */
  readonly texts: ReadonlyMap<string, Uint8Array>;
  /** Where a file's bytes lie in the source; null where they are compressed or not there. */
  readonly place: (path: string) => { readonly start: number; readonly end: number } | null;
}

/** Told how many bytes of how many are hashed. */
export type Progress = (done: number, total: number) => void;

/** Read an exhibit. Raises FormatError (`exhibit.…`) where the container is refused (step E1). */
export async function readContents(source: Source, progress: Progress = () => undefined): Promise<Contents> {
  const entries = await readZip(source);
  const folder = entries[0]!.name.split("/")[0]!;
  const byPath = new Map<string, Entry>();
  for (const entry of [...entries].sort((a, b) => (a.name < b.name ? -1 : 1)))
    byPath.set(entry.name.slice(folder.length + 1), entry);
  checkSizes(byPath);
  const total = entries.reduce((sum, entry) => sum + entry.size, 0);
  let done = 0;
  const digests = new Map<string, Digests>();
  const texts = new Map<string, Uint8Array>();
  for (const [path, entry] of byPath) {
    const limit = limitOf(path);
    const passed = (bytes: number) => progress((done += bytes), total);
    if (limit === null) {
      digests.set(path, await digestsOf(entry.size, pieces(source, entry), passed));
      continue;
    }
    const text = await contentOf(source, entry, limit);
    texts.set(path, text);
    digests.set(path, await digestsOf(text.length, once(text), passed));
  }
  const place = (path: string) => {
    const entry = byPath.get(path);
    return entry?.method === 0 ? { start: entry.start, end: entry.start + entry.size } : null;
  };
  const sizes = new Map([...byPath].map(([path, entry]) => [path, entry.size]));
  return { folder, sizes, digests, texts, place };
}

/** How long a file may be that is read whole; null for one that is only hashed. */
function limitOf(path: string): number | null {
  if (EVIDENCE.test(path)) return EVIDENCE_BYTES[path.slice(path.lastIndexOf(".") + 1)]!;
  if (LISTS.includes(path)) return MAX_LIST_BYTES;
  return path.includes("/") ? null : MAX_TAG_BYTES;
}

function checkSizes(entries: ReadonlyMap<string, Entry>): void {
  let evidence = 0;
  for (const [path, { size }] of entries) {
    const limit = limitOf(path);
    if (limit !== null && size > limit)
      throw refused(`${path}: ${size} bytes, at most ${limit} are read`, "too_large");
    if (EVIDENCE.test(path)) evidence += size;
  }
  if (evidence > MAX_EVIDENCE_BYTES)
    throw refused(`records and proofs of over ${MAX_EVIDENCE_BYTES} bytes`, "too_large");
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
