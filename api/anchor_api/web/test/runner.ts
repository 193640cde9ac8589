/**
 * Judges JSON lines from standard input, one verdict a line: the other side of the differential test
 * `tests/interop/test_second_verifier.py`. A line has the fields of a verdict vector, with policy and
 * proof as base64 of their bytes.
 */
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { parseJson } from "../src/bytes/json.ts";
import { parseBase64, parseHex, parseUtf8 } from "../src/bytes/text.ts";
import { readContents } from "../src/exhibit/contents.ts";
import { judgeExhibit } from "../src/exhibit/judge.ts";
import { bytesSource } from "../src/exhibit/source.ts";
import type { ExhibitVerdict } from "../src/exhibit/verdict.ts";
import { parseCheckpoint } from "../src/formats/checkpoint.ts";
import { RevocationList } from "../src/formats/crl.ts";
import { verifyEd25519 } from "../src/formats/ed25519.ts";
import { parseEvmHeader } from "../src/formats/evm.ts";
import { parseNote } from "../src/formats/note.ts";
import { OcspAnswer } from "../src/formats/ocsp.ts";
import { readDetached } from "../src/formats/ots.ts";
import { parseToken } from "../src/formats/tsp.ts";
import { parseCertificate } from "../src/formats/x509.ts";
import { readProof } from "../src/proof/proof.ts";
import { FalseError, FormatError, judgeOts, judgeProof, readPolicy, type Verdict } from "../src/verify/index.ts";
import { type Raw, judgeVector } from "./record_question.ts";
import { factsOf, secondsOf, type VectorFacts } from "./vector.ts";

interface Line {
  readonly policy: string;
  readonly proof?: string;
  readonly ots?: string;
  readonly now: string;
  readonly before: string | null;
  readonly file_digest: string | null;
  readonly known: VectorFacts;
}

/** Whether one piece can be read at all. */
interface Piece {
  readonly read: keyof typeof READERS;
  readonly data: string;
}

/** A vector of records. */
interface Records {
  readonly records: Raw;
}

/** An exhibit on disk. */
interface Exhibit {
  readonly exhibit: string;
  readonly policy: string;
  readonly now: string;
}

const MAX_BYTES = 64 << 20;

const READERS = {
  certificate: parseCertificate,
  crl: (data: Uint8Array) => new RevocationList(data),
  ocsp: (data: Uint8Array) => new OcspAnswer(data),
  token: parseToken,
  note: (data: Uint8Array) => parseCheckpoint(parseNote(parseUtf8(data)).text),
  ots: readDetached,
  header: parseEvmHeader,
  /** Key, signature and message, one after the other. */
  ed25519: (data: Uint8Array) => verifyEd25519(data.subarray(0, 32), data.subarray(96), data.subarray(32, 96)),
  json: (data: Uint8Array) => parseJson(data, MAX_BYTES, "JSON"),
  policy: readPolicy,
  proof: readProof,
};

function readPiece({ read, data }: Piece): { readonly read: true } {
  READERS[read](parseBase64(data, MAX_BYTES));
  return { read: true };
}

function judge(line: Line): Verdict {
  const circumstances = {
    policy: readPolicy(parseBase64(line.policy, MAX_BYTES)),
    now: secondsOf(line.now),
    facts: factsOf(line.known),
    steps: true,
    ...(line.before === null ? {} : { before: secondsOf(line.before) }),
    ...(line.file_digest === null ? {} : { fileDigest: parseHex(line.file_digest) }),
  };
  if (line.ots !== undefined) return judgeOts({ ...circumstances, ots: parseBase64(line.ots, MAX_BYTES) });
  return judgeProof({ ...circumstances, proof: parseBase64(line.proof ?? "", MAX_BYTES) });
}

async function judgeFile({ exhibit, policy, now }: Exhibit): Promise<ExhibitVerdict> {
  const contents = await readContents(bytesSource(readFileSync(exhibit)));
  const circumstances = { policy: readPolicy(parseBase64(policy, MAX_BYTES)), now: secondsOf(now) };
  return judgeExhibit(contents, circumstances).verdict;
}

async function answerTo(line: Line | Piece | Records | Exhibit): Promise<unknown> {
  if ("read" in line) return readPiece(line);
  if ("records" in line) return judgeVector(line.records);
  return "exhibit" in line ? judgeFile(line) : judge(line);
}

for await (const text of createInterface({ input: process.stdin })) {
  let answer: unknown;
  const start = performance.now();
  try {
    answer = await answerTo(JSON.parse(text) as Line | Piece | Records | Exhibit);
  } catch (error) {
    if (error instanceof FormatError || error instanceof FalseError)
      answer = { unreadable: error.code, reason: error.message };
    else answer = { crashed: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
  process.stdout.write(`${JSON.stringify({ answer, ms: performance.now() - start })}\n`);
}
