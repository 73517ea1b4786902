import { describe, expect, test } from "vitest";
import { eightBits, readDeepPng, readTiff, tiffContent } from "../src/files/deepPictures";
import { maskFile, maskRecord, type MaskResult, numbersFile, objectTable, outlineFile, pictureTable, rounded } from "../src/files/masks";
import { readPictureHeader, withoutOrientation } from "../src/files/pictureHeader";
import { fitted, unfitted } from "../src/segmentation/fitting";
import { type MaskCard, segment } from "../src/segmentation/segment";
import type { PictureRows } from "../src/segmentation/resample";
import { decode } from "fast-png";
import { apart, bytes, cases, type Json, unpacked } from "./vectors";

/** A picture from red, green and blue (height, width, 3). */
function pictureOf(entry: Json): PictureRows {
  const [height, width] = entry.shape;
  const colours = unpacked(entry);
  const rgba = new Uint8ClampedArray(height * width * 4).fill(255);
  for (let i = 0; i < height * width; i++) rgba.set(colours.subarray(3 * i, 3 * i + 3), 4 * i);
  return { width, height, rows: (top, count) => rgba.subarray(top * width * 4, (top + count) * width * 4) };
}

describe("a picture comes to the network's size and back as in Python", () => {
  test.each(cases("fitting"))("fitting %#", ({ input, answer }) => {
    const picture = pictureOf(input.picture);
    const fit = { size: input.size, resize: input.resize };
    // Some versions of Pillow begin with the columns of a tall picture, which rounds otherwise.
    const isTall = picture.height > picture.width;
    expect(apart(fitted(picture, fit), unpacked(answer.fitted))).toBeLessThanOrEqual(isTall ? 1 : 0);
    const map = Float32Array.from(unpacked(input.map), (value) => value / 255);
    const rowOf = unfitted(map, [picture.height, picture.width], fit);
    const spread = unpacked(answer.unfitted);
    for (let row = 0; row < picture.height; row++) {
      const own = Array.from(spread.subarray(row * picture.width, (row + 1) * picture.width), (value) => value / 65535);
      expect(apart(rowOf(row), own)).toBeLessThan(2e-5);
    }
  });
});

describe.each(cases("masks"))("a mask %#", ({ input, answer }) => {
  const card: MaskCard = { name: "drawn", version: "1", sha256: "0", ...input.card };
  const network = async () => Float32Array.from(unpacked(input.map), (value) => value / 255);

  async function resultOf(): Promise<MaskResult> {
    const mask = await segment(pictureOf(input.picture), network, card, ["the file is old"]);
    return { name: "mole, left.jpg", mask: { ...mask, seconds: 1.25 }, card, mmPerPixel: input.mm_per_pixel, version: "1" };
  }

  test("is Python's, pixel by pixel, and so are the files", async () => {
    if (answer.error) {
      await expect(resultOf()).rejects.toThrow(answer.error);
      return;
    }
    const result = await resultOf();
    expect(Array.from(result.mask.labels)).toEqual(Array.from(unpacked(answer.labels)));
    expect(maskRecord(result)).toEqual(answer.record);
    const outline = JSON.parse(outlineFile(result).content as string);
    delete outline.generated_by.version;
    expect(outline).toEqual(answer.outline);
    const tables = [pictureTable(result), ...(card.objects === "many" ? [objectTable(result)] : [])];
    expect(tables.map(({ content }) => content)).toEqual(answer.tables);
  });

  test("is saved as grey PNG files of the picture's size", async () => {
    if (answer.error) return;
    const result = await resultOf();
    const [height, width] = input.picture.shape;
    const mask = decode((await maskFile(result)).content as Uint8Array, { checkCrc: true });
    expect(mask).toMatchObject({ width, height, depth: 8, channels: 1 });
    expect(Array.from(mask.data)).toEqual(Array.from(result.mask.labels, (label) => (label ? 255 : 0)));
    const numbers = decode((await numbersFile(result)).content as Uint8Array, { checkCrc: true });
    expect(numbers).toMatchObject({ depth: 16, channels: 1 });
    expect(Array.from(numbers.data)).toEqual(Array.from(result.mask.labels));
  });
});

