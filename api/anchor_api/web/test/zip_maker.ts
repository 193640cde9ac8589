/** Writes zip files for the tests, wrong ones too. */
import { deflateRawSync } from "node:zlib";

/** One entry; what is left out is as it should be. */
export interface ZipEntry {
  readonly name: string;
  readonly data: Uint8Array;
  readonly deflate?: boolean;
  readonly mode?: number;
  readonly flags?: number;
  readonly method?: number;
  /** The size stated. */
  readonly size?: number;
  /** The name in the local header. */
  readonly localName?: string;
  /** Where the directory says that it stands. */
  readonly at?: number;
  /** Bytes before it that belong to nobody. */
  readonly gap?: number;
}

/** Return a zip file. */
export function zipOf(entries: readonly ZipEntry[], options: { comment?: string } = {}): Uint8Array {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  const put = (part: Buffer) => {
    parts.push(part);
    at += part.length;
  };
  for (const entry of entries) {
    if (entry.gap) put(Buffer.alloc(entry.gap));
    const body = Buffer.from(entry.deflate ? deflateRawSync(entry.data) : entry.data);
    const name = Buffer.from(entry.name);
    const fixed = Buffer.alloc(26);
    fixed.writeUInt16LE(20, 0);
    fixed.writeUInt16LE(entry.flags ?? 0x800, 2);
    fixed.writeUInt16LE(entry.method ?? (entry.deflate ? 8 : 0), 4);
    fixed.writeUInt32LE(body.length, 14);
    fixed.writeUInt32LE(entry.size ?? entry.data.length, 18);
    const start = at;
    const localName = Buffer.from(entry.localName ?? entry.name);
    const local = Buffer.from(fixed);
    local.writeUInt16LE(localName.length, 22);
    put(Buffer.concat([Buffer.from("PK\x03\x04", "latin1"), local, localName, body]));
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(((entry.mode ?? 0o100644) << 16) >>> 0, 6);
    tail.writeUInt32LE(entry.at ?? start, 10);
    fixed.writeUInt16LE(name.length, 22);
    const made = Buffer.from([20, 3]);
    directory.push(Buffer.concat([Buffer.from("PK\x01\x02", "latin1"), made, fixed, tail, name]));
  }
  const list = Buffer.concat(directory);
  const comment = Buffer.from(options.comment ?? "");
  const end = Buffer.alloc(18);
  end.writeUInt16LE(entries.length, 4);
  end.writeUInt16LE(entries.length, 6);
  end.writeUInt32LE(list.length, 8);
  end.writeUInt32LE(at, 12);
  end.writeUInt16LE(comment.length, 16);
  return Uint8Array.from(Buffer.concat([...parts, list, Buffer.from("PK\x05\x06", "latin1"), end, comment]));
}
