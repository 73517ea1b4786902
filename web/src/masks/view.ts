/** The picture on the screen, as large as its place allows. */
import { drawOverlay, type Overlay } from "./overlay";

export class PictureView {
  private overlay: Overlay | null = null;

  constructor(private readonly canvas: HTMLCanvasElement) {
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  show(overlay: Overlay): void {
    this.overlay = overlay;
    this.draw();
  }

  private draw(): void {
    const { canvas, overlay } = this;
    const sharpness = window.devicePixelRatio;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight].map((side) => Math.round(side * sharpness));
    if (!overlay || !width || !height) return;
    Object.assign(canvas, { width, height });
    const { picture } = overlay;
    const scale = Math.min(width / picture.width, height / picture.height);
    const [wide, high] = [picture.width * scale, picture.height * scale];
    const context = canvas.getContext("2d")!;
    context.translate(Math.round((width - wide) / 2), Math.round((height - high) / 2));
    drawOverlay(context, overlay, wide, high);
  }
}
