/** Exhibits made here: whole, and with one thing at a time changed, which is then named. */
import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { FormatError } from "../src/errors.ts";
import { readContents, readFolder } from "../src/exhibit/contents.ts";
import { judgeExhibit } from "../src/exhibit/judge.ts";
import { bytesSource } from "../src/exhibit/source.ts";
import type { ExhibitVerdict } from "../src/exhibit/verdict.ts";
import { readPolicy } from "../src/proof/policy.ts";
import { thumbprint } from "../src/records/keys.ts";
import { type Files, bagOf, exhibitFiles, policyBytes, sign } from "./exhibit_maker.ts";
import { type ZipEntry, zipOf } from "./zip_maker.ts";

const NOW = Date.parse("2026-12-04T09:00:00Z") / 1000;
const FOLDER = "cat.exhibit";

async function judge(zip: Uint8Array): Promise<ExhibitVerdict> {
  const contents = await readContents(bytesSource(zip));
  return judgeExhibit(contents, { policy: readPolicy(policyBytes()), now: NOW }).verdict;
}

function entries(files: Files): ZipEntry[] {
  return [...files].sort(([a], [b]) => (a < b ? -1 : 1)).map(([path, data]) => ({ name: `${FOLDER}/${path}`, data }));
}

function codes(verdict: ExhibitVerdict): string[] {
  return verdict.findings.map(({ code, path }) => `${code.replace("exhibit.", "")} ${path ?? "-"}`);
}

const whole = bagOf(exhibitFiles());

describe("an exhibit", () => {
  test("that is whole", async () => {
    const verdict = await judge(zipOf(entries(whole)));
    expect(codes(verdict)).toEqual([]);
    expect(verdict.records?.complete_up_to).toBe(3);
    expect([verdict.status, verdict.exit_status]).toEqual(["verified", 0]);
    expect(verdict.files).toEqual({ shown: 1, withheld: 0 });
    expect(verdict.proved.length).toBeGreaterThan(4);
    const named = thumbprint(verdict.signed_by!).slice(0, 8);
    expect(verdict.proved.join("\n")).toContain(`the key ${named}… of the project signed`);
    const manifest = Buffer.from(whole.get("manifest-sha256.txt")!);
    expect(verdict.bundle).toBe(createHash("sha256").update(manifest).digest("hex"));
  });

  test("that nobody signed", async () => {
    const files = exhibitFiles();
    const verdict = await judge(zipOf(entries(bagOf(files, null))));
    expect(codes(verdict)).toEqual(["unsigned -"]);
    expect([verdict.status, verdict.exit_status]).toEqual(["not_checked", 4]);
  });
});

describe("an exhibit that was unpacked", () => {
  const blobs = (files: Files) => new Map([...files].map(([path, data]) => [path, new Blob([data as BlobPart])]));
  const judged = async (files: Files) =>
    judgeExhibit(await readFolder(blobs(files)), { policy: readPolicy(policyBytes()), now: NOW }).verdict;

  test("says the same", async () => {
    expect(await judged(whole)).toEqual(await judge(zipOf(entries(whole))));
  });

  test("names what is changed", async () => {
    const path = "data/README.txt";
    const verdict = await judged(new Map(whole).set(path, new Uint8Array(3)));
    expect(codes(verdict)).toEqual(expect.arrayContaining([`changed ${path}`]));
  });

  test("is refused with a name that some system takes for another", async () => {
    await expect(judged(new Map(whole).set("data/readme.TXT", new Uint8Array(1)))).rejects.toThrow("but for case");
  });
});

describe("one byte of any file", () => {
  test.each([...whole.keys()])("%s", async (path) => {
    const data = Uint8Array.from(whole.get(path)!);
    const at = Math.floor(data.length / 2);
    data[at] = data[at]! ^ 1;
    const verdict = await judge(zipOf(entries(new Map(whole).set(path, data))));
    expect(verdict.status).toBe("failed");
    expect(verdict.exit_status).toBe(1);
    expect(verdict.proved).toEqual([]);
    const named = verdict.findings.some((found) => found.path === path || path.startsWith("tagmanifest"));
    expect(named, codes(verdict).join(", ")).toBe(true);
  });
});

describe("any file left out", () => {
  test.each([...whole.keys()].filter((path) => path !== "signature.json"))("%s", async (path) => {
    const files = new Map(whole);
    files.delete(path);
    const verdict = await judge(zipOf(entries(files)));
    expect(verdict.status).toBe("failed");
    expect(codes(verdict)).toContain(`missing ${path}`);
  });

  test("signature.json", async () => {
    const files = new Map(whole);
    files.delete("signature.json");
    const verdict = await judge(zipOf(entries(files)));
    expect(codes(verdict)).toEqual(["missing signature.json", "unsigned -"]);
  });
});

