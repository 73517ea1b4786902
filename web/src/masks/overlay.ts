/** A picture with the outline of its mask, as `lookonce segment` draws it, at any size. */
import type { Mask, MaskObject } from "../segmentation/mask";
import type { Polygon } from "../segmentation/outlines";
import { DOUBTFUL_BELOW } from "../segmentation/segment";

const [OUTLINE, DOUBTFUL, CASING, CHOSEN] = ["rgb(90 220 255)", "rgb(255 170 60)", "#000", "#fff"];

type Context = CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D;

export interface Overlay {
  /** The picture, at whatever size. */
  picture: ImageBitmap;
  /** null until it is there. */
  mask: Mask | null;
  isOutlined: boolean;
  /** Opacity of what the mask covers, 0..1. */
  fill: number;
  /** Number of the object that stands out. */
  chosen: number | null;
  /** Whether objects bear their numbers. */
  isNumbered: boolean;
}

/** Draw the picture so that it fills a canvas of this width and height. */
export function drawOverlay(context: Context, overlay: Overlay, width: number, height: number): void {
  const { picture, mask, isOutlined, fill, chosen, isNumbered } = overlay;
  context.imageSmoothingQuality = "high";
  context.drawImage(picture, 0, 0, width, height);
  if (!mask) return;
  const scale = width / mask.width;
  const longest = Math.max(width, height);
  const line = Math.max(1.5, Math.round(longest / 500));
  const paths = mask.outlines.map((polygons) => pathOf(polygons, scale));
  const draw = (how: (path: Path2D, found: MaskObject) => void) => mask.objects.forEach((found, i) => how(paths[i], found));
  context.globalAlpha = fill;
  draw((path, found) => {
    context.fillStyle = colourOf(found);
    context.fill(path, "evenodd");
  });
  context.globalAlpha = 1;
  context.lineJoin = "round";
  if (isOutlined) {
    // Dark on both sides, so that it shows on any skin or stain.
    draw((path) => stroke(context, path, CASING, line + 2));
    draw((path, found) => stroke(context, path, colourOf(found), line));
  }
  draw((path, { number }) => number === chosen && stroke(context, path, CHOSEN, 2 * line));
  if (isNumbered && isOutlined) drawNumbers(context, mask.objects, scale, Math.max(10, Math.round(longest / 50)));
}

function drawNumbers(context: Context, objects: MaskObject[], scale: number, size: number): void {
  Object.assign(context, { font: `${size}px sans-serif`, textAlign: "center", textBaseline: "middle" });
  Object.assign(context, { lineWidth: 4, strokeStyle: CASING, fillStyle: "#fff" });
  for (const { number, centre: [x, y] } of objects) {
    context.strokeText(String(number), x * scale, y * scale);
    context.fillText(String(number), x * scale, y * scale);
  }
}

function stroke(context: Context, path: Path2D, colour: string, width: number): void {
  Object.assign(context, { strokeStyle: colour, lineWidth: width });
  context.stroke(path);
}

function colourOf({ confidence }: MaskObject): string {
  return confidence < DOUBTFUL_BELOW ? DOUBTFUL : OUTLINE;
}

function pathOf(polygons: Polygon[], scale: number): Path2D {
  const path = new Path2D();
  for (const ring of polygons.flat()) {
    ring.forEach(([x, y], i) => (i ? path.lineTo(x * scale, y * scale) : path.moveTo(x * scale, y * scale)));
    path.closePath();
  }
  return path;
}
