/**
 * The proof half of the second verifier.
 *
 * ```ts
 * const policy = readPolicy(policyBytes);
 * const verdict = judgeProof({ proof: proofBytes, policy, now: Date.now() / 1000, fileDigest });
 * ```
 *
 * Written from `docs/spec/verification.md`; what cannot be read is thrown as a FormatError.
 */
export { FalseError, FormatError, LimitExceededError } from "../errors.ts";
export { readPolicy, type Policy } from "../proof/policy.ts";
export { readProof, type Proof } from "../proof/proof.ts";
export type { ConfirmedBlock, HeaderArchive, KnownFacts } from "./facts.ts";
export { judgeOts, judgeProof } from "./judge.ts";
export type { Circumstances, OtsQuestion, ProofQuestion } from "./question.ts";
export type * from "./verdict.ts";
