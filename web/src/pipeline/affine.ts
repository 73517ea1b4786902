/** Affines as rows of a 4 x 4 matrix: voxel to RAS+ world millimetres. A voxel's centre has integer coordinates. */
import { LookOnceError } from "../errors";

export type Point = [number, number, number];
export type Affine = [number[], number[], number[], number[]];

export function multiply(one: Affine, other: Affine): Affine {
  return one.map((row) => [0, 1, 2, 3].map((j) => row.reduce((sum, value, k) => sum + value * other[k][j], 0))) as Affine;
}

export function transform(point: ArrayLike<number>, affine: Affine): Point {
  return [0, 1, 2].map(
    (i) => affine[i][0] * point[0] + affine[i][1] * point[1] + affine[i][2] * point[2] + affine[i][3],
  ) as Point;
}

/** Fractional voxel indices of a world point, mm. */
export function worldToVoxel(point: ArrayLike<number>, affine: Affine): Point {
  return transform(point, inverse(affine));
}

export function inverse(affine: Affine): Affine {
  const turned = inverse3(affine.slice(0, 3).map((row) => row.slice(0, 3)));
  const moved = turned.map((row) => -(row[0] * affine[0][3] + row[1] * affine[1][3] + row[2] * affine[2][3]));
  return [...turned.map((row, i) => [...row, moved[i]]), [0, 0, 0, 1]] as unknown as Affine;
}

/** Lengths of a voxel's edges, mm. */
export function voxelSizes(affine: Affine): Point {
  return [0, 1, 2].map((j) => Math.hypot(affine[0][j], affine[1][j], affine[2][j])) as Point;
}

export function determinant(matrix: number[][]): number {
  const [a, b, c] = matrix;
  return (
    a[0] * (b[1] * c[2] - b[2] * c[1]) - a[1] * (b[0] * c[2] - b[2] * c[0]) + a[2] * (b[0] * c[1] - b[1] * c[0])
  );
}

/** Throw unless an affine is finite and invertible, with voxels of a plausible size. */
export function checkAffine(affine: Affine): void {
  if (!affine.flat().every(Number.isFinite)) {
    throw new LookOnceError(
      "the header's affine is not finite, so the image has no place in space; convert it again",
      "geometry",
    );
  }
  const sizes = voxelSizes(affine);
  // Axes within about three degrees of one plane are a broken header, not a sheared scan.
  const least = 0.05 * sizes[0] * sizes[1] * sizes[2];
  if (Math.min(...sizes) < 1e-3 || Math.max(...sizes) > 100 || Math.abs(determinant(affine)) < least) {
    const text = sizes.map((size) => String(Number(size.toPrecision(3)))).join(" x ");
    throw new LookOnceError(
      `the header gives voxels of ${text} mm with a singular or implausible affine; ` +
        "convert the scan again from its source",
      "geometry",
    );
  }
}

/**
 * For every voxel axis, which world axis it runs closest to and in which direction.
 *
 * The rotation closest to the axes decides (polar decomposition, here by Newton's iteration), the strongest axis first:
 * what nibabel's io_orientation does.
 */
export function orientation(affine: Affine): { axis: number; sign: 1 | -1 }[] {
  const sizes = voxelSizes(affine);
  let rotation = affine.slice(0, 3).map((row) => row.slice(0, 3).map((value, j) => value / sizes[j]));
  for (let step = 0; step < 60; step++) {
    const other = inverse3(rotation);
    rotation = rotation.map((row, i) => row.map((value, j) => (value + other[j][i]) / 2));
  }
  const strength = [0, 1, 2].map((j) => Math.max(...rotation.map((row) => row[j] ** 2)));
  const found: { axis: number; sign: 1 | -1 }[] = [];
  for (const j of [0, 1, 2].sort((a, b) => strength[b] - strength[a] || a - b)) {
    const column = rotation.map((row) => row[j]);
    const axis = column.reduce((best, value, i) => (Math.abs(value) > Math.abs(column[best]) ? i : best), 0);
    found[j] = { axis, sign: column[axis] < 0 ? -1 : 1 };
    rotation[axis] = [0, 0, 0];
  }
  return found;
}

function inverse3(m: number[][]): number[][] {
  const scale = 1 / determinant(m);
  const minor = (i: number, j: number) => {
    const [r, s] = [0, 1, 2].filter((k) => k !== i);
    const [t, u] = [0, 1, 2].filter((k) => k !== j);
    return m[r][t] * m[s][u] - m[r][u] * m[s][t];
  };
  return [0, 1, 2].map((i) => [0, 1, 2].map((j) => scale * (-1) ** (i + j) * minor(j, i)));
}
