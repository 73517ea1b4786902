/** The page's end of the worker. */
import {
  type Cards, LAST, type NamedFile, type Numbered, type PictureReply, type Reply, type Request, type ScanReply,
  type StartReply,
} from "./messages";

type Handler = (reply: Reply) => void | Promise<void>;

export class WorkerClient {
  private readonly worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
  private readonly handlers = new Map<number, Handler>();
  /** Of scans, and of the pictures for each network, the request of the last one. */
  private readonly latest = new Map<string, number>();
  private next = 0;

  constructor(onBroken: (message: string) => void) {
    this.worker.onerror = (event) => onBroken(event.message || "the worker could not be started");
    this.worker.onmessage = ({ data: reply }: MessageEvent<Numbered<Reply>>) => this.handlers.get(reply.id)?.(reply);
  }

  /** Fetch a network, and the runtime if need be; rejects with the reason where that fails. */
  start<Task extends keyof Cards>(
    model: string,
    task: Task,
    onProgress: (loaded: number, total: number) => void,
  ): Promise<{ card: Cards[Task]; backend: string }> {
    return new Promise((resolve, reject) => {
      this.send({ kind: "start", model, task }, (reply) => {
        const answer = reply as StartReply;
        if (answer.kind === "loading") onProgress(answer.loaded, answer.total);
        else if (answer.kind === "ready") resolve({ card: answer.card as Cards[Task], backend: answer.backend });
        else reject(new Error(answer.message));
      });
    });
  }

  /** Open a NIfTI file; resolves when the last reply to it has been handled. A file opened later takes its place. */
  open(file: NamedFile, volume: number | null, onReply: (reply: ScanReply) => void | Promise<void>): Promise<void> {
    return this.ask("scan", { kind: "open", file, volume }, onReply as Handler);
  }

  /** Segment a picture; as `open`. */
  segment(file: File, model: string, onReply: (reply: PictureReply) => void | Promise<void>): Promise<void> {
    return this.ask(model, { kind: "segment", model, file }, onReply as Handler);
  }

  private ask(of: string, request: Request, onReply: Handler): Promise<void> {
    this.handlers.delete(this.latest.get(of) ?? -1);
    return new Promise((resolve) => {
      let shown: Promise<void> | void;
      const id = this.send(request, async (reply) => {
        await shown;
        shown = onReply(reply);
        await shown;
        if (LAST.includes(reply.kind)) resolve();
      });
      this.latest.set(of, id);
    });
  }

  private send(request: Request, handler: Handler): number {
    const id = this.next++;
    this.handlers.set(id, handler);
    this.worker.postMessage({ ...request, id } satisfies Numbered<Request>);
    return id;
  }
}
