/** The page: fetches all that the chosen mode needs, then says ready and asks the network for nothing more. */
import { discMode } from "./discs/mode";
import { pictureModes } from "./masks/mode";
import { alertUser } from "./page/dialogs";
import { make } from "./page/make";
import { type Mode, type Opener, READY } from "./page/mode";
import { fromDrop, fromInput, type PickedFile } from "./page/picked";
import { WorkerClient } from "./worker/client";

const bar = document.getElementById("modes")!;
const modes = [discMode(), ...pictureModes(bar.dataset.pictures!.split(" ").filter(Boolean))];
/** Of each mode that was entered, what opens files once everything is there; files picked before wait for it. */
const openers = new Map<Mode, Promise<Opener | null>>();
const ready = new Set<Mode>();
let worker: WorkerClient | null = null;
let shown = modes[0];

/** Show the mode that the address names. */
async function enter(): Promise<void> {
  shown = modes.find(({ name }) => `#${name}` === location.hash) ?? modes[0];
  for (const mode of modes) {
    mode.section.hidden = mode !== shown;
    mode.status.show(mode === shown);
  }
  for (const link of bar.querySelectorAll("a")) {
    if (link.hash === `#${shown.name}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  alertUser(null);
  tellReady();
  if (!openers.has(shown)) openers.set(shown, start(shown));
}

async function start(mode: Mode): Promise<Opener | null> {
  mode.status.set("Loading the page…", 0);
  await firstPaint();
  try {
    worker ??= new WorkerClient((message) => alertUser(`the page could not be set up: ${message}`));
    const open = await mode.start(worker);
    mode.status.set(READY);
    ready.add(mode);
    tellReady();
    return open;
  } catch (error) {
    openers.delete(mode); // entered again, it is tried again
    mode.status.set("Not ready.");
    alertUser(`the page could not be set up: ${(error as Error).message}`);
    return null;
  }
}

/** Say, for programs, whether the mode that is shown needs the network no more. */
function tellReady(): void {
  if (ready.has(shown)) document.body.dataset.ready = shown.name;
  else delete document.body.dataset.ready;
}

/** When the page has been drawn: a mode's code keeps it busy for a while. A page in the background is never drawn. */
function firstPaint(): Promise<unknown> {
  const drawn = new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
  return Promise.race([drawn, new Promise((resolve) => setTimeout(resolve, 1000))]);
}

async function openPicked(picked: PickedFile[]): Promise<void> {
  if (!picked.length) return;
  try {
    await (await openers.get(shown))?.(picked);
  } catch (error) {
    alertUser((error as Error).message);
  }
}

bar.hidden = modes.length < 2;
bar.append(...modes.map(({ name, title }) => make("a", { href: `#${name}` }, title)));
window.addEventListener("hashchange", enter);
enter();

document.addEventListener("change", async ({ target }) => {
  if (!(target instanceof HTMLInputElement) || target.type !== "file") return;
  const picked = fromInput(target);
  target.value = "";
  await openPicked(picked);
});

document.addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("over");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) document.body.classList.remove("over");
});
document.addEventListener("drop", async (event) => {
  event.preventDefault();
  document.body.classList.remove("over");
  if (event.dataTransfer) await openPicked(await fromDrop(event.dataTransfer));
});
