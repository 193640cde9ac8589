/** What a person can redo of a record's judgement, with stock tools. */
import type { Step } from "../verify/verdict.ts";
import type { RecordText } from "./record.ts";

/** Return the steps of one record. */
export function recordSteps(record: RecordText): Step[] {
  const { sdJwt } = record;
  const shown = sdJwt.disclosures.map(({ name, digest }) => `${name}: ${digest}`);
  return [
    {
      number: "13.1",
      title: "digest of the record",
      lines: [
        `SHA-256(header.payload.signature) = ${record.digest}`,
        "cut -d'~' -f1 FILE | tr -d '\\n' | sha256sum",
      ],
    },
    {
      number: "13.2",
      title: "base64url(SHA-256(disclosure)) stands in _sd",
      lines: [
        ...shown,
        `${record.withheld} of ${sdJwt.hiddenDigests.length} hidden fields withheld`,
        "printf %s DISCLOSURE | openssl dgst -sha256 -binary | base64 | tr '+/' '-_' | tr -d =",
      ],
    },
    {
      number: "13.3",
      title: "Ed25519 over header.payload",
      lines: [`thumbprint of the key (RFC 7638): ${record.key}`],
    },
    {
      number: "13.5",
      title: `root hash over the digests of ${record.seq} records`,
      lines: [`prev ${record.prev ?? "null"}`, `head ${record.head}`],
    },
  ];
}
