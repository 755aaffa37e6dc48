/** One card: picture, name, and a way to its notes. */

import { button, el, setAttribute, setText } from "./dom.js";

export class Tile {
  constructor({ onUse, onEdit }) {
    this.image = el("img", { alt: "", loading: "lazy", decoding: "async", hidden: true });
    this.letters = el("span", { class: "letters", "aria-hidden": "true" });
    this.name = el("span", { class: "name" });
    this.reason = el("span", { class: "reason" });
    this.use = button("", () => this.card && onUse(this.card), { class: "use", "aria-pressed": "false" });
    this.use.append(
      el("span", { class: "picture" }, this.letters, this.image),
      el("span", { class: "words" }, this.name, this.reason),
    );
    this.edit = button("✎", () => this.card && onEdit(this.card), {
      class: "gesso-icon edit",
      title: "Notes and picture",
    });
    this.element = el("div", { class: "card" }, this.use, this.edit);
    this.image.addEventListener("error", () => this.#showPicture(null));
  }

  /** Show a card; nothing while it is on its way. */
  show(card) {
    this.card = card ?? null;
    this.element.classList.toggle("is-coming", !card);
    setText(this.name, card?.name ?? "…");
    setText(this.reason, card ? card.mismatch || card.made_for : "");
    this.element.classList.toggle("is-misfit", Boolean(card?.mismatch));
    this.use.title = card ? titleOf(card) : "";
    this.edit.hidden = !card;
    setAttribute(this.edit, "aria-label", `Notes on ${card?.name ?? "this card"}`);
    setText(this.letters, card ? lettersOf(card.name) : "");
    this.#showPicture(card?.preview);
  }

  /** Say whether the card is in use. */
  press(isUsed) {
    setAttribute(this.use, "aria-pressed", String(isUsed));
  }

  /** Whether Tab leads to this card. */
  reach(isReached) {
    this.use.tabIndex = this.edit.tabIndex = isReached ? 0 : -1;
  }

  focus() {
    this.use.focus({ preventScroll: true });
  }

  #showPicture(address) {
    this.image.hidden = !address;
    this.letters.hidden = Boolean(address);
    if (address) setAttribute(this.image, "src", address);
    else this.image.removeAttribute("src");
  }
}

function titleOf(card) {
  const lines = [card.id, card.activation_text, card.description, card.mismatch];
  return lines.filter(Boolean).join("\n");
}

/** A picture for cards that have none: the beginnings of two words. */
export function lettersOf(name) {
  const words = name.split(/[\s_.\-]+/).filter(Boolean);
  return words.slice(0, 2).map((word) => [...word][0].toUpperCase()).join("");
}
