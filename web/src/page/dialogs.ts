/** Questions and messages of the page. */
const element = <T extends HTMLElement>(id: string) => document.getElementById(id) as T;

/** Let a person choose one of several; null when they do not. */
export async function choose(title: string, options: string[]): Promise<number | null> {
  const dialog = element<HTMLDialogElement>("choice");
  element("choice-title").textContent = title;
  const buttons = options.map((text, index) => {
    const button = document.createElement("button");
    Object.assign(button, { value: String(index), textContent: text });
    return button;
  });
  element("choice-buttons").replaceChildren(...buttons);
  dialog.returnValue = "";
  dialog.showModal();
  await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
  return dialog.returnValue === "" ? null : Number(dialog.returnValue);
}

/** Say what went wrong, or with null that nothing is wrong any more. */
export function alertUser(message: string | null): void {
  const alert = element("alert");
  alert.hidden = message === null;
  alert.textContent = message;
}

/** Hand a file to the browser's downloads. */
export function download(name: string, type: string, content: Uint8Array | string): void {
  const url = URL.createObjectURL(new Blob([content as BlobPart], { type }));
  const link = Object.assign(document.createElement("a"), { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
