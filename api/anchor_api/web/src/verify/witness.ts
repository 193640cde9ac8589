/** Step 8: a witness's cosignature. */
import { equal } from "../bytes/bytes.ts";
import { seconds, type Micros } from "../bytes/time.ts";
import { FalseError } from "../errors.ts";
import { parseCheckpoint } from "../formats/checkpoint.ts";
import { parseNote, signaturesBy, verifyCosignature } from "../formats/note.ts";
import type { Policy } from "../proof/policy.ts";
import type { WitnessAttestation } from "../proof/proof.ts";
import { judged, type Judgement } from "./judgement.ts";

/** Judge one cosignature. */
export function judgeWitness(attestation: WitnessAttestation, policy: Policy, now: Micros): Judgement {
  const note = parseNote(attestation.checkpoint);
  const checkpoint = parseCheckpoint(note.text);
  if (!equal(checkpoint.rootHash, attestation.rootHash))
    throw new FalseError("the cosigned checkpoint holds another root hash", "witness.root_mismatch");
  const named = policy.witnesses
    .filter(({ key }) => key.name === attestation.witness)
    .sort((a, b) => (a.key.text < b.key.text ? -1 : 1));
  const witness = named.find(({ key }) => signaturesBy(note, key).length > 0) ?? named[0];
  if (witness === undefined)
    return judged("not_checked", "witness.unknown", "the policy does not know this witness", { by: attestation.witness });
  const { key, related } = witness;
  const time = verifyCosignature(note, key);
  const steps = [
    {
      number: "8.1",
      title: `cosignature of ${key.name}`,
      lines: [`cosignature/v1, time ${time}`, `size ${checkpoint.treeSize}`],
    },
  ];
  if (time === 0n || seconds(time) > now) {
    const why = time === 0n ? "no time" : "a time in the future";
    return judged("not_checked", "witness.no_time", `the cosignature states ${why}`, { by: key.name, steps });
  }
  const relation = related ? ", which is related to the log's operator" : "";
  return judged("verified", "witness.verified", "cosigned the checkpoint", {
    time: seconds(time),
    trust: `believe the clock and key of witness ${key.name}${relation}`,
    headline: !related,
    by: key.name,
    steps,
  });
}
