/** What people drop or choose: files, and folders to the bottom. */
import type { Dropped } from "./protocol.ts";

const MAX_FILES = 5_000;

/** Return everything in a drop; folders are walked. */
export async function droppedIn(transfer: DataTransfer): Promise<Dropped[]> {
  const entries = [...transfer.items].flatMap((item) => item.webkitGetAsEntry() ?? []);
  if (entries.length === 0) return chosenIn(transfer.files);
  const found: Dropped[] = [];
  for (const entry of entries) await walk(entry, found);
  return found;
}

/** Return what a file picker gave; files of a folder have their path. */
export function chosenIn(files: FileList | null): Dropped[] {
  return [...(files ?? [])].slice(0, MAX_FILES).map((file) => ({ name: file.webkitRelativePath || file.name, file }));
}

async function walk(entry: FileSystemEntry, found: Dropped[]): Promise<void> {
  if (found.length >= MAX_FILES) return;
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
    found.push({ name: entry.fullPath.replace(/^\//, ""), file });
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return;
    for (const inner of some) await walk(inner, found);
  }
}
