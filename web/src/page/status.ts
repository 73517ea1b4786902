/** What a mode says of itself above all: shown, and read out, while that mode is. */
const element = <T extends HTMLElement>(id: string) => document.getElementById(id) as T;

export class StatusLine {
  private text = "";
  private progress: number | null = null;
  private isShown = false;

  set(text: string, progress: number | null = null): void {
    Object.assign(this, { text, progress });
    if (this.isShown) this.draw();
  }

  show(isShown: boolean): void {
    this.isShown = isShown;
    if (isShown) this.draw();
  }

  private draw(): void {
    element("status").textContent = this.text;
    const bar = element<HTMLProgressElement>("progress");
    bar.hidden = this.progress === null;
    if (this.progress !== null) bar.value = this.progress;
  }
}