/** Change what lies inside, and make bag and signature anew, as a party could who tampers. */
describe("a bag made anew around", () => {
  const anew = async (change: (files: Files) => void) => {
    const files = exhibitFiles();
    change(files);
    return judge(zipOf(entries(bagOf(files))));
  };
  const list = (files: Files, change: (value: any) => void) => {
    const value = JSON.parse(new TextDecoder().decode(files.get("data/exhibit.json")!));
    change(value);
    files.set("data/exhibit.json", new TextEncoder().encode(JSON.stringify(value)));
  };
  const name = (n: number) => String(n).padStart(8, "0");

  test("another file", async () => {
    const path = [...exhibitFiles().keys()].find((one) => one.startsWith("data/files/"))!;
    const verdict = await anew((files) => files.set(path, new TextEncoder().encode("another cat")));
    expect(codes(verdict)).toEqual([`file ${path}`]);
  });

  test("a file that nobody lists", async () => {
    const path = `data/files/${"ab".repeat(32)}.png`;
    const verdict = await anew((files) => files.set(path, new Uint8Array(3)));
    expect(codes(verdict)).toEqual([`file ${path}`]);
  });

  test("two records exchanged", async () => {
    const [one, two] = [`data/records/${name(1)}.sdjwt`, `data/records/${name(2)}.sdjwt`];
    const verdict = await anew((files) => {
      const first = files.get(one)!;
      files.set(one, files.get(two)!).set(two, first);
    });
    expect(codes(verdict)).toEqual(expect.arrayContaining([`record ${one}`, `record ${two}`]));
  });

  test("a disclosure left out", async () => {
    const path = `data/records/${name(3)}.sdjwt`;
    const verdict = await anew((files) => {
      const text = new TextDecoder().decode(files.get(path)!);
      files.set(path, new TextEncoder().encode(`${text.split("~")[0]}~`));
    });
    expect(verdict.findings.map(({ code }) => code)).toContain("exhibit.file");
  });

  test("a record that is hidden behind a stub of another digest", async () => {
    const verdict = await anew((files) => {
      files.delete(`data/records/${name(1)}.sdjwt`);
      files.delete(`data/proofs/${name(1)}.proof`);
      list(files, (value) => {
        value.records[1] = { seq: 1, kind: "idea", digest: "cd".repeat(32), shown: false };
      });
    });
    expect(verdict.status).toBe("failed");
    expect(verdict.reason).toContain("does not follow");
  });

  test("a genesis that is withheld", async () => {
    const verdict = await anew((files) => {
      files.delete(`data/records/${name(0)}.sdjwt`);
      list(files, (value) => (value.records[0] = { ...value.records[0], shown: false, proof: undefined }));
    });
    expect(codes(verdict)).toContain("list data/exhibit.json");
  });

  test("a proof of another record", async () => {
    const path = `data/proofs/${name(1)}.proof`;
    const verdict = await anew((files) => files.set(path, files.get(`data/proofs/${name(2)}.proof`)!));
    expect(codes(verdict)).toEqual([`proof ${path}`]);
  });

  test("a proof that the list denies", async () => {
    const verdict = await anew((files) => list(files, (value) => (value.records[1].proof = false)));
    expect(codes(verdict)).toEqual([`proof data/proofs/${name(1)}.proof`]);
  });

  test("an .ots of something else", async () => {
    const path = `data/proofs/${name(1)}.ots`;
    const verdict = await anew((files) => files.set(path, new TextEncoder().encode("no timestamp")));
    expect(codes(verdict)).toEqual([`ots ${path}`]);
  });

  test.each([
    ["another name", (value: any) => (value.name = "dog")],
    ["another date", (value: any) => (value.date = "2026-01-01T00:00:00Z")],
    ["an unknown field", (value: any) => (value.more = 1)],
    ["a digest changed", (value: any) => (value.records[2].digest = "ef".repeat(32))],
    ["a kind changed", (value: any) => (value.records[2].kind = "note")],
    ["a size changed", (value: any) => (value.files[0].size += 1)],
    ["a record dropped", (value: any) => value.records.splice(1, 1)],
  ])("%s", async (_name, change) => {
    const verdict = await anew((files) => list(files, change));
    expect(verdict.status).toBe("failed");
    expect(verdict.findings.every(({ step }) => step === "E2" || step === "E3")).toBe(true);
  });
});

