/** The bag around an exhibit (BagIt, RFC 8493): step E2. */
import { equal } from "../bytes/bytes.ts";
import { parseUtf8, toUtf8 } from "../bytes/text.ts";
import { FormatError } from "../errors.ts";
import type { Contents } from "./contents.ts";
import { type ExhibitFinding, failed } from "./verdict.ts";

const BAGIT = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n";
const TAG_FILES = ["bagit.txt", "bag-info.txt", "manifest-sha256.txt", "manifest-sha512.txt", "signature.json"];
const TAG_MANIFESTS = ["tagmanifest-sha256.txt", "tagmanifest-sha512.txt"];
const LINE = /^([0-9a-f]+) {2}([^\n]+)$/;

/** Compare everything that is there with the manifests; each difference names its file. */
export function judgeBag(contents: Contents): ExhibitFinding[] {
  const findings: ExhibitFinding[] = [];
  const there = [...contents.sizes.keys()];
  const payload = there.filter((path) => path.startsWith("data/"));
  const tags = there.filter((path) => TAG_FILES.includes(path));
  const known = new Set([...payload, ...tags, ...TAG_MANIFESTS]);
  for (const path of there)
    if (!known.has(path))
      findings.push(failed("E2", "unlisted", path, "a bag of this kind has no such file"));
  for (const path of ["bagit.txt", "bag-info.txt"])
    if (!contents.sizes.has(path)) findings.push(failed("E2", "missing", path, "it is not there"));
  const bagit = contents.texts.get("bagit.txt");
  if (bagit !== undefined && !equal(bagit, toUtf8(BAGIT)))
    findings.push(failed("E2", "manifest", "bagit.txt", "it is not that of a BagIt 1.0 bag in UTF-8"));
  compare(contents, ["manifest-sha256.txt", "manifest-sha512.txt"], payload, findings);
  compare(contents, TAG_MANIFESTS, tags, findings);
  return findings;
}

/** What `bag-info.txt` must be, given the list and the files. */
export function judgeBagInfo(
  contents: Contents,
  list: { readonly generator: string; readonly date: string; readonly project: string },
): ExhibitFinding[] {
  const found = contents.texts.get("bag-info.txt");
  if (found === undefined) return [];
  const sizes = [...contents.sizes].filter(([path]) => path.startsWith("data/")).map(([, size]) => size);
  const bytes = sizes.reduce((sum, size) => sum + size, 0);
  const wanted =
    `Bag-Software-Agent: ${list.generator}\nBagging-Date: ${list.date.slice(0, 10)}\n` +
    `External-Identifier: ${list.project}\nPayload-Oxum: ${bytes}.${sizes.length}\n`;
  if (equal(found, toUtf8(wanted))) return [];
  const why = "it does not say what follows from exhibit.json and the files";
  return [failed("E2", "manifest", "bag-info.txt", why)];
}

function compare(
  contents: Contents,
  manifests: readonly string[],
  there: readonly string[],
  findings: ExhibitFinding[],
): void {
  const faults = new Map<string, ExhibitFinding>();
  const note = (code: string, path: string, why: string) => {
    if (!faults.has(path)) faults.set(path, failed("E2", code, path, why));
  };
  for (const name of manifests) {
    const data = contents.texts.get(name);
    if (data === undefined) {
      findings.push(failed("E2", "missing", name, "it is not there"));
      continue;
    }
    const algorithm = name.includes("sha256") ? "sha256" : "sha512";
    let listed: Map<string, string>;
    try {
      listed = readManifest(data, algorithm === "sha256" ? 64 : 128);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      findings.push(failed("E2", "manifest", name, error.message));
      continue;
    }
    const present = new Set(there);
    for (const path of listed.keys())
      if (!present.has(path)) note("missing", path, "a manifest names it, and it is not there");
    for (const path of there) {
      if (!listed.has(path)) note("unlisted", path, "a manifest does not name it");
      else if (listed.get(path) !== contents.digests.get(path)![algorithm])
        note("changed", path, `its digest is not the one in ${name}`);
    }
  }
  findings.push(...[...faults.keys()].sort().map((path) => faults.get(path)!));
}

/** Read a manifest: paths in the order of their bytes, each once, every line ended. */
export function readManifest(data: Uint8Array, digits: number): Map<string, string> {
  const text = parseUtf8(data, "manifest");
  if (text !== "" && !text.endsWith("\n")) throw new FormatError("the manifest does not end in a line feed");
  const listed = new Map<string, string>();
  let before: Uint8Array | null = null;
  for (const [i, line] of text.split("\n").slice(0, -1).entries()) {
    const [, digest = "", escaped = ""] = LINE.exec(line) ?? [];
    const path = escaped.replaceAll("%25", "%");
    if (digest.length !== digits || path.replaceAll("%", "%25") !== escaped)
      throw new FormatError(`line ${i + 1} of the manifest is no digest and path`);
    if (listed.has(path)) throw new FormatError(`line ${i + 1} of the manifest names a file again`);
    const bytes = new TextEncoder().encode(path);
    if (before !== null && order(before, bytes) > 0)
      throw new FormatError("the manifest is not in the order of paths", "format.non_canonical");
    before = bytes;
    listed.set(path, digest);
  }
  return listed;
}

function order(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return a.length - b.length;
}
