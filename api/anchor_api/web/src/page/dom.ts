/** Makes elements. Text is text: nothing here reads HTML. */

type Child = Node | string | null | undefined | false;
type Attributes = Record<string, string | boolean | null | ((event: never) => void)>;

/** Make an element; `onclick` and its like are listeners, false and null leave an attribute out. */
export function h<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  attributes: Attributes = {},
  ...children: readonly (Child | readonly Child[])[]
): HTMLElementTagNameMap[Name] {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(key.slice(2), value as EventListener);
    else if (value !== false && value !== null) element.setAttribute(key, value === true ? "" : value);
  }
  add(element, children);
  return element;
}

/** Put children after those that are there. */
export function add(parent: ParentNode, children: readonly (Child | readonly Child[])[]): void {
  for (const child of children.flat())
    if (child !== null && child !== undefined && child !== false) parent.append(child);
}

/** Somebody else's words: their direction of writing stays their own. */
export function foreign(text: string, attributes: Attributes = {}): HTMLElement {
  return h("bdi", attributes, text);
}

/** A digest in monospace; `short` shows its beginning and gives the whole on demand. */
export function digest(hex: string, short = false): HTMLElement {
  if (!short) return h("code", { class: "digest" }, hex);
  return h("code", { class: "digest", title: hex }, h("span", { class: "short" }, `${hex.slice(0, 8)}…`), h("span", { class: "whole" }, hex));
}

/** A block that unfolds. */
export function unfolding(summary: Child | readonly Child[], ...children: readonly Child[]): HTMLDetailsElement {
  return h("details", {}, h("summary", {}, summary), ...children);
}

/** A block whose inside is made when it is first unfolded. */
export function lazily(summary: Child | readonly Child[], make: () => readonly Child[]): HTMLDetailsElement {
  const details = unfolding(summary);
  details.addEventListener("toggle", () => add(details, make()), { once: true });
  return details;
}

/** Names and values. */
export function facts(...pairs: readonly (readonly [Child, Child | readonly Child[]] | null)[]): HTMLDListElement {
  const list = h("dl");
  for (const pair of pairs) if (pair !== null) add(list, [h("dt", {}, pair[0]), h("dd", {}, pair[1])]);
  return list;
}

/** Put a text on the clipboard; pages from disk may only be allowed the old way. */
export async function copyText(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = h("textarea", { class: "hidden", "aria-hidden": "true" });
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}
