/** Makes exhibits of the first records of a vector: files, bag, signature. */
import { createHash } from "node:crypto";
import { ed25519 } from "@noble/curves/ed25519.js";
import { toHex, toUtf8 } from "../src/bytes/text.ts";
import { bundleDigest } from "../src/exhibit/signature.ts";
import { readRecord } from "../src/records/record.ts";
import { vectorOf } from "./record_vectors.ts";

/** Files by their path within the bag. */
export type Files = Map<string, Uint8Array>;

const VECTOR = vectorOf("record_whole_project");
const PROJECT = "000102030405060708090a0b0c0d0e0f";
const RECORDS = 4;
const PICTURE = toUtf8("one");
/** The vectors' keys are made from their names. */
const keyOf = (name: string) => createHash("sha256").update(name).digest();

/** The policy under which all of it is verified. */
export function policyBytes(): Uint8Array {
  return toUtf8(JSON.stringify(VECTOR["policy"]));
}

/** Everything under `data/`. */
export function exhibitFiles(): Files {
  const files: Files = new Map();
  const items = VECTOR["items"].slice(0, RECORDS) as { record: string; proof: unknown }[];
  const records = items.map(({ record, proof }, seq) => {
    const name = String(seq).padStart(8, "0");
    files.set(`data/records/${name}.sdjwt`, toUtf8(record));
    files.set(`data/proofs/${name}.proof`, toUtf8(JSON.stringify(proof)));
    const { digest, kind } = readRecord(record);
    return { seq, kind: kind.name, digest, shown: true, proof: true };
  });
  const sha256 = createHash("sha256").update(PICTURE).digest("hex");
  const path = `files/${sha256}.png`;
  files.set(`data/${path}`, PICTURE);
  files.set("data/README.txt", toUtf8("What this is."));
  const list = {
    version: 1,
    name: "cat",
    project: PROJECT,
    title: "a cat",
    languages: ["en"],
    date: "2026-11-23T09:03:00Z",
    generator: "tests",
    records,
    files: [{ record: 3, field: "file.0", sha256, size: PICTURE.length, path }],
  };
  files.set("data/exhibit.json", toUtf8(JSON.stringify(list)));
  return files;
}

/** Put a bag around files; `signed` makes `signature.json` of the manifest, null leaves it out. */
export function bagOf(files: Files, signed: ((manifest: Uint8Array) => Uint8Array) | null = (m) => sign(m)): Files {
  const bag: Files = new Map(files);
  const list = JSON.parse(new TextDecoder().decode(files.get("data/exhibit.json")!)) as Record<string, string>;
  const sizes = [...files.values()].map(({ length }) => length);
  const oxum = `${sizes.reduce((sum, size) => sum + size, 0)}.${sizes.length}`;
  bag.set("bagit.txt", toUtf8("BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"));
  bag.set(
    "bag-info.txt",
    toUtf8(
      `Bag-Software-Agent: ${list["generator"]}\nBagging-Date: ${list["date"]!.slice(0, 10)}\n` +
        `External-Identifier: ${list["project"]}\nPayload-Oxum: ${oxum}\n`,
    ),
  );
  for (const algorithm of ["sha256", "sha512"]) bag.set(`manifest-${algorithm}.txt`, manifestOf(files, algorithm));
  if (signed !== null) bag.set("signature.json", signed(bag.get("manifest-sha256.txt")!));
  const tags: Files = new Map([...bag].filter(([path]) => !path.startsWith("data/")));
  for (const algorithm of ["sha256", "sha512"]) bag.set(`tagmanifest-${algorithm}.txt`, manifestOf(tags, algorithm));
  return bag;
}

function manifestOf(files: Files, algorithm: string): Uint8Array {
  const lines = [...files.keys()].sort().map((path) => {
    const digest = createHash(algorithm).update(files.get(path)!).digest("hex");
    return `${digest}  ${path}\n`;
  });
  return toUtf8(lines.join(""));
}

/** Sign a manifest as the project's creator, or wrongly. */
export function sign(manifest: Uint8Array, change: Record<string, unknown> = {}): Uint8Array {
  const { stranger, ...fields } = change;
  const secret = keyOf(stranger ? "a stranger's key" : "creator");
  const stated = {
    project: PROJECT,
    bundle: bundleDigest(manifest),
    manifest: createHash("sha256").update(manifest).digest("hex"),
  };
  const text = `vestige-exhibit/1\n${stated.project}\n${stated.bundle}\n${stated.manifest}\n`;
  const signature = toHex(ed25519.sign(toUtf8(text), secret));
  const key = toHex(ed25519.getPublicKey(secret));
  return toUtf8(JSON.stringify({ version: 1, ...stated, key, signature, ...fields }));
}

