import { describe, expect, test } from "vitest";
import { Editor, noRoom } from "../src/discs/editor";
import type { Disc } from "../src/pipeline/labeling";

function discs(...levels: number[]): Disc[] {
  return levels.map((level) => ({ level, world: [0, 0, -20 * level], confidence: 0.9 }));
}

const levelsOf = (editor: Editor) => editor.discs.map(({ level }) => level);

describe("an editor", () => {
  test("is by hand only once something changed, and undo takes that back too", () => {
    const editor = new Editor(discs(3, 4, 5), false);
    editor.move(4, [1, 2, 3]);
    expect([editor.byHand, editor.discs[1].world]).toEqual([true, [1, 2, 3]]);
    editor.undo();
    expect([editor.byHand, editor.canUndo]).toEqual([false, false]);
    expect(editor.discs).toEqual(discs(3, 4, 5));
  });

  test("takes back a whole drag at once", () => {
    const editor = new Editor(discs(3, 4), false);
    editor.remove(3);
    [1, 2, 3].forEach((mm, i) => editor.move(4, [mm, 0, 0], i > 0));
    editor.undo();
    expect(editor.discs).toEqual(discs(4));
    editor.undo();
    expect(editor.discs).toEqual(discs(3, 4));
  });

  test("shifts all levels by one, within the spine", () => {
    const editor = new Editor(discs(23, 24), false);
    editor.shift(1);
    expect(levelsOf(editor)).toEqual([24, 25]);
    expect(editor.canShift(1)).toBe(false);
    editor.shift(1);
    expect(levelsOf(editor)).toEqual([24, 25]);
  });

  test.each([
    [[3, 5], -80, 4],
    [[3, 7], -85, 4],
    [[3, 7], -119, 6],
    [[5, 6], -10, 4],
    [[5, 6], -200, 7],
  ])("among %j adds at height %d the level %d", (levels, height, level) => {
    const editor = new Editor(discs(...levels), false);
    expect(editor.add([0, 0, height])).toBe(level);
    expect(levelsOf(editor)).toContain(level);
  });

  test("adds nothing where no level is free, and says between which", () => {
    const editor = new Editor(discs(3, 4), false);
    expect(editor.add([0, 0, -70])).toBeNull();
    expect(editor.canUndo).toBe(false);
    expect(noRoom(editor.discs, [0, 0, -70])).toContain("between C2/C3 and C3/C4");
  });

  test("offers a disc its own level and the free ones, in order", () => {
    const choices = new Editor(discs(24, 25), false).choices(25);
    expect(choices).toContain(25);
    expect(choices).not.toContain(24);
    expect(choices.indexOf(103)).toBeLessThan(choices.indexOf(25));
  });
});
