/** The verdict on a record that has no proof: nothing is said of its time. */
import { toHex } from "../bytes/bytes.ts";
import { seconds, utcText } from "../bytes/time.ts";
import type { Circumstances } from "../verify/question.ts";
import type { Verdict } from "../verify/verdict.ts";

/** Return the verdict on a digest (hex) of which no evidence is at hand. */
export function withoutProof(digest: string, question: Circumstances): Verdict {
  const { policy, before } = question;
  const asked = before !== undefined;
  return {
    status: "not_checked",
    reason: "there is no evidence of a time",
    digest,
    file: "verified",
    policy: { name: policy.name, sha256: toHex(policy.sha256), class: policy.class },
    existed_before: { headline: null },
    headline: null,
    not_before: null,
    log: {
      status: "not_checked",
      reason: "no checkpoint is signed by a log key of the policy; index and order are not shown",
      code: "log.key_unknown",
      origin: null,
      leaf_index: null,
      tree_size: null,
    },
    attestations: [],
    warnings: [],
    ...(asked ? { before: utcText(seconds(before)), answer: "no" as const } : {}),
    exit_status: asked ? 6 : 4,
    ...(question.steps ? { steps: [] } : {}),
  };
}
