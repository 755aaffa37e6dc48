/** One model in the table: picture, name, what it is, and what wants attention. */

import { button, el, setAttribute, setText } from "./dom.js";
import { lettersOf } from "./cards_tile.js";
import { hint, kindWords, useWords } from "./models_words.js";
import { fileSize } from "./words.js";

export class ModelRow {
  constructor({ onOpen }) {
    this.image = el("img", { alt: "", loading: "lazy", decoding: "async", hidden: true });
    this.letters = el("span", { class: "letters", "aria-hidden": "true" });
    this.name = el("span", { class: "name" });
    this.place = el("span", { class: "place" });
    this.what = el("span", { class: "what" });
    this.hint = el("span", { class: "hint" });
    this.size = el("span", { class: "size" });
    this.used = el("span", { class: "used" });
    this.open = button("", () => this.row && onOpen(this.row), { class: "row" });
    this.open.append(
      el("span", { class: "thumb" }, this.letters, this.image),
      el("span", { class: "main" }, this.name, this.place),
      el("span", { class: "about" }, this.what, this.hint),
      ...[this.size, this.used],
    );
    this.element = el("div", { class: "model" }, this.open);
    this.image.addEventListener("error", () => this.#showPicture(null));
  }

  /** Show a row; nothing while it is on its way. */
  show(row) {
    this.row = row ?? null;
    const card = row?.card;
    setText(this.name, card?.name ?? "…");
    setText(this.place, card ? card.folder || (row.is_starter ? "ships with Gesso" : "models") : "");
    setText(this.what, row ? kindWords(row) : "");
    setText(this.hint, row ? hint(row) : "");
    setText(this.size, card ? fileSize(card.size_bytes) : "");
    setText(this.used, row ? useWords(row.pictures) : "");
    this.used.classList.toggle("none", !row?.pictures);
    setText(this.letters, card ? lettersOf(card.name) : "");
    setAttribute(this.element, "data-kind", card?.kind ?? "");
    this.#showPicture(card?.preview);
  }

  /** Say whether its details are on show, and whether it is the checkpoint in use. */
  mark(isOpen, isChosen) {
    setAttribute(this.open, "aria-expanded", String(isOpen));
    this.element.classList.toggle("is-chosen", isChosen);
  }

  /** Whether Tab leads to this row. */
  reach(isReached) {
    this.open.tabIndex = isReached ? 0 : -1;
  }

  focus() {
    this.open.focus({ preventScroll: true });
  }

  #showPicture(address) {
    this.image.hidden = !address;
    this.letters.hidden = Boolean(address);
    if (address) setAttribute(this.image, "src", address);
    else this.image.removeAttribute("src");
  }
}
