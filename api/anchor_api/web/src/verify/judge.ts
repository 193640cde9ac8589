/**
 * The steps in order: a proof, a policy and known facts go in, a verdict comes out.
 *
 * No I/O, no clock. The numbers are those of `docs/spec/verification.md`.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { concat, equal, toHex } from "../bytes/bytes.ts";
import { utcText, type Micros } from "../bytes/time.ts";
import { readDetached } from "../formats/ots.ts";
import { readProof, type Attestation, type Proof } from "../proof/proof.ts";
import { standingOf } from "./archive.ts";
import { judgeOpenTimestamps, judgePaths } from "./bitcoin.ts";
import { judgeEvm } from "./evm.ts";
import { familyOf, guarded, judged, kindOf, rootHashOf, rowOf, type JudgedRow, type Judgement } from "./judgement.ts";
import { judgeLog, logSteps, NO_LOG, type ReachedRoot } from "./log.ts";
import type { Circumstances, OtsQuestion, ProofQuestion } from "./question.ts";
import { judgeToken, settleTokens, type TokenFinding } from "./rfc3161.ts";
import { answerBefore, boundsByFamily, exitStatus, headlineOf, orderRows, sumStatus } from "./summary.ts";
import type { LogVerdict, Status, Step, Verdict } from "./verdict.ts";
import { judgeWitness } from "./witness.ts";
import { affordable, EXHIBIT_OVER_BUDGET, OVER_BUDGET } from "./work.ts";

const BARE_WARNING = "a bare digest: whoever has the file can look it up in the log";
const SHA1_WARNING = "SHA-1 is broken: two different files can share this digest";

/** Judge a proof file; FormatError where it cannot be read (exit status 5). */
export function judgeProof(question: ProofQuestion): Verdict {
  checkArchive(question);
  const proof = readProof(question.proof);
  const { log, reached } = judgeLog(proof.digest, proof.inclusions, question.policy);
  const rows = judgeRows(proof, reached, question);
  const bare = proof.opening === null && question.fileDigest !== undefined;
  return sum(question, {
    digest: proof.digest,
    file: judgeOpening(proof, question.fileDigest),
    log,
    rows,
    warnings: bare ? [BARE_WARNING] : [],
    steps: [...openingSteps(proof, question.fileDigest), ...logSteps(proof.digest, reached)],
  });
}

/** Judge a `.ots` file; `fileDigest` is made with the file's own operation. */
export function judgeOts(question: OtsQuestion): Verdict {
  checkArchive(question);
  const { policy, facts = {}, fileDigest } = question;
  const { digest, fileOp, paths } = readDetached(question.ots);
  const found = guarded(() => judgePaths(paths, new Map(), policy.bitcoin, facts, ""));
  const judgement = fileOp === "sha1" && found.status === "verified" ? withoutSha1(found) : found;
  const attestation: Attestation = { kind: "opentimestamps", rootHash: digest, calendar: "", tree: new Uint8Array(), headers: [] };
  return sum(question, {
    digest,
    file: fileDigest === undefined ? "not_checked" : equal(fileDigest, digest) ? "verified" : "failed",
    log: NO_LOG,
    rows: [{ attestation, family: "bitcoin", judgement }],
    warnings: fileOp === "sha1" ? [SHA1_WARNING] : [],
    steps: [],
  });
}

function checkArchive({ policy, facts }: Circumstances): void {
  if (facts?.archive !== undefined) standingOf(facts.archive, policy.bitcoin);
}

function microsOf(count: number): Micros {
  return BigInt(Math.round(count * 1_000_000));
}

/** Step 1: from the file's digest to the log's entry. */
function judgeOpening(proof: Proof, fileDigest: Uint8Array | undefined): Status {
  if (fileDigest === undefined) return "not_checked";
  const digest = proof.opening === null ? fileDigest : sha256(concat(fileDigest, proof.opening));
  return equal(digest, proof.digest) ? "verified" : "failed";
}

function openingSteps({ opening, digest }: Proof, fileDigest: Uint8Array | undefined): Step[] {
  if (fileDigest === undefined) return [];
  const lines = [`SHA-256(file) = ${toHex(fileDigest)}   (sha256sum FILE)`];
  if (opening !== null)
    lines.push(`SHA-256(${toHex(fileDigest)} ‖ ${toHex(opening)}) = ${toHex(sha256(concat(fileDigest, opening)))}`);
  lines.push(`entry of the log: ${toHex(digest)}`);
  return [{ number: "1", title: "from the file to the digest", lines }];
}

