/** The mode that labels discs: from a dropped scan to files, with a person's corrections in between. */
import { labelFiles, csvFile, resultFile, slicerFile, type Labels, type SavedFile } from "../files/results";
import type { SpineImage } from "../files/nifti";
import type { ModelCard, LabelResult } from "../pipeline/labeling";
import type { Point } from "../pipeline/affine";
import { levelName } from "../pipeline/anatomy";
import { volumeOf } from "../pipeline/volume";
import { alertUser, choose, download } from "../page/dialogs";
import type { NiftiFile } from "../page/opening";
import type { StatusLine } from "../page/status";
import type { WorkerClient } from "../worker/client";
import type { ScanReply } from "../worker/messages";
import { Editor, noRoom } from "./editor";
import { type Download, drawPanel, headline, type Verdict, VERDICTS } from "./panel";
import type { Viewer, ViewerEvents } from "./viewer";

/** The scan that is open, and what is known and corrected of it. */
interface Opened {
  image: SpineImage;
  editor: Editor;
  result: LabelResult | null;
  notes: string[];
  seconds: number;
  verdict: Verdict;
}

/** What the mode is made of, once everything is fetched. */
export interface Parts {
  worker: WorkerClient;
  viewer: Viewer | null;
  card: ModelCard;
  backend: string;
  version: string;
  status: StatusLine;
  /** All of the mode, of which these two are parts. */
  section: HTMLElement;
  panel: HTMLElement;
  area: HTMLElement;
}

export class DiscApp {
  private opened: Opened | null = null;
  private selected: number | null = null;

  constructor(private readonly parts: Parts) {
    document.addEventListener("keydown", (event) => this.onKey(event));
  }

  /** Open scans and label files in the order given. */
  async open(files: NiftiFile[]): Promise<void> {
    const labels = files.filter(({ name }) => isLabelName(name));
    let scans = files.filter(({ name }) => !isLabelName(name));
    if (scans.length > 1) {
      const choice = await choose(`${scans.length} scans: which shall be labelled?`, scans.map(({ name }) => name));
      if (choice === null) return;
      scans = [scans[choice]];
    }
    for (const { name, file } of [...scans, ...labels]) {
      await this.openFile(name, new Uint8Array(await file.arrayBuffer()), null);
    }
  }

  readonly viewerEvents: ViewerEvents = {
    onSelect: (level) => this.select(level),
    onMove: (level, world, isContinued) => this.edit((editor) => editor.move(level, world, isContinued)),
    onRemove: (level) => this.remove(level),
    onPick: (world) => this.addAt(world),
  };

  private async openFile(name: string, bytes: Uint8Array, volume: number | null): Promise<void> {
    alertUser(null);
    const working = document.getElementById("working")!;
    working.hidden = false;
    this.parts.status.set(`Labelling ${name}…`);
    await this.parts.worker.open({ name, bytes }, volume, (reply) => this.onReply(reply, name, bytes));
    working.hidden = true;
    this.announce();
  }

  private async onReply(reply: ScanReply, name: string, bytes: Uint8Array): Promise<void> {
    switch (reply.kind) {
      case "image":
        return this.showImage(reply.image);
      case "result":
        return this.showResult(reply.result, reply.seconds);
      case "labels":
        return this.showLabels(reply);
      case "failed":
        return alertUser(reply.message);
      case "several": {
        const options = Array.from({ length: reply.volumes }, (_, i) => `Volume ${i}`);
        const choice = await choose(`${name} holds ${reply.volumes} volumes: which shall be labelled?`, options);
        if (choice !== null) await this.openFile(name, bytes, choice);
      }
    }
  }

  private async showImage({ name, header, warnings, data }: Extract<ScanReply, { kind: "image" }>["image"]): Promise<void> {
    const image = { name, header, warnings, volume: volumeOf(data, header.shape, header.affine) };
    const editor = new Editor([], false);
    this.opened = { image, editor, result: null, notes: warnings, seconds: 0, verdict: null };
    this.selected = null;
    this.parts.section.classList.add("opened");
    this.parts.area.hidden = this.parts.panel.hidden = false;
    this.draw();
    await this.parts.viewer?.show(data, header.shape, header.affine);
  }

  private showResult(result: LabelResult, seconds: number): void {
    if (!this.opened) return;
    Object.assign(this.opened, { editor: new Editor(result.discs, false), result, seconds });
    const middle = result.discs[result.discs.length >> 1];
    this.draw();
    this.parts.viewer?.lookAt(middle.world);
  }

  /** Say in the status line, which screen readers read out, what is labelled. */
  private announce(): void {
    const { status } = this.parts;
    if (!this.opened) return status.set("Ready.");
    const { editor, result } = this.opened;
    const [first, last] = [editor.discs[0], editor.discs[editor.discs.length - 1]];
    if (!first) return status.set("No disc is labelled.");
    const range = `${levelName(first.level)} to ${levelName(last.level)}`;
    status.set(`${editor.discs.length} discs, ${range}. ${headline(editor, editor.byHand ? null : result)}.`);
  }

  /** Labels made before, of the scan that is open. */
  private showLabels({ name, header, discs }: Extract<ScanReply, { kind: "labels" }>): void {
    if (!this.opened) return alertUser(`${name}: holds labels; drop the scan that they lie on first`);
    const own = this.opened.image.header;
    const isSame =
      own.shape.every((length, axis) => length === header.shape[axis]) &&
      own.affine.flat().every((value, i) => Math.abs(value - header.affine.flat()[i]) < 1e-2);
    if (!isSame) return alertUser(`${name}: does not lie on ${this.opened.image.name} (another size or place in space)`);
    if (!discs.length) return alertUser(`${name}: holds no disc labels`);
    this.opened.editor.replace(discs);
    this.opened.notes = [...this.opened.image.warnings, `labels loaded from ${name}`];
    this.select(null);
  }

