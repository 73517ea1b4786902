/** The outline of a mask as polygons along the borders of its pixels; see the file of this name in the package. */
import { type Pixels, regionRuns, type Run } from "./regions";

/** Corners x, y of pixels, the first repeated at the end. */
export type Ring = [number, number][];
/** The outer ring, with a positive area by the shoelace formula, and the holes. */
export type Polygon = Ring[];

/** Polygons of a mask, one for each part whose pixels share edges. */
export function traceOutlines(mask: Pixels): Polygon[] {
  const polygons: Polygon[] = [];
  for (const { part, corners } of rings(borderSteps(mask), mask.width + 1)) {
    const ring = bends(corners);
    const polygon = (polygons[part - 1] ??= []);
    // The outer ring comes first, whenever it is found.
    if (signedArea(ring) > 0) polygon.unshift(ring);
    else polygon.push(ring);
  }
  return polygons;
}

/** Area of a closed ring by the shoelace formula. */
export function signedArea(ring: Ring): number {
  let twice = 0;
  for (let i = 1; i < ring.length; i++) twice += ring[i - 1][0] * ring[i][1] - ring[i][0] * ring[i - 1][1];
  return twice / 2;
}

/** Where steps along a part's border lead to, by the corner that they begin at. */
interface Steps {
  part: number;
  following: Map<number, number[]>;
}

/**
 * Steps from corner to corner along the borders of a mask's parts, those of each part by themselves.
 *
 * Steps go around a part with it on the side of larger y when going to larger x. A corner is numbered row by row.
 */
function borderSteps(mask: Pixels): Steps[] {
  const { data, width, height } = mask;
  const runs = regionRuns(mask);
  const parts: Steps[] = [];
  const add = ({ region }: Run, from: number, to: number) => {
    const { following } = (parts[region - 1] ??= { part: region, following: new Map() });
    const known = following.get(from);
    if (known) known.push(to);
    else following.set(from, [to]);
  };
  const corner = (column: number, row: number) => row * (width + 1) + column;
  // Side by side, as the package goes: where a ring begins follows from it.
  for (const run of runs)
    for (let x = run.start; x < run.end; x++) {
      if (run.row === 0 || !data[(run.row - 1) * width + x]) add(run, corner(x, run.row), corner(x + 1, run.row));
    }
  for (const run of runs) add(run, corner(run.end, run.row), corner(run.end, run.row + 1));
  for (const run of runs)
    for (let x = run.start; x < run.end; x++) {
      const isOpen = run.row === height - 1 || !data[(run.row + 1) * width + x];
      if (isOpen) add(run, corner(x + 1, run.row + 1), corner(x, run.row + 1));
    }
  for (const run of runs) add(run, corner(run.start, run.row + 1), corner(run.start, run.row));
  return parts;
}

/** Closed rings that together use every step once, each passing a corner at most once; the first is repeated. */
function* rings(parts: Steps[], stride: number): Generator<{ part: number; corners: Ring }> {
  const placed = (corner: number): [number, number] => [corner % stride, Math.floor(corner / stride)];
  for (const { part, following } of parts) {
    for (const start of [...following.keys()]) {
      while (following.get(start)!.length) {
        const path = [start];
        const placeInPath = new Map([[start, 0]]);
        for (let next; (next = following.get(path[path.length - 1])!.pop()) !== undefined; ) {
          path.push(next);
          const first = placeInPath.get(next);
          if (first === undefined) {
            placeInPath.set(next, path.length - 1);
          } else {
            // A ring has closed; the path goes on from where it was left.
            yield { part, corners: path.slice(first).map(placed) };
            for (const passed of path.slice(first + 1, -1)) placeInPath.delete(passed);
            path.length = first + 1;
          }
        }
      }
    }
  }
}

/** A closed ring without the corners at which it goes straight on. */
function bends(ring: Ring): Ring {
  const corners = ring.slice(0, -1);
  const found = corners.filter(([x, y], i) => {
    const [fromX, fromY] = corners.at(i - 1)!;
    const [toX, toY] = corners[(i + 1) % corners.length];
    return x - fromX !== toX - x || y - fromY !== toY - y;
  });
  return [...found, found[0]];
}
