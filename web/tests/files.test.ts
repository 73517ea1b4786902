import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { encodeLabels, readImage, readVolume, SeveralVolumesError } from "../src/files/nifti";
import { csvFile, labelFiles, labelStem, type Labels, resultRecord, slicerFile } from "../src/files/results";
import { parseHeader } from "../src/files/header";
import { drawLabels, readLabels, shiftedLevels } from "../src/pipeline/labels";
import type { Disc } from "../src/pipeline/labeling";
import { apart, bytes, cases, type Json } from "./vectors";

const ORIGIN = { version: "1", card: { name: "discs", version: "1", sha256: "0" }, seconds: 1, date: "2026-01-02" };

function discsOf(input: Json): Disc[] {
  return input.discs.map(([level, world, confidence]: Json) => ({ level, world, confidence }));
}

function labelsOf(input: Json, byHand = false): Labels {
  const result = {
    discs: [],
    levelShift: new Map([[0, 0.9], [1, 0.1]]),
    uncertain: true,
    countedFrom: "C2",
    variant: null,
    warnings: ["look at it"],
  };
  return { discs: discsOf(input), result, byHand };
}

describe.each(cases("results"))("a NIfTI file %#", ({ input, answer }) => {
  const file = bytes(input.nifti);

  test("is read as Python reads it", async () => {
    const image = await readImage("scan.nii", file);
    expect(apart(image.volume.affine.flat(), answer.affine.flat())).toBeLessThan(1e-5);
    const grey = Array.from(image.volume.data as ArrayLike<number>).filter((_, i) => i % input.every === 0);
    expect(apart(grey, answer.grey)).toBeLessThan(1e-5);
    expect(image.warnings).toEqual(answer.read_warnings);
  });

  test("reads the same when it is packed", async () => {
    const [plain, packed] = [await readImage("a.nii", file), await readImage("a.nii.gz", gzipSync(file))];
    expect(packed.volume.data).toEqual(plain.volume.data);
  });

  test("gets the label file that Python writes, byte for byte", async () => {
    const image = await readImage("scan.nii", file);
    const { labels, warnings } = drawLabels(discsOf(input), image.volume.shape, image.volume.affine);
    expect(warnings).toEqual(answer.volume_warnings);
    expect(Buffer.from(encodeLabels(labels, image.header)).equals(Buffer.from(bytes(answer.labels)))).toBe(true);
  });

  test("gets the table, the markups and the record that Python writes", async () => {
    const image = await readImage("scan.nii", file);
    expect(csvFile(labelsOf(input), image).content).toBe(answer.csv);
    expect(JSON.parse(slicerFile(labelsOf(input), image).content as string)).toEqual(answer.markups);
    expect(resultRecord(labelsOf(input), image, ORIGIN)).toMatchObject(answer.record);
  });

  test("gives back the labels that were drawn on it", async () => {
    const image = await readImage("scan.nii", file);
    const saved = labelFiles(labelsOf(input), image, ORIGIN)[0];
    const back = readLabels((await readVolume(saved.name, saved.content as Uint8Array)).volume);
    expect(back.map(({ level }) => level)).toEqual([3, 24, 25]); // L5/L6 alone reads as 25; the fourth lies outside
    const drawn = discsOf(input)[0];
    expect(apart(back[0].world, drawn.world)).toBeLessThan(3);
  });
});

describe("a sidecar", () => {
  const [{ input }] = cases("results");

  test("says Manual once a person changed something, and does not pass on the program's doubts", async () => {
    const image = await readImage("scan.nii", bytes(input.nifti));
    const [own, corrected] = [false, true].map((byHand) =>
      JSON.parse(labelFiles(labelsOf(input, byHand), image, ORIGIN)[1].content as string),
    );
    expect(own.GeneratedBy.map((entry: Json) => entry.Name)).toEqual(["LookOnce"]);
    expect(corrected.GeneratedBy[0].Name).toBe("Manual");
    expect([own.Uncertain, corrected.Uncertain]).toEqual([true, false]);
  });
});

describe("a bad file is refused with a reason", () => {
  const file = bytes(cases("results")[0].input.nifti);
  const changed = (at: number, value: number) => {
    const copy = file.slice();
    new DataView(copy.buffer).setInt16(at, value, true);
    return copy;
  };

  test.each([
    ["empty", new Uint8Array(), "is empty"],
    ["short", file.slice(0, 100), "has only 100 bytes"],
    ["no NIfTI", new Uint8Array(1000).fill(65), "neither NIfTI nor DICOM"],
    ["cut", file.slice(0, file.length - 9), "the file ends after"],
    ["cut gzip", gzipSync(file).subarray(0, 300), "the file ends after|gzip data are damaged"],
    ["ten dimensions", changed(40, 10), "its header is damaged"],
    ["negative size", changed(42, -5), "its header is damaged"],
    ["colours", changed(70, 128), "its voxels are colours"],
    ["zeros", file.slice().fill(0, 352), "holds only zeros"],
  ])("%s", async (_, content, reason) => {
    await expect(readImage("scan.nii", content)).rejects.toThrow(new RegExp(reason));
  });

  test("several volumes ask for a choice", async () => {
    const four = file.slice();
    const view = new DataView(four.buffer);
    view.setInt16(40, 4, true);
    view.setInt16(48, 2, true);
    await expect(readImage("scan.nii", four)).rejects.toThrow(SeveralVolumesError);
  });

  test("a bomb takes no more memory than its header asks for", async () => {
    const bomb = gzipSync(Buffer.concat([Buffer.from(file), Buffer.alloc(50_000_000)]));
    const { volume } = await readImage("scan.nii.gz", bomb);
    expect(volume.data.length).toBe(parseHeader("scan.nii", file).shape.reduce((a, b) => a * b));
  });
});

test("names of files lose their endings alone", () => {
  expect(["sub-01_T2w.nii.gz", "scan.v2.nii", "study.zip"].map(labelStem)).toEqual(["sub-01_T2w", "scan.v2", "study"]);
});

test("a shift keeps within the spine", () => {
  expect(shiftedLevels([3, 4], 1)).toEqual([4, 5]);
  expect(shiftedLevels([24, 25], 1)).toBeNull();
  expect(shiftedLevels([20, 103], -1)).toBeNull();
});
