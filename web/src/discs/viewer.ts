/** The scan in three planes, by NiiVue, and the labelled points over it, as buttons that can be dragged. */
import { MULTIPLANAR_TYPE, Niivue, SHOW_RENDER, SLICE_TYPE } from "@niivue/niivue";
import type { Affine, Point } from "../pipeline/affine";
import { levelName } from "../pipeline/anatomy";
import type { Disc } from "../pipeline/labeling";
import type { Voxels } from "../pipeline/volume";
import { viewerFile } from "../files/nifti";

const PLANES = { sagittal: SLICE_TYPE.SAGITTAL, coronal: SLICE_TYPE.CORONAL, axial: SLICE_TYPE.AXIAL };
type Plane = keyof typeof PLANES;
/** Points farther than this from the sagittal plane in view are drawn faint, mm. */
const FAINT_FROM_MM = 6;
/** How far an arrow key moves a point, mm; with Shift. */
const KEY_STEP_MM = 1;
const LARGE_KEY_STEP_MM = 5;
/** World directions of the arrow keys: the picture's own, as the face looks left. */
const KEYS: Record<string, Point> = { ArrowUp: [0, 0, 1], ArrowDown: [0, 0, -1], ArrowLeft: [0, 1, 0], ArrowRight: [0, -1, 0] };
const SIDES = { PageUp: [1, 0, 0] as Point, PageDown: [-1, 0, 0] as Point };

export interface ViewerEvents {
  onSelect(level: number): void;
  /** `isContinued`: one drag, or keys in a row, is one change. */
  onMove(level: number, world: Point, isContinued: boolean): void;
  onRemove(level: number): void;
  /** A place was picked while `isPicking`. */
  onPick(world: Point): void;
}

export class Viewer {
  /** Whether the next click picks a place. */
  isPicking = false;
  private readonly niivue: Niivue;
  private discs: readonly Disc[] = [];
  private selected: number | null = null;
  private readonly marks = new Map<string, HTMLElement>();

