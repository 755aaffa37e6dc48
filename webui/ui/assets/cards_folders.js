/** Where the cards lie: the way to the open folder, and the folders in it. */

import { button, el } from "./dom.js";

/** A row of folders; `onOpen(path)` is called with the one that was chosen. */
export class Folders {
  constructor(onOpen) {
    this.onOpen = onOpen;
    this.element = el("nav", { class: "folders", "aria-label": "Folders" });
  }

  /** `folders` are `{path, count}`, sorted by path; `open` is the one that is looked into. */
  show(folders, open) {
    const base = trunk(folders);
    const way = [base, ...steps(base, open)];
    const here = way.at(-1);
    const inside = folders.filter(({ path }) => path && parent(path) === here && path !== here);
    const chips = way.map((path, at) =>
      at
        ? this.#chip(path, last(path), path === here)
        : this.#chip(path, "All", path === here, folders[0]?.count),
    );
    chips.push(...inside.map(({ path, count }) => this.#chip(path, last(path), false, count)));
    this.element.replaceChildren(...chips);
    this.element.hidden = chips.length < 2;
  }

  #chip(path, text, isHere, count) {
    const chip = button(text, () => this.onOpen(path), { class: "gesso-chip" });
    if (isHere) chip.setAttribute("aria-current", "true");
    if (count !== undefined) chip.append(el("span", { class: "when", text: String(count) }));
    return chip;
  }
}

const last = (path) => path.slice(path.lastIndexOf("/") + 1);
const parent = (path) => path.slice(0, Math.max(0, path.lastIndexOf("/")));

/** The deepest folder that holds everything: "" holds it, too. */
const trunk = (folders) =>
  folders.filter(({ count }) => count === folders[0].count).at(-1)?.path ?? "";

function steps(base, open) {
  const found = [];
  for (let path = open; path && path !== base && path.startsWith(base); path = parent(path)) {
    found.unshift(path);
  }
  return found;
}
