/** The page's end of the worker. */
import type { ModelCard } from "../pipeline/labeling";
import type { NamedFile, Reply, Request } from "../worker/messages";

type Handler = (reply: Reply) => void | Promise<void>;

export class WorkerClient {
  private readonly worker = new Worker(new URL("../worker/worker.ts", import.meta.url), { type: "module" });
  private readonly handlers = new Map<number, Handler>();
  private next = 0;

  /** Fetch runtime and network; rejects with the reason where that fails. */
  start(onProgress: (loaded: number, total: number) => void): Promise<{ card: ModelCard; backend: string }> {
    return new Promise((resolve, reject) => {
      this.worker.onerror = (event) => reject(new Error(event.message || "the worker could not be started"));
      this.worker.onmessage = ({ data: reply }: MessageEvent<Reply>) => {
        if (reply.kind === "loading") onProgress(reply.loaded, reply.total);
        else if (reply.kind === "ready") resolve(reply);
        else if (reply.kind === "broken") reject(new Error(reply.message));
        else this.handlers.get(reply.id)?.(reply);
      };
      this.send({ kind: "start" });
    });
  }

  /** Open a NIfTI file; resolves when the last reply to it has been handled. A file opened later takes its place. */
  open(file: NamedFile, volume: number | null, onReply: Handler): Promise<void> {
    const id = this.next++;
    this.handlers.clear();
    return new Promise((resolve) => {
      let shown: Promise<void> | void;
      this.handlers.set(id, async (reply) => {
        await shown;
        shown = onReply(reply);
        await shown;
        if (reply.kind !== "image") resolve();
      });
      this.send({ kind: "open", id, file, volume });
    });
  }

  private send(request: Request): void {
    this.worker.postMessage(request);
  }
}
