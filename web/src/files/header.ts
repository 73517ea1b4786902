/** What a NIfTI header says: its kind, the volume's shape, type and place in space. */
import { LookOnceError } from "../errors";
import { type Affine, checkAffine, type Point, transform } from "../pipeline/affine";

/** Larger claims come from damaged headers; the largest whole-spine scans have a tenth of it. */
const MOST_VOXELS = 2_000_000_000;
/** Beyond these the sform and the qform of a header are said to disagree. */
const FORM_TOLERANCE_MM = 1;
const FORM_TOLERANCE_DEGREES = 1;
const COMPLEX = [32, 1792, 2048];
const COLOURS = [128, 2304];
/** Bytes of a voxel by NIfTI code. */
const TYPES: Record<number, number> = { 2: 1, 4: 2, 8: 4, 16: 4, 64: 8, 256: 1, 512: 2, 768: 4, 1024: 8, 1280: 8 };

/** Where the fields of NIfTI-1 and NIfTI-2 are, and how wide. */
const LAYOUTS = {
  1: { size: 348, magic: 344, dim: 40, datatype: 70, pixdim: 76, offset: 108, scale: 112, form: 252, quatern: 256, srow: 280 },
  2: { size: 540, magic: 4, dim: 16, datatype: 12, pixdim: 104, offset: 168, scale: 176, form: 344, quatern: 352, srow: 400 },
};

export interface NiftiHeader {
  version: 1 | 2;
  littleEndian: boolean;
  /** The header's own bytes, so that labels can be written with the same one. */
  bytes: Uint8Array;
  shape: Point;
  volumes: number;
  datatype: number;
  voxelBytes: number;
  dataOffset: number;
  /** Slope and intercept, or null where voxels are stored as they are. */
  scaling: [number, number] | null;
  affine: Affine;
  warnings: string[];
}

/** Header from the first bytes of a file, of either byte order; null when there are too few of them yet. */
export function parseHeader(name: string, start: Uint8Array): NiftiHeader {
  const version = versionOf(start);
  if (version === null) throw notNifti(name, start);
  const layout = LAYOUTS[version];
  const fields = new Fields(start.slice(0, layout.size), version);
  const { shape, volumes } = shapeOf(name, fields);
  const datatype = fields.short(layout.datatype);
  const { affine, warnings } = affineOf(name, fields, shape);
  return {
    version,
    littleEndian: fields.littleEndian,
    bytes: fields.bytes,
    shape,
    volumes,
    datatype,
    voxelBytes: bytesOf(name, datatype),
    dataOffset: offsetOf(fields),
    scaling: scalingOf(name, fields),
    affine,
    warnings,
  };
}

/** Header of a label volume that lies on an image: its space and form codes, unsigned bytes. */
export function labelHeader(image: NiftiHeader): Uint8Array {
  const [layout, bytes] = [LAYOUTS[image.version], image.bytes.slice()];
  const fields = new Fields(bytes, image.version);
  [3, ...image.shape, 1, 1, 1, 1].forEach((length, i) => fields.setDim(i, length));
  fields.setShort(layout.datatype, 2);
  fields.setShort(layout.datatype + 2, 8);
  fields.setFloat(layout.scale, 1);
  fields.setFloat(layout.scale + fields.wide, 0);
  const headerEnd = layout.size + 4;
  const description = new TextEncoder().encode("disc labels by LookOnce");
  if (image.version === 1) {
    fields.setFloat(layout.offset, headerEnd);
    bytes.fill(0, 124, 132); // cal_max, cal_min
    bytes.fill(0, 148, 228).set(description, 148);
    bytes.set([0x6e, 0x2b, 0x31, 0], layout.magic);
  } else {
    fields.view.setBigInt64(layout.offset, BigInt(headerEnd), fields.littleEndian);
    bytes.fill(0, 192, 208); // cal_max, cal_min
    bytes.fill(0, 240, 320).set(description, 240);
    bytes.set([0x6e, 0x2b, 0x32, 0], layout.magic);
  }
  return bytes;
}

/** Numbers of a header by their place; NIfTI-2 has doubles and 64-bit lengths where NIfTI-1 has floats and shorts. */
class Fields {
  readonly view: DataView;
  readonly littleEndian: boolean;
  readonly wide: 4 | 8;

  constructor(
    readonly bytes: Uint8Array,
    readonly version: 1 | 2,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.littleEndian = this.view.getInt32(0, true) === LAYOUTS[version].size;
    this.wide = version === 1 ? 4 : 8;
  }

  short(at: number): number {
    return this.view.getInt16(at, this.littleEndian);
  }

  setShort(at: number, value: number): void {
    this.view.setInt16(at, value, this.littleEndian);
  }

