/** Bytes that are read piece by piece: a dropped file of any size, or bytes in memory. */

/** Something with a size that gives any slice of itself. */
export interface Source {
  readonly size: number;
  read(start: number, end: number): Promise<Uint8Array>;
}

/** Read from a File or Blob; nothing but the slice asked for is loaded. */
export function blobSource(blob: Blob): Source {
  return {
    size: blob.size,
    read: async (start, end) => new Uint8Array(await blob.slice(start, end).arrayBuffer()),
  };
}

/** Read from bytes. */
export function bytesSource(bytes: Uint8Array): Source {
  return { size: bytes.length, read: async (start, end) => bytes.subarray(start, end) };
}
