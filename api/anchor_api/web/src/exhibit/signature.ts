/** The party's signature over what it hands over: step E4. */
import { sha256 } from "@noble/hashes/sha2.js";
import { equal, toHex } from "../bytes/bytes.ts";
import { Fields } from "../bytes/fields.ts";
import { parseJson } from "../bytes/json.ts";
import { toUtf8 } from "../bytes/text.ts";
import { FalseError, FormatError } from "../errors.ts";
import { verifyEd25519 } from "../formats/ed25519.ts";
import { KeyBook, thumbprint } from "../records/keys.ts";
import type { RecordText } from "../records/record.ts";
import { type ExhibitFinding, failed } from "./verdict.ts";

const DIGEST_DIGITS = 64;
const PDF = toUtf8("  data/exhibit.pdf");

/** SHA-256 of `manifest-sha256.txt` without the line of the PDF, in hex. */
export function bundleDigest(manifest: Uint8Array): string {
  const kept = sha256.create();
  let from = 0;
  while (from < manifest.length) {
    const feed = manifest.indexOf(10, from);
    const end = feed === -1 ? manifest.length : feed;
    const to = feed === -1 ? end : end + 1;
    const named = manifest.subarray(Math.min(from + DIGEST_DIGITS, end), end);
    if (!equal(named, PDF)) kept.update(manifest.subarray(from, to));
    from = to;
  }
  return toHex(kept.digest());
}

/** Judge `signature.json`; `signedBy` is the key in hex where it verifies. */
export function judgeSignature(
  data: Uint8Array | undefined,
  manifest: Uint8Array | undefined,
  project: string | null,
  records: readonly RecordText[],
): { signedBy: string | null; findings: ExhibitFinding[] } {
  if (data === undefined) {
    const reason = "nobody signed the list of files: they may have been exchanged by anybody";
    const unsigned = { step: "E4", status: "not_checked", code: "exhibit.unsigned", path: null, reason } as const;
    return { signedBy: null, findings: [unsigned] };
  }
  if (manifest === undefined || project === null) return { signedBy: null, findings: [] }; // said in E2, E3
  try {
    const key = signingKey(data, manifest, project);
    wantInForce(key, records);
    return { signedBy: key, findings: [] };
  } catch (error) {
    if (!(error instanceof FormatError || error instanceof FalseError)) throw error;
    return { signedBy: null, findings: [failed("E4", "signature", "signature.json", error.message)] };
  }
}

function signingKey(data: Uint8Array, manifest: Uint8Array, project: string): string {
  const fields = new Fields(parseJson(data, 64 << 10, "signature.json"), "signature.json");
  fields.integer("version", 1, 1);
  const stated = ["project", "bundle", "manifest"].map((name) =>
    toHex(fields.hex(name, name === "project" ? 16 : 32)),
  );
  const key = fields.hex("key", 32);
  const signature = fields.hex("signature", 64);
  fields.done();
  const actual = [project, bundleDigest(manifest), toHex(sha256(manifest))];
  for (const [i, what] of ["project", "bundle", "manifest-sha256.txt"].entries())
    if (stated[i] !== actual[i]) throw new FalseError(`it is of another ${what}`, "exhibit.signature");
  const message = ["vestige-exhibit/1", ...actual].map((line) => `${line}\n`).join("");
  verifyEd25519(key, toUtf8(message), signature);
  return toHex(key);
}

/** The key is one of the project's authors', in force after the last record listed. */
function wantInForce(key: string, records: readonly RecordText[]): void {
  const book = new KeyBook();
  for (const record of records)
    if (record.isKeyRecord && book.judge(record, true) === null) book.learn(record);
  const standing = book.keys.get(thumbprint(key));
  if (standing === undefined || standing.endedAt !== null || standing.role !== "author")
    throw new FalseError("the key that signed is none of the project's authors', in force at its end", "exhibit.signature");
}