  float(at: number): number {
    return this.version === 1 ? this.view.getFloat32(at, this.littleEndian) : this.view.getFloat64(at, this.littleEndian);
  }

  setFloat(at: number, value: number): void {
    if (this.version === 1) this.view.setFloat32(at, value, this.littleEndian);
    else this.view.setFloat64(at, value, this.littleEndian);
  }

  floats(at: number, count: number): number[] {
    return Array.from({ length: count }, (_, i) => this.float(at + i * this.wide));
  }

  dim(index: number): number {
    const at = LAYOUTS[this.version].dim;
    if (this.version === 1) return this.short(at + 2 * index);
    return Number(this.view.getBigInt64(at + 8 * index, this.littleEndian));
  }

  setDim(index: number, value: number): void {
    const at = LAYOUTS[this.version].dim;
    if (this.version === 1) this.setShort(at + 2 * index, value);
    else this.view.setBigInt64(at + 8 * index, BigInt(value), this.littleEndian);
  }

  formCode(form: "qform" | "sform"): number {
    const at = LAYOUTS[this.version].form + (form === "qform" ? 0 : this.wide / 2);
    return this.version === 1 ? this.short(at) : this.view.getInt32(at, this.littleEndian);
  }
}

function versionOf(start: Uint8Array): 1 | 2 | null {
  for (const version of [1, 2] as const) {
    const { magic, size } = LAYOUTS[version];
    const isNamed = start[magic] === 0x6e && (start[magic + 1] === 0x2b || start[magic + 1] === 0x69);
    if (isNamed && start.length >= size) return version;
  }
  return null;
}

function notNifti(name: string, start: Uint8Array): LookOnceError {
  if (start.length < LAYOUTS[1].size) {
    return new LookOnceError(`${name}: has only ${start.length} bytes, fewer than a NIfTI header; copy it again`);
  }
  const size = new DataView(start.buffer, start.byteOffset, 4);
  if (size.getInt32(0, true) === 348 || size.getInt32(0, false) === 348) {
    return new LookOnceError(
      `${name}: is an Analyze 7.5 image, which does not tell left from right; convert it to NIfTI`,
    );
  }
  return new LookOnceError(`${name}: is neither NIfTI nor DICOM; convert it to .nii.gz first`);
}

function shapeOf(name: string, fields: Fields): { shape: Point; volumes: number } {
  const count = fields.dim(0);
  const shape = Array.from({ length: Math.min(Math.max(count, 0), 7) }, (_, i) => fields.dim(i + 1));
  const text = shape.join(" x ");
  const size = shape.reduce((a, b) => a * b, 1);
  if (count < 1 || count > 7 || shape.some((length) => length < 1) || size > MOST_VOXELS) {
    throw new LookOnceError(`${name}: its header is damaged (dimensions ${text || count}); copy or convert it again`);
  }
  if (count === 1) throw new LookOnceError(`${name}: holds a list of ${text} numbers, not an image`);
  const [x, y, z = 1, volumes = 1, ...others] = shape;
  if (others.some((length) => length > 1)) {
    throw new LookOnceError(
      `${name}: has ${count} dimensions (${text}); labelling needs a grey 3D image: take one part of it`,
    );
  }
  return { shape: [x, y, z], volumes };
}

function bytesOf(name: string, datatype: number): number {
  if (TYPES[datatype]) return TYPES[datatype];
  if (COMPLEX.includes(datatype)) {
    throw new LookOnceError(`${name}: its voxels are complex numbers; export the magnitude image`);
  }
  if (COLOURS.includes(datatype)) {
    throw new LookOnceError(`${name}: its voxels are colours; labelling needs the grey scan that they were drawn over`);
  }
  throw new LookOnceError(
    `${name}: its voxel type (NIfTI code ${datatype}) is not supported; convert it to 16-bit integers`,
  );
}

function offsetOf(fields: Fields): number {
  const layout = LAYOUTS[fields.version];
  const given =
    fields.version === 1 ? fields.float(layout.offset) : Number(fields.view.getBigInt64(layout.offset, fields.littleEndian));
  // Some writers leave 0 (or nonsense) in files whose voxels follow the header directly.
  return Number.isFinite(given) && given >= layout.size + 4 ? Math.min(Math.trunc(given), 2 ** 40) : layout.size + 4;
}

function scalingOf(name: string, fields: Fields): [number, number] | null {
  const [slope, intercept] = fields.floats(LAYOUTS[fields.version].scale, 2);
  if (slope === 0 || !Number.isFinite(slope)) return null;
  if (!Number.isFinite(intercept)) {
    throw new LookOnceError(`${name}: its header scales voxels by a number that is none; convert it again`);
  }
  return slope === 1 && intercept === 0 ? null : [slope, intercept];
}

