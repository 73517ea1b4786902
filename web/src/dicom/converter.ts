/** DICOM to NIfTI: the page's end of the worker. */
import { LookOnceError } from "../errors";
import type { Conversion, ConversionReply } from "./worker";

export class DicomConverter {
  private readonly worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
  private next = 0;

  private constructor() {}

  /** Fetch the converter; it needs nothing more afterwards. */
  static async load(): Promise<DicomConverter> {
    const converter = new DicomConverter();
    const reply = await converter.reply(({ kind }) => kind !== "converted");
    if (reply.kind === "broken") throw new LookOnceError(reply.message, "runtime");
    return converter;
  }

  /** One NIfTI file per series, named after its number and description. */
  async convert(files: Conversion["files"]): Promise<{ name: string; file: Blob }[]> {
    const id = this.next++;
    this.worker.postMessage({ id, files } satisfies Conversion);
    const reply = await this.reply((message) => message.kind === "converted" && message.id === id);
    const scans = reply.kind === "converted" ? reply.scans : [];
    if (!scans.length) {
      const name = files.length === 1 ? files[0].path : `these ${files.length} files`;
      throw new LookOnceError(`${name}: no DICOM series that holds an image was found; drop the folder of one series`);
    }
    return scans.map(({ name, bytes }) => ({ name, file: new Blob([bytes as BlobPart]) }));
  }

  private reply(isWanted: (message: ConversionReply) => boolean): Promise<ConversionReply> {
    return new Promise((resolve) => {
      const receive = ({ data }: MessageEvent<ConversionReply>) => {
        if (!isWanted(data)) return;
        this.worker.removeEventListener("message", receive);
        resolve(data);
      };
      this.worker.addEventListener("message", receive);
    });
  }
}
