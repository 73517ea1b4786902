/**
 * The worker in which DICOM becomes NIfTI.
 *
 * The package's own worker converts once and then needs to be loaded again, which a page without a network cannot do. This
 * one compiles the program once and gives every conversion a fresh copy of it, with memory and files of its own.
 */
import load from "dcm2niix-module";
import address from "dcm2niix-module.wasm?url";

export interface Conversion {
  id: number;
  files: { path: string; file: Blob }[];
}

export type ConversionReply =
  | { kind: "ready" }
  | { kind: "broken"; message: string }
  | { kind: "converted"; id: number; scans: { name: string; bytes: Uint8Array }[] };

const program = WebAssembly.compileStreaming(fetch(new URL(address, import.meta.url)));
program.then(
  () => reply({ kind: "ready" }),
  (error: Error) => reply({ kind: "broken", message: `the DICOM converter could not be fetched (${error.message})` }),
);

self.onmessage = async ({ data: { id, files } }: MessageEvent<Conversion>) => {
  // What is no DICOM, or damaged, leads to no scan; the page says so.
  const scans = await convert(files).catch(() => []);
  reply({ kind: "converted", id, scans }, scans.map(({ bytes }) => bytes.buffer));
};

async function convert(files: Conversion["files"]): Promise<{ name: string; bytes: Uint8Array }[]> {
  const compiled = await program;
  const { FS, callMain } = await load({
    instantiateWasm: async (imports, receive) => receive(await WebAssembly.instantiate(compiled, imports)),
    print: () => undefined,
    printErr: () => undefined,
  });
  FS.mkdir("/input");
  FS.mkdir("/output");
  for (const [index, { path, file }] of files.entries()) {
    // Folders matter not: series are told by their headers.
    const name = `${index}_${path.split("/").pop()}`;
    FS.createDataFile("/input", name, new Uint8Array(await file.arrayBuffer()), true, true);
  }
  callMain(["-o", "/output", "-f", "series-%s_%d", "-z", "n", "-b", "n", "/input"]);
  return FS.readdir("/output")
    .filter((name) => name.endsWith(".nii"))
    .sort()
    .map((name) => ({ name, bytes: FS.readFile(`/output/${name}`).slice() }));
}

function reply(message: ConversionReply, transfer: Transferable[] = []): void {
  self.postMessage(message, { transfer });
}
