/** A volume of grey values as a view with strides, so that turning its axes copies nothing. */
import { type Affine, multiply, orientation, type Point } from "./affine";

export type Voxels =
  | Int8Array | Uint8Array | Int16Array | Uint16Array | Int32Array | Uint32Array | Float32Array | Float64Array;

export interface Volume {
  data: Voxels;
  shape: Point;
  strides: Point;
  offset: number;
  affine: Affine;
}

/** A volume as NIfTI stores it: the first index runs fastest. */
export function volumeOf(data: Voxels, shape: Point, affine: Affine): Volume {
  return { data, shape, strides: [1, shape[0], shape[0] * shape[1]], offset: 0, affine };
}

/**
 * Permute and flip axes so that they run closest to right, down and back; world points stay.
 *
 * So slabs are seen as a radiologist sees a sagittal picture: rows run down, columns from the face to the back.
 */
export function asSagittal(volume: Volume): Volume {
  const wanted = [
    { axis: 0, sign: 1 },
    { axis: 2, sign: -1 },
    { axis: 1, sign: -1 },
  ];
  const own = orientation(volume.affine);
  const moved: Volume = { ...volume, shape: [1, 1, 1], strides: [1, 1, 1] };
  const back: Affine = [[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 1]];
  wanted.forEach(({ axis, sign }, target) => {
    const source = own.findIndex((entry) => entry.axis === axis);
    const flipped = own[source].sign !== sign;
    const last = volume.shape[source] - 1;
    moved.shape[target] = volume.shape[source];
    moved.strides[target] = (flipped ? -1 : 1) * volume.strides[source];
    if (flipped) moved.offset += last * volume.strides[source];
    back[source][target] = flipped ? -1 : 1;
    back[source][3] = flipped ? last : 0;
  });
  return { ...moved, affine: multiply(volume.affine, back) };
}