  private edit(change: (editor: Editor) => void): void {
    if (!this.opened) return;
    change(this.opened.editor);
    this.draw();
    this.announce();
  }

  private select(level: number | null): void {
    const isNew = level !== this.selected;
    this.selected = level;
    const disc = this.opened?.editor.discs.find((entry) => entry.level === level);
    if (isNew && disc) this.parts.viewer?.lookAt(disc.world);
    this.draw();
  }

  private remove(level: number): void {
    const discs = this.opened?.editor.discs ?? [];
    const index = discs.findIndex((disc) => disc.level === level);
    const next = discs[index + 1] ?? discs[index - 1];
    this.edit((editor) => editor.remove(level));
    this.select(next?.level ?? null);
    if (next) this.parts.viewer?.focus(next.level);
  }

  private addAt(world: Point): void {
    if (!this.opened) return;
    this.pick(false);
    const level = this.opened.editor.add(world);
    if (level === null) return alertUser(noRoom(this.opened.editor.discs, world));
    alertUser(null);
    this.select(level);
    this.parts.viewer?.focus(level);
  }

  /** With the pointer, the next click says where; from the keyboard, the place where the planes cross. */
  private add(byKeyboard: boolean): void {
    const { viewer } = this.parts;
    if (!viewer || !this.opened) return;
    if (byKeyboard) this.addAt(viewer.crosshair);
    else this.pick(!viewer.isPicking);
  }

  private pick(isPicking: boolean): void {
    if (this.parts.viewer) this.parts.viewer.isPicking = isPicking;
    this.parts.area.classList.toggle("picking", isPicking);
    this.draw();
  }

  private setVerdict(verdict: Verdict): void {
    if (this.opened) this.opened.verdict = verdict;
    this.draw();
  }

  private undo(): void {
    this.edit((editor) => editor.undo());
    if (!this.opened?.editor.discs.some((disc) => disc.level === this.selected)) this.select(null);
  }

  private shift(by: number): void {
    const chosen = this.opened?.editor.discs.findIndex((disc) => disc.level === this.selected) ?? -1;
    this.edit((editor) => editor.shift(by));
    if (chosen >= 0) this.select(this.opened!.editor.discs[chosen].level);
  }

  private save(what: Download): void {
    if (!this.opened) return;
    for (const { name, type, content } of this.files(what)) download(name, type, content);
  }

  private files(what: Download): SavedFile[] {
    const { image, editor, result, seconds, verdict } = this.opened!;
    const labels: Labels = { discs: [...editor.discs], result, byHand: editor.byHand };
    const { version, card } = this.parts;
    const origin = { version, card, seconds, date: new Date().toISOString().slice(0, 10), verdict };
    if (what === "labels") return labelFiles(labels, image, origin);
    if (what === "csv") return [csvFile(labels, image)];
    return [what === "json" ? resultFile(labels, image, origin) : slicerFile(labels, image)];
  }

  private onKey(event: KeyboardEvent): void {
    if (!this.opened || this.parts.section.hidden || event.altKey || document.querySelector("dialog[open]")) return;
    const isUndo = (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z";
    if ((event.ctrlKey || event.metaKey) && !isUndo) return;
    const verdict = ["0", "1", "2", "3"].indexOf(event.key);
    if (isUndo) this.undo();
    else if (event.key === "[") this.shift(-1);
    else if (event.key === "]") this.shift(1);
    else if (event.key.toLowerCase() === "a") this.add(false);
    else if (event.key === "Enter" && this.parts.viewer?.isPicking) this.add(true);
    else if (event.key === "Escape" && this.parts.viewer?.isPicking) this.pick(false);
    else if (verdict >= 0 && !(event.target instanceof HTMLSelectElement)) this.setVerdict(VERDICTS[verdict - 1] ?? null);
    else return;
    event.preventDefault();
  }

  private draw(): void {
    const { viewer, panel, backend, card } = this.parts;
    if (!this.opened) return;
    const { image, editor, result, notes, seconds, verdict } = this.opened;
    viewer?.setDiscs(editor.discs, this.selected);
    const time = seconds ? `Labelled in ${seconds.toFixed(1)} s by ${card.name} ${card.version} (${backend}).` : "";
    drawPanel(
      panel,
      {
        name: image.name, editor, result, notes, facts: time, verdict,
        selected: this.selected, isPicking: viewer?.isPicking ?? false,
      },
      {
        onSelect: (level) => level !== this.selected && this.select(level),
        onRename: (level, to) => {
          this.edit((changed) => changed.rename(level, to));
          this.select(to);
          document.getElementById(`level-${to}`)?.focus();
        },
        onRemove: (level) => this.remove(level),
        onShift: (by) => this.shift(by),
        onAdd: (byKeyboard) => this.add(byKeyboard),
        onUndo: () => this.undo(),
        onVerdict: (chosen) => this.setVerdict(chosen),
        onDownload: (what) => this.save(what),
      },
    );
    panel.setAttribute("aria-label", `Labels of ${image.name}: ${editor.discs.map(({ level }) => levelName(level)).join(", ")}`);
  }
}

function isLabelName(name: string): boolean {
  return /label|seg/i.test(name);
}
