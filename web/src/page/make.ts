/** Make an element with some properties and a text. */
export function make(tag: string, properties: Record<string, string> = {}, text?: string): HTMLElement {
  const made = Object.assign(document.createElement(tag), properties);
  if (text !== undefined) made.textContent = text;
  return made;
}
