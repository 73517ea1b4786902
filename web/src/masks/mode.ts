/** The modes that segment pictures, one for each network that the page comes with. */
import { loadingInto, type Mode } from "../page/mode";
import { StatusLine } from "../page/status";
import { MaskApp } from "./app";

declare const __VERSION__: string;

/** What people call the networks' modes and what they give them. */
const KINDS: Record<string, { title: string; invitation: string }> = {
  skin: { title: "Skin lesion", invitation: "Drop a dermoscopic picture of a skin lesion here" },
  cells: { title: "Plasma cells", invitation: "Drop a picture of plasma cells here" },
};

/** A mode for each network of these names; its part of the page is made from the template. */
export function pictureModes(names: string[]): Mode[] {
  return Object.keys(KINDS).filter((name) => names.includes(name)).map(pictureMode);
}

function pictureMode(name: string): Mode {
  const { title, invitation } = KINDS[name];
  const status = new StatusLine();
  const template = document.getElementById("picture-mode") as HTMLTemplateElement;
  const section = (template.content.cloneNode(true) as DocumentFragment).querySelector<HTMLElement>(".mode")!;
  section.dataset.mode = name;
  section.querySelector(".invitation")!.textContent = invitation;
  document.getElementById("app")!.append(section);
  return {
    name,
    title,
    section,
    status,
    start: async (worker) => {
      const { card, backend } = await worker.start(name, "masks", loadingInto(status));
      const app = new MaskApp({ worker, card, backend, version: __VERSION__, status, section });
      return (picked) => app.open(picked);
    },
  };
}
