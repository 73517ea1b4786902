/** The panel beside the picture: figures, warnings, the table of cells, and downloads. */
import { squareMillimetres } from "../files/masks";
import { make } from "../page/make";
import { areaOf, confidenceOf, type Mask, type MaskObject, touchesBorder } from "../segmentation/mask";
import { DOUBTFUL_BELOW, type MaskCard } from "../segmentation/segment";

const DOWNLOADS = { mask: "Mask", outline: "Outline", table: "Table", overlay: "Picture with outline" };
const DOWNLOADS_OF_MANY = { ...DOWNLOADS, objects: "Mask of numbers", cells: "Table of cells" };
export type Download = keyof typeof DOWNLOADS_OF_MANY;

/** All that the panel shows. */
export interface PanelState {
  name: string;
  /** null while there is none, or where nothing was found. */
  mask: Mask | null;
  /** What is said of the file before there is a mask. */
  notes: string[];
  mmPerPixel: number | null;
  isOutlined: boolean;
  chosen: number | null;
  facts: string;
}

export interface PanelEvents {
  onSize(mmPerPixel: number | null): void;
  onFill(): void;
  onOutline(): void;
  onChoose(number: number): void;
  onDownload(what: Download): void;
}

export class Panel {
  constructor(
    private readonly root: HTMLElement,
    private readonly kind: MaskCard["objects"],
    private readonly events: PanelEvents,
  ) {
    const size = this.part<HTMLInputElement>(".size");
    size.addEventListener("input", () => {
      const value = size.valueAsNumber;
      size.ariaInvalid = String(size.validity.badInput || value <= 0);
      events.onSize(value > 0 ? value : null);
    });
    this.part(".fill").addEventListener("input", () => events.onFill());
    this.part(".outlined").addEventListener("click", () => events.onOutline());
    const downloads = kind === "many" ? DOWNLOADS_OF_MANY : DOWNLOADS;
    for (const [what, title] of Object.entries(downloads)) {
      const button = make("button", { type: "button" }, title);
      button.dataset.download = what;
      button.addEventListener("click", () => events.onDownload(what as Download));
      this.part(".downloads").append(button);
    }
  }

  /** Opacity that is set for what the mask covers, 0..1. */
  get fill(): number {
    return this.part<HTMLInputElement>(".fill").valueAsNumber / 100;
  }

  draw(state: PanelState): void {
    const { name, mask, notes, isOutlined, facts } = state;
    this.part("h2").textContent = name;
    const said = mask ? mask.warnings : notes;
    this.part(".warnings").hidden = !said.length;
    this.part(".warnings").replaceChildren(...said.map((text) => make("li", {}, text)));
    this.part(".result").hidden = !mask;
    this.part(".outlined").setAttribute("aria-pressed", String(isOutlined));
    this.part(".facts").textContent = facts;
    if (!mask) return;
    this.part(".figures").replaceChildren(
      ...figures(mask, state.mmPerPixel, this.kind).flatMap(([what, value]) => [make("dt", {}, what), make("dd", {}, value)]),
    );
    this.part(".objects").replaceChildren(...(this.kind === "many" && mask.objects.length ? [this.table(mask, state)] : []));
  }

  private table(mask: Mask, state: PanelState): HTMLElement {
    const areas = state.mmPerPixel === null ? ["Pixels"] : ["Pixels", "mm²"];
    const head = make("tr");
    head.append(...["Cell", ...areas, "Sure", "Border"].map((title) => make("th", { scope: "col" }, title)));
    const list = make("table", { ariaLabel: "Cells" });
    list.append(head, ...mask.objects.map((found) => this.row(found, state)));
    return list;
  }

  private row(found: MaskObject, { mmPerPixel, chosen }: PanelState): HTMLElement {
    const { number, area, confidence } = found;
    const isChosen = number === chosen;
    const line = make("tr", { className: isChosen ? "selected" : "" });
    const name = { type: "button", ariaLabel: `Show cell ${number}`, ariaPressed: String(isChosen) };
    const choice = make("button", name, String(number));
    choice.dataset.number = String(number);
    line.addEventListener("click", () => this.choose(number));
    const sure = make("span", { className: confidence < DOUBTFUL_BELOW ? "doubtful" : "" }, percent(confidence, 0));
    const areas = mmPerPixel === null ? [grouped(area)] : [grouped(area), millimetres(area, mmPerPixel)];
    for (const content of [choice, ...areas, sure, found.touchesBorder ? "touched" : ""]) {
      const cell = make("td");
      cell.append(content);
      line.append(cell);
    }
    return line;
  }

  /** The table is drawn anew: what had the focus has it again. */
  private choose(number: number): void {
    const hadFocus = this.root.contains(document.activeElement);
    this.events.onChoose(number);
    if (hadFocus) this.part(`[data-number="${number}"]`).focus();
  }

  private part<T extends HTMLElement = HTMLElement>(selector: string): T {
    return this.root.querySelector<T>(selector)!;
  }
}

/** What is found, in a few words. */
export function headline(mask: Mask, kind: MaskCard["objects"]): string {
  const sure = confidenceOf(mask);
  const count = mask.objects.length;
  const what = kind === "one" ? "Outlined" : count === 1 ? "1 cell" : `${count} cells`;
  return `${what}: ${percent(shareOf(mask), 1)} of the picture${sure === null ? "" : `, confidence ${percent(sure, 0)}`}.`;
}

function figures(mask: Mask, mmPerPixel: number | null, kind: MaskCard["objects"]): [string, string][] {
  const area = areaOf(mask);
  const sure = confidenceOf(mask);
  const rows: [string, string][] = kind === "many" ? [["Cells", String(mask.objects.length)]] : [];
  rows.push(["Area", `${grouped(area)} px`]);
  if (mmPerPixel !== null) rows.push(["", `${millimetres(area, mmPerPixel)} mm²`]);
  rows.push(["Share", percent(shareOf(mask), 1)]);
  if (sure !== null) rows.push(["Confidence", percent(sure, 0)]);
  rows.push(["Border", touchesBorder(mask) ? "touched" : "not touched"]);
  rows.push(["Picture", `${mask.width} × ${mask.height} px`]);
  return rows;
}

function shareOf(mask: Mask): number {
  return areaOf(mask) / (mask.width * mask.height);
}

/** With four digits, as the program prints it. */
function millimetres(area: number, mmPerPixel: number): string {
  return String(Number(squareMillimetres(area, mmPerPixel)!.toPrecision(4)));
}

function percent(share: number, digits: number): string {
  return `${(100 * share).toFixed(digits)} %`;
}

function grouped(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, "\u202f");
}