/** Voxel to world: the sform counts before the qform; a header with neither is placed by its voxel sizes alone. */
function affineOf(name: string, fields: Fields, shape: Point): { affine: Affine; warnings: string[] } {
  const { pixdim, quatern, srow } = LAYOUTS[fields.version];
  const sizes = fields.floats(pixdim + fields.wide, 3);
  if (sizes.some((size) => !Number.isFinite(size) || size === 0)) {
    throw new LookOnceError(
      `${name}: its header gives voxels of ${sizes.join(" x ")} mm; convert the scan again from its source`,
      "geometry",
    );
  }
  const read = {
    sform: () => [...[0, 1, 2].map((i) => fields.floats(srow + 4 * i * fields.wide, 4)), [0, 0, 0, 1]] as Affine,
    qform: () => quaternionAffine(fields.floats(quatern, 6), sizes, fields.float(pixdim)),
  };
  const forms: Partial<Record<"sform" | "qform", Affine>> = {};
  const broken: [string, string][] = [];
  for (const form of ["sform", "qform"] as const) {
    if (fields.formCode(form) <= 0) continue;
    try {
      const affine = read[form]();
      checkAffine(affine);
      forms[form] = affine;
    } catch (error) {
      broken.push([form, (error as Error).message]);
    }
  }
  const affine = forms.sform ?? forms.qform;
  if (!affine && broken.length) {
    throw new LookOnceError(`${name}: ${broken.map(([form, cause]) => `${form}: ${cause}`).join("; ")}`, "geometry");
  }
  if (!affine) return unplaced(shape, sizes);
  const used = forms.sform ? "sform" : "qform";
  const warnings = broken.map(([form]) => `the header's ${form} is broken and was ignored; the ${used} was used`);
  if (forms.sform && forms.qform) warnings.push(...disagreement(forms.sform, forms.qform, shape));
  return { affine, warnings };
}

function unplaced(shape: Point, sizes: number[]): { affine: Affine; warnings: string[] } {
  const zooms = [-sizes[0], sizes[1], sizes[2]];
  const rows = zooms.map((zoom, i) => {
    const row = [0, 0, 0, (-zoom * (shape[i] - 1)) / 2];
    row[i] = zoom;
    return row;
  });
  const affine = [...rows, [0, 0, 0, 1]] as Affine;
  checkAffine(affine);
  return {
    affine,
    warnings: [
      "the header gives no orientation (sform and qform codes are 0); left and right, head and foot are guessed " +
        "from the order of the axes",
    ],
  };
}

function quaternionAffine([b, c, d, x, y, z]: number[], sizes: number[], handedness: number): Affine {
  if (Math.abs(handedness) !== 1 || sizes.some((size) => size < 0)) {
    throw new LookOnceError("the header's qform is not valid", "geometry");
  }
  const rest = 1 - b * b - c * c - d * d;
  if (!(rest > -3 * 2 ** -23)) throw new LookOnceError("the header's qform is no rotation", "geometry");
  const a = Math.sqrt(Math.max(rest, 0));
  const rotation = [
    [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
    [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
    [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
  ];
  const zooms = [sizes[0], sizes[1], handedness * sizes[2]];
  const rows = rotation.map((row, i) => [...row.map((value, j) => value * zooms[j]), [x, y, z][i]]);
  return [...rows, [0, 0, 0, 1]] as Affine;
}

/** Warning when two affines place the image's corners or axes differently, else nothing. */
function disagreement(sform: Affine, qform: Affine, shape: Point): string[] {
  let millimetres = 0;
  for (let corner = 0; corner < 8; corner++) {
    const place = shape.map((length, axis) => ((corner >> axis) & 1) * (length - 1));
    const [one, other] = [transform(place, sform), transform(place, qform)];
    millimetres = Math.max(millimetres, Math.hypot(one[0] - other[0], one[1] - other[1], one[2] - other[2]));
  }
  const degrees = Math.max(...[0, 1, 2].map((axis) => angle(column(sform, axis), column(qform, axis))));
  if (millimetres <= FORM_TOLERANCE_MM && degrees <= FORM_TOLERANCE_DEGREES) return [];
  return [
    `the header's sform and qform disagree by up to ${millimetres.toFixed(1)} mm and ${degrees.toFixed(1)} degrees; ` +
      "the sform was used",
  ];
}

function column(affine: Affine, axis: number): number[] {
  return [0, 1, 2].map((i) => affine[i][axis]);
}

function angle(one: number[], other: number[]): number {
  const product = one[0] * other[0] + one[1] * other[1] + one[2] * other[2];
  const cosine = product / (Math.hypot(...one) * Math.hypot(...other));
  return (Math.acos(Math.min(Math.max(cosine, -1), 1)) * 180) / Math.PI;
}