/** Steps 4 to 9: judge each row that the work allows alone, then settle the tokens that lean on others. */
function judgeRows(
  proof: Proof, reached: readonly ReachedRoot[], question: Circumstances & { readonly unpaid?: boolean },
): JudgedRow[] {
  const joins = (attestation: Attestation): boolean => {
    const root = rootHashOf(attestation);
    return root !== null && reached.some(({ rootHash }) => equal(rootHash, root));
  };
  const paid = question.unpaid ? new Set() : affordable(proof.attestations.filter(joins));
  const judge = (attestation: Attestation): Judgement | TokenFinding => {
    if (rootHashOf(attestation) === null) return judgeAbsent(attestation);
    if (!joins(attestation))
      return judged("failed", "attestation.root_unreached", "is for a root hash that no inclusion proof leads to");
    if (paid.has(attestation)) return judgeEvidence(attestation, reached, question);
    return question.unpaid ? EXHIBIT_OVER_BUDGET : OVER_BUDGET;
  };
  const found = proof.attestations.map((attestation) => ({
    row: { attestation, family: familyOf(attestation) },
    found: guarded(() => judge(attestation)),
  }));
  return settleTokens(found, microsOf(question.now));
}

function judgeEvidence(
  attestation: Attestation, reached: readonly ReachedRoot[], { policy, facts = {}, now }: Circumstances,
): Judgement | TokenFinding {
  switch (attestation.kind) {
    case "rfc3161":
      return judgeToken(attestation, reached, policy);
    case "evm":
      return judgeEvm(attestation, policy, facts);
    case "opentimestamps":
      return judgeOpenTimestamps(attestation, policy, facts);
    case "witness":
      return judgeWitness(attestation, policy, microsOf(now));
    default:
      return judgeAbsent(attestation);
  }
}

/** Step 9. */
function judgeAbsent(attestation: Attestation): Judgement {
  if (attestation.kind === "expected")
    return judged("pending", "expected", attestation.note || "not there yet", { by: attestation.by });
  const by = kindOf(attestation);
  const reason = `this release does not know attestations of kind ${JSON.stringify(by)}`;
  return judged("not_checked", "attestation.kind_unknown", reason, { by });
}

function withoutSha1(judgement: Judgement): Judgement {
  const reason = "the file's digest is SHA-1, for which two files can be made to agree";
  return { ...judgement, status: "not_checked", reason, code: "ots.sha1", time: null, trust: "" };
}

interface Parts {
  readonly digest: Uint8Array;
  readonly file: Status;
  readonly log: LogVerdict;
  readonly rows: readonly JudgedRow[];
  readonly warnings: readonly string[];
  readonly steps: readonly Step[];
}

/** Steps 10 to 12. */
function sum(question: Circumstances, { digest, file, log, rows, warnings, steps }: Parts): Verdict {
  const { policy } = question;
  const failed = file === "failed" || log.status === "failed";
  const found = failed ? null : headlineOf(rows, policy);
  const status = sumStatus(rows, failed, found);
  const headline = status === "failed" ? null : found;
  const ordered = orderRows(rows);
  const times = [...boundsByFamily(rows)].map(([family, time]): [string, string] => [family, utcText(time)]);
  const before = question.before === undefined ? null : microsOf(question.before);
  const asked = before === null || status === "failed" ? null : answerBefore(rows, headline, before, microsOf(question.now));
  return {
    status,
    reason: reasonOf(status, file, log, ordered),
    digest: toHex(digest),
    file,
    policy: { name: policy.name, sha256: toHex(policy.sha256), class: policy.class },
    existed_before: { ...Object.fromEntries(times), headline: headline === null ? null : utcText(headline.judgement.time!) },
    headline: headline === null ? null : rowOf(headline),
    not_before: null,
    log,
    attestations: ordered.map(rowOf),
    warnings,
    exit_status: asked?.exit ?? exitStatus(status),
    ...(before === null ? {} : { before: utcText(before), answer: asked?.answer ?? null }),
    ...(question.steps ? { steps: sortSteps([...steps, ...ordered.flatMap(({ judgement }) => judgement.steps)]) } : {}),
  };
}

function reasonOf(status: Status, file: Status, log: LogVerdict, rows: readonly JudgedRow[]): string {
  if (file === "failed") return "the file is not the one that the proof is about";
  if (log.status === "failed") return log.reason;
  const first = rows.find(({ judgement }) => judgement.status === status);
  if (first !== undefined) return first.judgement.reason;
  return rows.some(({ judgement }) => judgement.status === "verified")
    ? "what is verified is not what the policy admits, or not enough of it"
    : "there is no evidence yet";
}

/** Return steps in the order of the specification. */
export function sortSteps(steps: readonly Step[]): Step[] {
  const key = ({ number }: Step): number[] => number.split(".").map(Number);
  return [...steps].sort((a, b) => {
    const [x, y] = [key(a), key(b)];
    return x[0]! - y[0]! || (x[1] ?? -1) - (y[1] ?? -1);
  });
}