test("the vectors hold what matters", () => {
  const answers = cases("masks").map(({ answer }) => answer);
  const found = answers.filter(({ record }) => record?.objects.length);
  expect(found.some(({ record }) => record.touches_border)).toBe(true);
  expect(found.some(({ record }) => !record.touches_border)).toBe(true);
  expect(found.some(({ record }) => record.unlike)).toBe(true);
  expect(found.some(({ record }) => !record.unlike)).toBe(true);
  expect(Math.max(...found.map(({ record }) => record.objects.length))).toBeGreaterThan(15);
  const holes = found.flatMap(({ outline }) => outline.features.flatMap((each: Json) => each.geometry.coordinates));
  expect(holes.some((polygon: Json) => polygon.length > 1)).toBe(true);
});

test.each(cases("shades"))("values of many bits are scaled as in Python %#", ({ input, answer }) => {
  expect(Array.from(eightBits(unpacked(input.values) as Uint16Array | Float32Array))).toEqual(Array.from(unpacked(answer.shades)));
});

describe.each(cases("pictures"))("the file $input.name", ({ input, answer }) => {
  const file = bytes(input.file);
  const header = readPictureHeader(file);
  const isTurned = input.name.startsWith("turned");
  const [height, width] = answer.pixels.shape;

  test("says its size and how to turn it", () => {
    const size = header.form === "tiff" ? tiffContent(file).size : header.size!;
    expect([...size].sort()).toEqual([width, height].sort());
    expect(header.orientation !== 1).toBe(isTurned);
    expect(header.orientation >= 5).toBe(size[0] !== width);
    expect(header.isCut).toBe(false);
    expect(readPictureHeader(withoutOrientation(file, header)).orientation).toBe(1);
  });

  test.runIf(!isTurned && /tif|deep/.test(input.name))("has the pixels that Python reads", () => {
    const { rgba } = header.isDeep ? readDeepPng(file) : readTiff(file);
    const white = Array.from(unpacked(answer.pixels), (_, i) => {
      const [shade, alpha] = [rgba[4 * Math.floor(i / 3) + (i % 3)], rgba[4 * Math.floor(i / 3) + 3]];
      return 255 + ((shade - 255) * alpha) / 255;
    });
    expect(apart(white, unpacked(answer.pixels))).toBeLessThanOrEqual(1);
    const several = answer.warnings.filter((text: string) => text.includes("pictures")).length;
    if (header.form === "tiff") expect(tiffContent(file).pages > 1).toBe(several > 0);
  });
});

test("a JPEG or PNG file that is cut says so", () => {
  for (const { input } of cases("pictures").filter(({ input }) => /jpg|png|webp|bmp/.test(input.name))) {
    const file = bytes(input.file);
    expect(readPictureHeader(file.subarray(0, file.length - 60)).isCut).toBe(true);
  }
});

test("a TIFF file that leads back into itself has an end", () => {
  const file = bytes(cases("pictures").find(({ input }) => input.name === "plain.tif")!.input.file).slice();
  const view = new DataView(file.buffer);
  const folder = view.getUint32(4, true);
  view.setUint32(folder + 2 + 12 * view.getUint16(folder, true), folder, true);
  expect(tiffContent(file).pages).toBeGreaterThan(1);
});

test.each([
  [12.125, 2, 12.12],
  [12.375, 2, 12.38],
  [0.5, 0, 0],
  [2.675, 2, 2.67],
  [1e-7, 6, 0],
  [0.00005, 4, 0.0001],
])("%d with %d digits is %d, as in Python", (value, digits, expected) => {
  expect(rounded(value, digits)).toBe(expected);
});