describe("the signature", () => {
  test.each([
    ["of another project", { project: "ff".repeat(16) }],
    ["of another bundle", { bundle: "00".repeat(32) }],
    ["of another manifest", { manifest: "00".repeat(32) }],
    ["that does not verify", { signature: "00".repeat(64) }],
    ["by a key that the project does not know", { stranger: true }],
    ["with more in it", { more: 1 }],
  ])("%s", async (_name, change) => {
    const files = bagOf(exhibitFiles(), (manifest) => sign(manifest, change));
    expect(codes(await judge(zipOf(entries(files))))).toEqual(["signature signature.json"]);
  });
});

describe("the container is refused", () => {
  const few = (...names: string[]): ZipEntry[] => names.map((name) => ({ name, data: new Uint8Array(1) }));
  const long = `${FOLDER}/${"x".repeat(250)}`;

  test.each<[string, () => Uint8Array, string]>([
    ["no zip", () => new Uint8Array(100), "zip"],
    ["nothing", () => new Uint8Array(0), "zip"],
    ["cut short", () => zipOf(entries(whole)).slice(0, -30), "zip"],
    ["bytes before the first entry", () => Uint8Array.from([1, ...zipOf(entries(whole))]), "zip"],
    ["a comment", () => zipOf(entries(whole), { comment: "x" }), "zip"],
    ["a comment that is not there", () => Uint8Array.from([...zipOf(few(`${FOLDER}/a`)).slice(0, -2), 5, 0]), "zip"],
    ["two folders", () => zipOf(few(`${FOLDER}/a`, "dog.exhibit/b")), "folder"],
    ["another folder", () => zipOf(few("cat/a")), "folder"],
    ["a way up", () => zipOf(few(`${FOLDER}/../a`)), "name"],
    ["an absolute name", () => zipOf(few("/etc/passwd")), "name"],
    ["a backslash", () => zipOf(few(`${FOLDER}/a\\b`)), "name"],
    ["a control character", () => zipOf(few(`${FOLDER}/a\nb`)), "name"],
    ["a name turned round", () => zipOf(few(`${FOLDER}/a\u202eb`)), "name"],
    ["a decomposed name", () => zipOf(few(`${FOLDER}/e\u0301`)), "name"],
    ["a long name", () => zipOf(few(long)), "name"],
    ["one name twice", () => zipOf(few(`${FOLDER}/a`, `${FOLDER}/a`)), "duplicate"],
    ["a name in two cases", () => zipOf(few(`${FOLDER}/a`, `${FOLDER}/A`)), "duplicate"],
    ["a file as folder", () => zipOf(few(`${FOLDER}/a`, `${FOLDER}/a/b`)), "duplicate"],
    ["a folder", () => zipOf(few(`${FOLDER}/a/`)), "kind"],
    ["a link", () => zipOf([{ ...few(`${FOLDER}/a`)[0]!, mode: 0o120777 }]), "kind"],
    ["encrypted", () => zipOf([{ ...few(`${FOLDER}/a`)[0]!, flags: 0x801 }]), "method"],
    ["a strange method", () => zipOf([{ ...few(`${FOLDER}/a`)[0]!, method: 12 }]), "method"],
    ["a bomb", () => zipOf([{ name: `${FOLDER}/a`, data: new Uint8Array(1 << 22), deflate: true }]), "method"],
    ["a size that lies", () => zipOf([{ name: `${FOLDER}/a`, data: new Uint8Array(5000), size: 4000 }]), "size"],
    ["a header that differs", () => zipOf([{ ...few(`${FOLDER}/a`)[0]!, localName: `${FOLDER}/b` }]), "header"],
    ["overlapping entries", () => zipOf([...few(`${FOLDER}/a`), { ...few(`${FOLDER}/b`)[0]!, at: 0 }]), "overlap"],
    ["a gap", () => zipOf([...few(`${FOLDER}/a`), { ...few(`${FOLDER}/b`)[0]!, gap: 4 }]), "overlap"],
    ["too many entries", () => zipOf(few(...Array.from({ length: 20_001 }, (_, i) => `${FOLDER}/${i}`))), "entries"],
    ["a long text", () => zipOf([{ name: `${FOLDER}/bagit.txt`, data: new Uint8Array(70_000) }]), "too_large"],
  ])("%s", async (_name, make, code) => {
    await expect(judge(make())).rejects.toSatisfy(
      (error: unknown) => error instanceof FormatError && error.code === `exhibit.${code}`,
    );
  });
});
