/** Packed files: gzip as it comes in, and zip archives of a limited size. */
import { unzipSync } from "fflate";
import { LookOnceError } from "../errors";

/** A zip that claims to hold more than this is refused before it is unpacked. */
const LARGEST_ZIP_BYTES = 2 ** 31;

export function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

export function isZip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x50 && bytes[1] === 0x4b && bytes[2] === 3 && bytes[3] === 4;
}

/**
 * Unpack gzip (or pass on what is none) until `wanted` bytes are there.
 *
 * `wanted` is asked with what has come so far, until it knows; so a file that goes on for ever takes no more memory than
 * its header asks for. Fewer bytes come back where the content ends before.
 */
export async function readStart(
  name: string,
  file: Uint8Array,
  wanted: (start: Uint8Array) => number | null,
): Promise<Uint8Array> {
  if (!isGzip(file)) return file;
  const stream = new Blob([file as BlobPart]).stream().pipeThrough(new DecompressionStream("gzip"));
  const reader = stream.getReader();
  let content = new Uint8Array(1024);
  let filled = 0;
  let goal: number | null = null;
  try {
    while (goal === null || filled < goal) {
      const { done, value } = await reader.read();
      if (done) break;
      if (filled + value.length > content.length) content = grown(name, content, filled, value.length, goal);
      content.set(value.subarray(0, content.length - filled), filled);
      filled = Math.min(filled + value.length, content.length);
      goal ??= wanted(content.subarray(0, filled));
      if (goal !== null && content.length < goal) content = grown(name, content, filled, 0, goal);
    }
  } catch (error) {
    if (error instanceof LookOnceError) throw error;
    throw new LookOnceError(
      `${name}: its gzip data are damaged, or it holds several streams; copy it again, or unpack it first`,
    );
  } finally {
    reader.cancel().catch(() => undefined);
  }
  return content.subarray(0, goal === null ? filled : Math.min(filled, goal));
}

/** All that a gzip file holds. */
export async function gunzip(name: string, file: Uint8Array): Promise<Uint8Array> {
  return readStart(name, file, () => null);
}

/** Files of a zip by their paths, folders and hidden files left out. */
export function unzip(name: string, file: Uint8Array): Map<string, Uint8Array> {
  let total = 0;
  try {
    const files = unzipSync(file, {
      filter: (entry) => {
        const isHidden = entry.name.split("/").some((part) => part.startsWith(".") || part === "__MACOSX");
        if (isHidden || entry.name.endsWith("/")) return false;
        total += entry.originalSize;
        if (total > LARGEST_ZIP_BYTES) {
          throw new LookOnceError(`${name}: holds more than 2 GB; unpack it and drop the folder of one series`);
        }
        return true;
      },
    });
    return new Map(Object.entries(files));
  } catch (error) {
    if (error instanceof LookOnceError) throw error;
    throw new LookOnceError(`${name}: the zip is damaged or encrypted; copy it again, or unpack it first`);
  }
}

function grown(name: string, content: Uint8Array, filled: number, more: number, goal: number | null) {
  try {
    const larger = new Uint8Array(goal ?? Math.max(2 * content.length, filled + more));
    larger.set(content.subarray(0, filled));
    return larger;
  } catch {
    throw new LookOnceError(`${name}: is too large for this browser's memory; label it with the program instead`);
  }
}