  private constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly layer: HTMLElement,
    private readonly events: ViewerEvents,
  ) {
    this.niivue = new Niivue({
      dragAndDropEnabled: false,
      isColorbar: false,
      sagittalNoseLeft: true,
      backColor: [0, 0, 0, 1],
      crosshairColor: [0.35, 0.65, 1, 0.55],
      crosshairWidth: 1,
      fontMinPx: 11,
      fontSizeScaling: 0.3,
      multiplanarShowRender: SHOW_RENDER.NEVER,
      multiplanarLayout: MULTIPLANAR_TYPE.AUTO,
      loadingText: "",
    });
  }

  /** Set up WebGL; rejects where the browser has none. */
  static async create(canvas: HTMLCanvasElement, layer: HTMLElement, events: ViewerEvents): Promise<Viewer> {
    if (!canvas.getContext("webgl2")) throw new Error("this browser shows no WebGL 2");
    const viewer = new Viewer(canvas, layer, events);
    await viewer.niivue.attachToCanvas(canvas);
    const draw = viewer.niivue.drawScene.bind(viewer.niivue);
    viewer.niivue.drawScene = () => {
      const drawn = draw();
      viewer.place();
      return drawn;
    };
    viewer.listen();
    viewer.arrange();
    return viewer;
  }

  /** Show a scan in place of the one before. */
  async show(data: Voxels, shape: Point, affine: Affine): Promise<void> {
    for (const volume of [...this.niivue.volumes]) this.niivue.removeVolume(volume);
    this.setDiscs([], null);
    const file = viewerFile(data, shape, affine);
    await this.niivue.loadFromArrayBuffer(file.buffer as ArrayBuffer, "scan.nii");
    this.niivue.setSliceType(SLICE_TYPE.MULTIPLANAR);
    this.arrange();
  }

  setDiscs(discs: readonly Disc[], selected: number | null): void {
    this.discs = discs;
    this.selected = selected;
    this.place();
  }

  /** Move the planes to a point. */
  lookAt(world: Point): void {
    if (!this.niivue.volumes.length) return;
    this.niivue.scene.crosshairPos = this.fractionOf(world);
    this.niivue.createOnLocationChange();
    this.niivue.drawScene();
  }

  /** The place where the planes cross, world mm. */
  get crosshair(): Point {
    return this.worldOf(this.niivue.scene.crosshairPos);
  }

  focus(level: number): void {
    this.marks.get(`sagittal ${level}`)?.focus();
  }

  private arrange(): void {
    const isNarrow = this.canvas.clientWidth < this.canvas.clientHeight;
    const tiles: [SLICE_TYPE, [number, number, number, number]][] = isNarrow
      ? [
          [SLICE_TYPE.SAGITTAL, [0, 0, 1, 0.66]],
          [SLICE_TYPE.CORONAL, [0, 0.67, 0.495, 0.33]],
          [SLICE_TYPE.AXIAL, [0.505, 0.67, 0.495, 0.33]],
        ]
      : [
          [SLICE_TYPE.SAGITTAL, [0, 0, 0.62, 1]],
          [SLICE_TYPE.CORONAL, [0.625, 0, 0.375, 0.6]],
          [SLICE_TYPE.AXIAL, [0.625, 0.61, 0.375, 0.39]],
        ];
    this.niivue.setCustomLayout(tiles.map(([sliceType, position]) => ({ sliceType, position })));
    this.niivue.drawScene();
  }

  private listen(): void {
    new ResizeObserver(() => this.arrange()).observe(this.canvas);
    this.canvas.addEventListener("click", (event) => {
      const world = this.isPicking ? this.worldAt(event.clientX, event.clientY) : null;
      if (world) this.events.onPick(world);
    });
  }

  private fractionOf(world: Point) {
    return this.niivue.mm2frac([...world] as [number, number, number], 0, true);
  }

  private worldOf(fraction: ArrayLike<number>): Point {
    const mm = this.niivue.frac2mm([fraction[0], fraction[1], fraction[2]] as [number, number, number], 0, true);
    return [mm[0], mm[1], mm[2]];
  }

  private get pixelRatio(): number {
    return this.canvas.width / Math.max(this.canvas.clientWidth, 1);
  }

  private worldAt(clientX: number, clientY: number): Point | null {
    const box = this.canvas.getBoundingClientRect();
    const place = [(clientX - box.left) * this.pixelRatio, (clientY - box.top) * this.pixelRatio];
    const fraction = this.niivue.canvasPos2frac(place);
    return fraction[0] < 0 ? null : this.worldOf(fraction);
  }

  /** Where a point lies in a plane's picture, pixels of the page; null where that does not show it. */
  private placeIn(plane: Plane, world: Point): { left: number; top: number; width: number } | null {
    const tile = this.niivue.screenSlices.find((slice) => slice.axCorSag === PLANES[plane]);
    if (!tile || !tile.fovMM[0]) return null;
    const mm = this.niivue.frac2mm(this.fractionOf(world), 0);
    const [x, y] = plane === "sagittal" ? [mm[1], mm[2]] : plane === "coronal" ? [mm[0], mm[2]] : [mm[0], mm[1]];
    const [left, top, width, height] = tile.leftTopWidthHeight;
    // A negative width is a mirrored picture, which begins at its right.
    const across = (x - tile.leftTopMM[0]) / tile.fovMM[0];
    const up = (y - tile.leftTopMM[1]) / tile.fovMM[1];
    if (across < 0 || across > 1 || up < 0 || up > 1) return null;
    const ratio = this.pixelRatio;
    return { left: (left + across * width) / ratio, top: (top + (1 - up) * height) / ratio, width: Math.abs(width) / ratio };
  }

  /** Put the points where the picture shows them now. */
  private place(): void {
    const wanted = new Set<string>();
    if (this.niivue.volumes.length) {
      const here = this.crosshair;
      for (const plane of ["sagittal", "coronal", "axial"] as const) {
        for (const disc of this.discs) {
          if (plane === "axial" && disc.level !== this.selected) continue;
          const place = this.placeIn(plane, disc.world);
          if (!place) continue;
          const key = `${plane} ${disc.level}`;
          wanted.add(key);
          const mark = this.marks.get(key) ?? this.newMark(plane, disc.level, key);
          mark.style.transform = `translate(${place.left.toFixed(1)}px, ${place.top.toFixed(1)}px)`;
          mark.classList.toggle("selected", disc.level === this.selected);
          const away = plane === "sagittal" ? Math.abs(this.fromPlane(disc.world, here)) : 0;
          mark.classList.toggle("faint", away > FAINT_FROM_MM);
          mark.classList.toggle("doubtful", disc.confidence < 0.5);
        }
      }
    }
    for (const [key, mark] of this.marks) {
      if (wanted.has(key)) continue;
      mark.remove();
      this.marks.delete(key);
    }
    this.orderMarks();
  }

  /** Distance right-left in the image's own planes, mm. */
  private fromPlane(world: Point, here: Point): number {
    const [one, other] = [world, here].map((point) => this.niivue.frac2mm(this.fractionOf(point), 0)[0]);
    return one - other;
  }

  /** Tab goes from the head down. */
  private orderMarks(): void {
    const inOrder = this.discs.flatMap(({ level }) => this.marks.get(`sagittal ${level}`) ?? []);
    const present = [...this.layer.querySelectorAll("button")];
    if (inOrder.every((mark, i) => present[i] === mark)) return;
    const focused = document.activeElement;
    this.layer.append(...inOrder);
    if (focused instanceof HTMLElement && inOrder.includes(focused)) focused.focus();
  }

  private newMark(plane: Plane, level: number, key: string): HTMLElement {
    const mark: HTMLElement = document.createElement(plane === "sagittal" ? "button" : "span");
    mark.className = `mark ${plane}`;
    const name = levelName(level);
    mark.dataset.level = name;
    if (plane === "sagittal") {
      mark.setAttribute("aria-label", `${name}: drag, or move with the arrow keys; Delete removes it`);
      mark.append(Object.assign(document.createElement("span"), { className: "name", textContent: name }));
      mark.addEventListener("focus", () => this.events.onSelect(level));
      mark.addEventListener("keydown", (event) => this.onKey(event, level));
    } else {
      mark.setAttribute("aria-hidden", "true");
    }
    mark.addEventListener("pointerdown", (event) => this.startDrag(event, mark, level));
    this.marks.set(key, mark);
    this.layer.append(mark);
    return mark;
  }

  private startDrag(down: PointerEvent, mark: HTMLElement, level: number): void {
    if (down.button !== 0 || this.isPicking) return;
    down.preventDefault();
    this.events.onSelect(level);
    this.focus(level);
    mark.setPointerCapture(down.pointerId);
    const start = this.worldAt(down.clientX, down.clientY);
    const disc = this.discs.find((entry) => entry.level === level);
    if (!start || !disc) return;
    let hasMoved = false;
    const move = (event: PointerEvent) => {
      if (!hasMoved && Math.hypot(event.clientX - down.clientX, event.clientY - down.clientY) < 3) return;
      const now = this.worldAt(event.clientX, event.clientY);
      if (!now) return;
      const world = disc.world.map((mm, axis) => mm + now[axis] - start[axis]) as Point;
      this.events.onMove(level, world, hasMoved);
      hasMoved = true;
    };
    const end = () => mark.removeEventListener("pointermove", move);
    mark.addEventListener("pointermove", move);
    mark.addEventListener("pointerup", end, { once: true });
    mark.addEventListener("pointercancel", end, { once: true });
  }

  private onKey(event: KeyboardEvent, level: number): void {
    if (event.key === "Delete" || event.key === "Backspace") {
      event.preventDefault();
      this.events.onRemove(level);
      return;
    }
    const direction = KEYS[event.key] ?? SIDES[event.key as keyof typeof SIDES];
    const disc = this.discs.find((entry) => entry.level === level);
    if (!direction || !disc) return;
    event.preventDefault();
    const step = event.shiftKey ? LARGE_KEY_STEP_MM : KEY_STEP_MM;
    this.events.onMove(level, disc.world.map((mm, axis) => mm + step * direction[axis]) as Point, event.repeat);
  }
}
