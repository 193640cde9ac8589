/** Which key may sign at which place of a project (docs/spec/record.md, "Keys"; steps 13.3, 13.4). */
import { sha256 } from "@noble/hashes/sha2.js";
import { toHex } from "../bytes/bytes.ts";
import { parseHex, toBase64Url, toUtf8 } from "../bytes/text.ts";
import { type Micros, parseUtc } from "../bytes/time.ts";
import { FalseError } from "../errors.ts";
import { verifyEd25519 } from "../formats/ed25519.ts";
import { RECOVERY_KINDS } from "./kinds.ts";
import type { RecordText } from "./record.ts";

/** Why a signature does not count: a code and a sentence. */
export interface Fault {
  readonly code: string;
  readonly reason: string;
}

/** What the records before a place say of one key. */
export interface Standing {
  /** Raw Ed25519 public key, hex. */
  readonly publicKey: string;
  /** What it may sign as; an author's key signs as anything. */
  readonly role: string;
  /** `seq` of the key_bind that it depends on; null: genesis or the recovery key named it. */
  readonly boundBy: number | null;
  /** `seq` of the record that ended it, or null. */
  endedAt: number | null;
}

/** RFC 7638 thumbprint of a raw Ed25519 public key in hex, in hex. */
export function thumbprint(publicKey: string): string {
  const x = toBase64Url(parseHex(publicKey, 32));
  return toHex(sha256(toUtf8(`{"crv":"Ed25519","kty":"OKP","x":"${x}"}`)));
}

/** Tell whether a record's signature is of this key. */
export function isSignedBy(record: RecordText, publicKey: string): boolean {
  const { signature, signingInput } = record.sdJwt;
  try {
    verifyEd25519(parseHex(publicKey, 32), toUtf8(signingInput), signature);
    return true;
  } catch (error) {
    if (error instanceof FalseError) return false;
    throw error;
  }
}

/** The keys of one project, as its records name them one after the other. */
export class KeyBook {
  /** Each key that was ever named, by thumbprint. */
  readonly keys = new Map<string, Standing>();
  /** Since when a key is not to be believed, by thumbprint. */
  readonly compromisedSince = new Map<string, Micros>();
  /** Thumbprint of the recovery key in force, last; those before it stay known. */
  readonly #recoveries: string[] = [];

  /**
   * Judge the signature of the project's next record; what a key record names, only where it is in
   * its place.
   *
   * @returns null where it verifies, a fault, or "unknown" where no record shown names its key.
   */
  judge(record: RecordText, inPlace: boolean): Fault | "unknown" | null {
    const signer = this.#signerOf(record);
    if (signer === undefined) return "unknown";
    if ("code" in signer) return signer;
    if (thumbprint(signer.publicKey) !== record.key)
      return fault("record.key_mismatch", "it names another key than the one that it must be signed by");
    if (signer.endedAt !== null)
      return fault("record.key_ended", `its key was ended by record ${signer.endedAt}`);
    if (signer.role !== "author" && signer.role !== record.role)
      return fault("record.role", `a key bound as ${signer.role} signs as ${record.role}`);
    if (!isSignedBy(record, signer.publicKey))
      return fault("record.signature", "the signature is not of the key that the project names");
    return record.isKeyRecord && inPlace ? this.#mayName(record, signer) : null;
  }

  /** Take up what a key record says that `judge` found no fault with. */
  learn(record: RecordText): void {
    const { kind, seq } = record;
    const name = thumbprintNamed(record);
    if (kind.name === "key_revoke" || kind.name === "key_rotate") this.#end(record, seq);
    if (kind.name === "key_bind") {
      if (!this.keys.has(name)) this.#add(record, textOf(record, "key_role"), seq);
    } else if (kind.name !== "key_revoke") {
      this.#add(record, "author", null);
      this.#recoveries.push(textOf(record, "recovery"));
    }
  }

  /**
   * Tell whether a record seen elsewhere is signed by a key that this history names.
   *
   * What a recovery key says there of a compromise is taken up; it ends no key here, and the same
   * words under any other key count for nothing (step 13.4).
   */
  hear(record: RecordText): boolean {
    const byRecovery = RECOVERY_KINDS.has(record.kind.name) && this.#recoveries.includes(record.key);
    const publicKey = byRecovery ? textOf(record, "recovery_key") : this.keys.get(record.key)?.publicKey;
    if (publicKey === undefined || thumbprint(publicKey) !== record.key) return false;
    if (!isSignedBy(record, publicKey)) return false;
    if (byRecovery) this.#end(record, null);
    return true;
  }

  #signerOf(record: RecordText): Standing | Fault | undefined {
    if (record.kind.name === "genesis") {
      if (record.seq !== 0 || this.keys.size > 0)
        return fault("record.genesis", "only the first record of a project is a genesis");
      return author(textOf(record, "public_key"));
    }
    if (!RECOVERY_KINDS.has(record.kind.name)) return this.keys.get(record.key);
    const recovery = textOf(record, "recovery_key");
    if (thumbprint(recovery) !== this.#recoveries.at(-1))
      return fault("record.recovery", "the recovery key is not the one that the project committed to");
    return author(recovery);
  }

  /** A key is named once: it does not come back, and the recovery key is for nothing else. */
  #mayName(record: RecordText, signer: Standing): Fault | null {
    const kind = record.kind.name;
    if (kind === "key_revoke") return null;
    if (kind === "key_bind" && signer.role !== "author")
      return fault("record.role", "only an author's key binds another");
    const name = thumbprintNamed(record);
    const known = this.keys.get(name);
    if (
      kind === "key_bind" &&
      known !== undefined &&
      known.endedAt === null &&
      known.role === textOf(record, "key_role")
    )
      return null; // it says whose a key is that may sign already
    const next = kind === "key_bind" ? this.#recoveries.at(-1) : textOf(record, "recovery");
    const clash =
      known !== undefined ||
      this.compromisedSince.has(name) ||
      name === this.#recoveries.at(-1) ||
      next === name ||
      (next !== undefined && this.keys.has(next));
    if (clash)
      return fault("record.key_reused", "a key that it names is known already, ended, or for something else");
    return null;
  }

  #add(record: RecordText, role: string, boundBy: number | null): void {
    const publicKey = textOf(record, "public_key");
    this.keys.set(thumbprint(publicKey), { publicKey, role, boundBy, endedAt: null });
  }

  #end(record: RecordText, at: number | null): void {
    const revoking = record.kind.name === "key_revoke";
    const name = textOf(record, revoking ? "revoked_key" : "replaced_key");
    const standing = this.keys.get(name);
    if (standing !== undefined && at !== null) standing.endedAt = at;
    const stated = record.fields.get("compromised_at");
    if (typeof stated !== "string") return;
    const since = parseUtc(stated);
    const known = this.compromisedSince.get(name);
    if (known === undefined || since < known) this.compromisedSince.set(name, since);
  }
}

function thumbprintNamed(record: RecordText): string {
  const publicKey = record.fields.get("public_key");
  return typeof publicKey === "string" ? thumbprint(publicKey) : "";
}

function textOf(record: RecordText, name: string): string {
  return record.fields.get(name) as string;
}

function author(publicKey: string): Standing {
  return { publicKey, role: "author", boundBy: null, endedAt: null };
}

function fault(code: string, reason: string): Fault {
  return { code, reason };
}
