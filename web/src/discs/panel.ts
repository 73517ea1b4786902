/** The panel beside the scan: how sure the numbering is, the list of levels, corrections, verdict and downloads. */
import { levelName, sctValue } from "../pipeline/anatomy";
import type { Disc, LabelResult } from "../pipeline/labeling";
import { make } from "../page/make";
import { percent, runnerUp, signed } from "../pipeline/numbering";
import type { Editor } from "./editor";

export const VERDICTS = ["pass", "fail", "artefact"] as const;
export type Verdict = (typeof VERDICTS)[number] | null;
export const DOWNLOADS = { labels: "Label file", csv: "CSV", json: "JSON", slicer: "Slicer" };
export type Download = keyof typeof DOWNLOADS;

/** All that the panel shows. */
export interface PanelState {
  name: string;
  editor: Editor;
  result: LabelResult | null;
  /** What is said of the file and of what was loaded. */
  notes: string[];
  facts: string;
  selected: number | null;
  isPicking: boolean;
  verdict: Verdict;
}

export interface PanelEvents {
  onSelect(level: number): void;
  onRename(level: number, to: number): void;
  onRemove(level: number): void;
  onShift(by: number): void;
  onAdd(byKeyboard: boolean): void;
  onUndo(): void;
  onVerdict(verdict: Verdict): void;
  onDownload(what: Download): void;
}

/** Draw the panel anew; what had the focus has it again. */
export function drawPanel(panel: HTMLElement, state: PanelState, events: PanelEvents): void {
  const focused = panel.contains(document.activeElement) ? (document.activeElement as HTMLElement).id : null;
  panel.replaceChildren(
    make("h2", {}, state.name),
    ...numbering(state),
    edits(state, events),
    table(state, events),
    verdicts(state, events),
    downloads(events),
    make("p", { className: "quiet" }, state.facts),
  );
  if (focused) document.getElementById(focused)?.focus();
}

function numbering({ editor, result, notes }: PanelState): HTMLElement[] {
  const own = editor.byHand ? null : result;
  const doubts = own ? own.warnings : [];
  const lines: HTMLElement[] = [make("p", own?.uncertain ? UNCERTAIN : CERTAIN, headline(editor, own))];
  if (own) {
    lines.push(make("p", { className: "quiet" }, `Counted from ${own.countedFrom}.`));
    if (own.variant) lines.push(make("p", {}, `Variant: ${own.variant}`));
    const meaning = own.uncertain ? meaningOf(own) : "";
    if (meaning) lines.push(make("p", {}, meaning));
  }
  const said = [...notes, ...doubts];
  if (said.length) {
    const list = make("ul", { className: "warnings" });
    list.append(...said.map((text) => make("li", {}, text)));
    lines.push(list);
  }
  return lines;
}

const CERTAIN = { className: "numbering", id: "numbering" };
const UNCERTAIN = { className: "numbering uncertain", id: "numbering" };

/** How sure the numbering is, in a few words. */
export function headline(editor: Editor, own: LabelResult | null): string {
  if (!own) return editor.byHand ? "Corrected by hand" : "Loaded labels";
  const sure = `${percent(own.levelShift.get(0) ?? 0)} %`;
  return own.uncertain ? `Numbering uncertain (${sure})` : `Numbering certain (${sure})`;
}

/** The runner-up in words, where the first disc has a neighbour of that number. */
function meaningOf(result: LabelResult): string {
  const best = runnerUp(result.levelShift);
  const first = result.discs[0]?.level;
  const other = best && sctValue(first) !== null ? first + best[0] : 0;
  if (!best || other < 1 || other > 25) return "";
  return `At ${percent(best[1])} % all are ${signed(best[0])}: ${levelName(first)} would be ${levelName(other)}, and so on down.`;
}

function edits({ editor, isPicking }: PanelState, events: PanelEvents): HTMLElement {
  const row = make("div", { className: "row", role: "group", ariaLabel: "Corrections" });
  const add = button("add", isPicking ? "Click in the scan…" : "Add", "A", (event) => events.onAdd(event.detail === 0));
  add.setAttribute("aria-pressed", String(isPicking));
  const up = button("shift-up", "Levels up", "[", () => events.onShift(-1));
  const down = button("shift-down", "Levels down", "]", () => events.onShift(1));
  up.title = "Number all discs one level nearer to the head";
  down.title = "Number all discs one level nearer to the feet";
  up.disabled = !editor.canShift(-1);
  down.disabled = !editor.canShift(1);
  const undo = button("undo", "Undo", "Ctrl+Z", () => events.onUndo());
  undo.disabled = !editor.canUndo;
  row.append(up, down, add, undo);
  return row;
}

function table(state: PanelState, events: PanelEvents): HTMLElement {
  const head = make("tr");
  head.append(...["Disc", "SCT", "Sure", ""].map((title) => make("th", { scope: "col" }, title)));
  if (!state.editor.discs.length) return make("p", {}, "No disc is labelled. Add one, or drop a label file.");
  const list = make("table", { ariaLabel: "Levels" });
  list.append(head, ...state.editor.discs.map((disc) => row(disc, state, events)));
  return list;
}

function row(disc: Disc, { editor, selected }: PanelState, events: PanelEvents): HTMLElement {
  const name = levelName(disc.level);
  const line = make("tr", { className: disc.level === selected ? "selected" : "" });
  const level = make("select", { id: `level-${disc.level}`, ariaLabel: `Level of ${name}` }) as HTMLSelectElement;
  for (const choice of editor.choices(disc.level)) {
    level.append(new Option(levelName(choice), String(choice), false, choice === disc.level));
  }
  level.addEventListener("change", () => events.onRename(disc.level, Number(level.value)));
  line.addEventListener("click", () => events.onSelect(disc.level));
  level.addEventListener("focus", () => events.onSelect(disc.level));
  const remove = button(`remove-${disc.level}`, "×", null, () => events.onRemove(disc.level));
  remove.setAttribute("aria-label", `Delete ${name}`);
  const sure = make("span", { className: disc.confidence < 0.5 ? "doubtful" : "" }, `${percent(disc.confidence)} %`);
  for (const content of [level, String(sctValue(disc.level) ?? "–"), sure, remove]) {
    const cell = make("td");
    cell.append(content);
    line.append(cell);
  }
  return line;
}

function verdicts({ verdict }: PanelState, events: PanelEvents): HTMLElement {
  const set = make("fieldset");
  const buttons = make("div", { className: "row" });
  VERDICTS.forEach((each, index) => {
    const title = each[0].toUpperCase() + each.slice(1);
    const choice = button(`verdict-${each}`, title, String(index + 1), () => events.onVerdict(verdict === each ? null : each));
    choice.setAttribute("aria-pressed", String(verdict === each));
    buttons.append(choice);
  });
  set.append(make("legend", {}, "Verdict (stands in the JSON)"), buttons);
  return set;
}

function downloads(events: PanelEvents): HTMLElement {
  const set = make("fieldset");
  const buttons = make("div", { className: "row" });
  for (const [what, title] of Object.entries(DOWNLOADS)) {
    buttons.append(button(`download-${what}`, title, null, () => events.onDownload(what as Download)));
  }
  set.append(make("legend", {}, "Download"), buttons);
  return set;
}

function button(id: string, text: string, key: string | null, act: (event: MouseEvent) => void): HTMLButtonElement {
  const made = make("button", { id, type: "button" }, text) as HTMLButtonElement;
  if (key) made.append(make("kbd", { ariaHidden: "true" }, key));
  made.addEventListener("click", act);
  return made;
}
