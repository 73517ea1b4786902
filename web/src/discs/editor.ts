/** The labels of one scan as a person corrects them, with undo. Knows nothing of the screen. */
import type { Point } from "../pipeline/affine";
import { anatomicalOrder, levelName, L5_S1, REGULAR_LEVELS } from "../pipeline/anatomy";
import { type Disc, inOrder } from "../pipeline/labeling";
import { freeLevels, shiftedLevels } from "../pipeline/labels";

interface State {
  discs: Disc[];
  byHand: boolean;
}

export class Editor {
  private readonly history: State[] = [];
  private state: State;

  /** `byHand`: whether these labels are a person's already. */
  constructor(discs: Disc[], byHand: boolean) {
    this.state = { discs: inOrder(discs), byHand };
  }

  /** From the head down. */
  get discs(): readonly Disc[] {
    return this.state.discs;
  }

  /** Whether a person placed or changed any of them. */
  get byHand(): boolean {
    return this.state.byHand;
  }

  get canUndo(): boolean {
    return this.history.length > 0;
  }

  undo(): void {
    this.state = this.history.pop() ?? this.state;
  }

  /** Move a disc. `isContinued`: goes on with the move before, so that undo takes back both. */
  move(level: number, world: Point, isContinued = false): void {
    this.become(this.changed(level, { world, confidence: 1 }), isContinued);
  }

  remove(level: number): void {
    this.become(this.state.discs.filter((disc) => disc.level !== level));
  }

  /** Give a disc another level; those of the levels in `choices` are possible. */
  rename(level: number, to: number): void {
    this.become(this.changed(level, { level: to, confidence: 1 }));
  }

  /** Levels that a disc may have: its own and those not taken. */
  choices(level: number): number[] {
    const free = [...freeLevels(this.state.discs), level];
    return free.sort((a, b) => anatomicalOrder(a) - anatomicalOrder(b));
  }

  canShift(by: number): boolean {
    return this.discs.length > 0 && shiftedLevels(this.discs.map(({ level }) => level), by) !== null;
  }

  /** Number all discs `by` levels further down. */
  shift(by: number): void {
    const levels = shiftedLevels(this.discs.map(({ level }) => level), by);
    if (levels) this.become(this.discs.map((disc, i) => ({ ...disc, level: levels[i], confidence: 1 })));
  }

  /** Add a disc where its height says that its level is missing; returns the level, or null when none is free there. */
  add(world: Point): number | null {
    const level = this.levelAt(world);
    if (level !== null) this.become([...this.discs, { level, world, confidence: 1 }]);
    return level;
  }

  /** Put other labels in place of these. */
  replace(discs: Disc[]): void {
    this.become(discs);
  }

  private levelAt(world: Point): number | null {
    const above = this.discs.filter((disc) => disc.world[2] >= world[2]).pop();
    const below = this.discs.find((disc) => disc.world[2] < world[2]);
    const order = (disc: Disc | undefined, beyond: number) => (disc ? anatomicalOrder(disc.level) : beyond);
    const [first, last] = [order(above, 1), order(below, L5_S1 + 1)];
    const free = freeLevels(this.discs).filter((level) => {
      const at = anatomicalOrder(level);
      return REGULAR_LEVELS.includes(level) && at > first && at < last;
    });
    if (!free.length) return null;
    if (!above && !below) return free[0];
    if (!above) return free[free.length - 1];
    if (!below) return free[0];
    const share = (above.world[2] - world[2]) / (above.world[2] - below.world[2]);
    const wanted = first + share * (last - first);
    return free.reduce((best, level) => (Math.abs(level - wanted) < Math.abs(best - wanted) ? level : best));
  }

  private changed(level: number, change: Partial<Disc>): Disc[] {
    return this.discs.map((disc) => (disc.level === level ? { ...disc, ...change } : disc));
  }

  private become(discs: Disc[], isContinued = false): void {
    if (!isContinued || !this.canUndo) this.history.push(this.state);
    this.state = { discs: inOrder(discs), byHand: true };
  }
}

/** Neighbours between which a disc has no room, in words. */
export function noRoom(discs: readonly Disc[], world: Point): string {
  const above = discs.filter((disc) => disc.world[2] >= world[2]).pop();
  const below = discs.find((disc) => disc.world[2] < world[2]);
  const names = [above, below].flatMap((disc) => (disc ? [levelName(disc.level)] : []));
  return `no level is free ${names.length === 2 ? "between" : "beyond"} ${names.join(" and ")}: shift or delete one first`;
}
