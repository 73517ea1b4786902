/** A mode that segments pictures: from a dropped picture to its outline, figures and files. */
import {
  maskFile, type MaskResult, numbersFile, objectTable, outlineFile, outputName, pictureTable,
} from "../files/masks";
import type { SavedFile } from "../files/results";
import { alertUser, choose, download } from "../page/dialogs";
import type { PickedFile } from "../page/picked";
import type { StatusLine } from "../page/status";
import type { Mask } from "../segmentation/mask";
import type { MaskCard } from "../segmentation/segment";
import type { WorkerClient } from "../worker/client";
import type { PictureReply } from "../worker/messages";
import { drawOverlay, type Overlay } from "./overlay";
import { type Download, headline, Panel } from "./panel";
import { PictureView } from "./view";

/** The picture that is open, and what was found in it. */
interface Opened {
  name: string;
  picture: ImageBitmap;
  notes: string[];
  mask: Mask | null;
}

/** What the mode is made of, once everything is fetched. */
export interface Parts {
  worker: WorkerClient;
  card: MaskCard;
  backend: string;
  version: string;
  status: StatusLine;
  section: HTMLElement;
}

export class MaskApp {
  private opened: Opened | null = null;
  private mmPerPixel: number | null = null;
  private isOutlined = true;
  private chosen: number | null = null;
  private readonly panel: Panel;
  private readonly view: PictureView;

  constructor(private readonly parts: Parts) {
    this.view = new PictureView(this.part<HTMLCanvasElement>("canvas"));
    this.panel = new Panel(this.part(".panel"), parts.card.objects, {
      onSize: (mmPerPixel) => this.change({ mmPerPixel }),
      onFill: () => this.draw(),
      onOutline: () => this.change({ isOutlined: !this.isOutlined }),
      onChoose: (number) => this.change({ chosen: number === this.chosen ? null : number }),
      onDownload: (what) => this.save(what),
    });
    document.addEventListener("keydown", (event) => this.onKey(event));
  }

  /** Open a picture; of several, one that is chosen. */
  async open(picked: PickedFile[]): Promise<void> {
    const files = picked.map(({ file }) => file).filter(({ name }) => !name.startsWith("."));
    const which = `${files.length} files: which shall be segmented?`;
    const choice = files.length > 1 ? await choose(which, files.map(({ name }) => name)) : 0;
    if (choice === null || !files.length) return;
    const { worker, card, status } = this.parts;
    alertUser(null);
    this.part(".working").hidden = false;
    status.set(`Segmenting ${files[choice].name}…`);
    await worker.segment(files[choice], card.name, (reply) => this.onReply(reply, files[choice].name));
    this.part(".working").hidden = true;
    this.announce();
  }

  private onReply(reply: PictureReply, name: string): void {
    if (reply.kind === "failed") return alertUser(reply.message);
    if (reply.kind === "picture") this.showPicture({ name, picture: reply.preview, notes: reply.warnings, mask: null });
    else if (this.opened) this.opened.mask = reply.mask;
    this.draw();
  }

  private showPicture(opened: Opened): void {
    this.opened?.picture.close();
    Object.assign(this, { opened, chosen: null });
    this.parts.section.classList.add("opened");
    this.part(".viewer").hidden = this.part(".panel").hidden = false;
    this.part(".viewer").style.setProperty("--shape", `${opened.picture.width} / ${opened.picture.height}`);
  }

  /** Say in the status line, which screen readers read out, what was found. */
  private announce(): void {
    const { status, card } = this.parts;
    if (!this.opened) return status.set("Ready.");
    status.set(this.opened.mask ? headline(this.opened.mask, card.objects) : "Nothing is outlined.");
  }

  private change(state: { mmPerPixel?: number | null; isOutlined?: boolean; chosen?: number | null }): void {
    Object.assign(this, state);
    this.draw();
  }

  private draw(): void {
    if (!this.opened) return;
    const { card, backend } = this.parts;
    const { name, mask, notes } = this.opened;
    const { mmPerPixel, isOutlined, chosen } = this;
    const time = mask ? `Segmented in ${mask.seconds.toFixed(2)} s by ${card.name} ${card.version} (${backend}). ` : "";
    this.panel.draw({ name, mask, notes, mmPerPixel, isOutlined, chosen, facts: `${time}Weights: ${card.licence}.` });
    this.view.show(this.overlay());
    const found = mask ? `${name}. ${headline(mask, card.objects)}` : name;
    this.part("canvas").setAttribute("aria-label", found);
  }

  private overlay(): Overlay {
    const { picture, mask } = this.opened!;
    const isNumbered = this.parts.card.objects === "many";
    return { picture, mask, isOutlined: this.isOutlined, fill: this.panel.fill, chosen: this.chosen, isNumbered };
  }

  private async save(what: Download): Promise<void> {
    if (!this.opened?.mask) return;
    const { name, type, content } = await this.file(what, this.opened.mask);
    download(name, type, content);
  }

  private async file(what: Download, mask: Mask): Promise<SavedFile> {
    const { card, version } = this.parts;
    const result: MaskResult = { name: this.opened!.name, mask, card, mmPerPixel: this.mmPerPixel, version };
    switch (what) {
      case "mask": return maskFile(result);
      case "objects": return numbersFile(result);
      case "outline": return outlineFile(result);
      case "table": return pictureTable(result);
      case "cells": return objectTable(result);
      case "overlay": return this.overlayFile(result.name);
    }
  }

  private async overlayFile(name: string): Promise<SavedFile> {
    const { width, height } = this.opened!.picture;
    const canvas = new OffscreenCanvas(width, height);
    drawOverlay(canvas.getContext("2d")!, { ...this.overlay(), isOutlined: true, fill: 0, chosen: null }, width, height);
    const file = await canvas.convertToBlob({ type: "image/jpeg", quality: 0.9 });
    return { name: outputName(name, "overlay"), type: file.type, content: new Uint8Array(await file.arrayBuffer()) };
  }

  private onKey(event: KeyboardEvent): void {
    const isTyping = event.target instanceof HTMLInputElement && event.target.type === "number";
    const isElsewhere = !this.opened || this.parts.section.hidden || document.querySelector("dialog[open]");
    if (isElsewhere || isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key.toLowerCase() !== "o") return;
    this.change({ isOutlined: !this.isOutlined });
    event.preventDefault();
  }

  private part<T extends HTMLElement = HTMLElement>(selector: string): T {
    return this.parts.section.querySelector<T>(selector)!;
  }
}
