/** An exhibit from a stranger, judged: steps E1 to E7 of docs/spec/exhibit.md. */
import { FormatError } from "../errors.ts";
import { type RecordsVerdict, judgeRecords } from "../records/judge.ts";
import type { RecordText } from "../records/record.ts";
import type { Circumstances } from "../verify/question.ts";
import { type Agreement, compareList, judgeOtsFiles } from "./agreement.ts";
import { judgeBag, judgeBagInfo } from "./bag.ts";
import type { Contents } from "./contents.ts";
import { unpaidRecords } from "./cost.ts";
import { type Listing, readList } from "./list.ts";
import { sentencesOf } from "./sentences.ts";
import { bundleDigest, judgeSignature } from "./signature.ts";
import { type ExhibitFinding, type ExhibitVerdict, failed } from "./verdict.ts";

/** What a person wants to see besides the verdict. */
export interface JudgedExhibit {
  readonly verdict: ExhibitVerdict;
  /** null where it could not be read. */
  readonly list: Listing | null;
  readonly records: ReadonlyMap<number, RecordText>;
}

/** Judge what was read of an exhibit. */
export function judgeExhibit(contents: Contents, circumstances: Circumstances): JudgedExhibit {
  const findings = judgeBag(contents);
  const list = listOf(contents, findings);
  let agreement: Agreement | null = null;
  if (list !== null) {
    findings.push(...judgeBagInfo(contents, list));
    agreement = compareList(contents, list);
    findings.push(...agreement.findings);
  }
  const records = agreement?.records ?? new Map<number, RecordText>();
  const manifest = contents.texts.get("manifest-sha256.txt");
  const { signedBy, findings: signature } = judgeSignature(
    contents.texts.get("signature.json"),
    manifest,
    list?.project ?? null,
    [...records.values()],
  );
  findings.push(...signature);
  let judged: RecordsVerdict | null = null;
  if (agreement !== null && records.size > 0) {
    const unpaid = unpaidRecords(contents, agreement);
    judged = judgeRecords({ ...circumstances, items: agreement.items, unpaid });
    findings.push(...judgeOtsFiles(contents, agreement, unpaid));
  }
  const bundle = manifest === undefined ? null : bundleDigest(manifest);
  const sum = sumOf(findings, judged);
  const said = sentencesOf({
    entries: contents.sizes.size,
    list,
    records: judged,
    findings,
    bundle,
    signedBy,
    status: sum.status,
  });
  const files = list?.files ?? [];
  const verdict: ExhibitVerdict = {
    ...sum,
    name: list?.name ?? null,
    project: list?.project ?? null,
    bundle,
    signed_by: signedBy,
    findings,
    records: judged,
    files: {
      shown: files.filter(({ path }) => path !== null).length,
      withheld: files.filter(({ path }) => path === null).length,
    },
    ...said,
  };
  return { verdict, list, records };
}

function listOf(contents: Contents, findings: ExhibitFinding[]): Listing | null {
  const path = "data/exhibit.json";
  const data = contents.texts.get(path);
  try {
    if (data !== undefined) return readList(data);
    findings.push(failed("E3", "list", path, "it is not there"));
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    findings.push(failed("E3", "list", path, error.message));
  }
  return null;
}

/** Step E7. */
function sumOf(
  findings: readonly ExhibitFinding[],
  records: RecordsVerdict | null,
): Pick<ExhibitVerdict, "status" | "reason" | "exit_status"> {
  const fault = findings.find(({ status }) => status === "failed");
  if (fault !== undefined) {
    const where = fault.path === null ? "" : `${fault.path}: `;
    return { status: "failed", reason: `${where}${fault.reason}`, exit_status: 1 };
  }
  if (records === null) return { status: "failed", reason: "no record can be read", exit_status: 1 };
  const unsure = findings.find(({ status }) => status === "not_checked");
  if (unsure !== undefined && records.exit_status === 0)
    return { status: "not_checked", reason: unsure.reason, exit_status: 4 };
  return { status: records.status, reason: records.reason, exit_status: records.exit_status };
}
