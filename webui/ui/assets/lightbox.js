/** A picture by itself: large, with arrows, S to save, Esc to close. */

import { button, el, setText } from "./dom.js";
import { RecipeLine } from "./recipe.js";

customElements.define(
  "gesso-lightbox",
  class extends HTMLElement {
    connectedCallback() {
      if (this.dialog) return;
      this.image = el("img", { alt: "" });
      this.place = el("span", { class: "place" });
      this.save = el("a", { class: "gesso-button", text: "Save as", download: true });
      this.recipe = new RecipeLine();
      this.previous = button("‹", () => this.#step(-1), {
        class: "gesso-icon",
        "aria-label": "Previous picture",
      });
      this.next = button("›", () => this.#step(1), {
        class: "gesso-icon",
        "aria-label": "Next picture",
      });
      const close = button("✕", () => this.dialog.close(), {
        class: "gesso-icon",
        "aria-label": "Close",
      });
      this.dialog = el(
        "dialog",
        { class: "lightbox", "aria-label": "Picture" },
        el("div", { class: "bar" }, this.place, this.save, close),
        el("div", { class: "view" }, this.previous, this.image, this.next),
        this.recipe.element,
      );
      this.dialog.addEventListener("keydown", (event) => this.#onKey(event));
      this.dialog.addEventListener("click", (event) => {
        if (event.target === this.dialog || event.target.matches(".view")) this.dialog.close();
      });
      this.dialog.addEventListener("close", () => this.#closed());
      this.append(this.dialog);
    }

    open(picture, pictures, owner) {
      Object.assign(this, { pictures, owner });
      this.#show(picture);
      if (!this.dialog.open) this.dialog.showModal();
    }

    #show(picture) {
      this.picture = picture;
      const at = this.pictures.findIndex((other) => other.id === picture.id);
      this.image.src = picture.url;
      this.image.alt = picture.prompt || "Picture without a prompt";
      setText(this.place, `${at + 1} of ${this.pictures.length}`);
      this.previous.disabled = at <= 0;
      this.next.disabled = at >= this.pictures.length - 1;
      this.save.href = `${picture.url}?download=1`;
      this.save.download = picture.name;
      this.recipe.element.hidden = Boolean(picture.isForeign);
      if (!picture.isForeign) this.recipe.show(picture);
    }

    #step(by) {
      const at = this.pictures.findIndex((other) => other.id === this.picture.id);
      const next = this.pictures[at + by];
      if (next) this.#show(next);
    }

    #onKey(event) {
      if (event.ctrlKey || event.altKey || event.metaKey) return;
      if (event.key === "ArrowLeft") this.#step(-1);
      else if (event.key === "ArrowRight") this.#step(1);
      else if (event.key.toLowerCase() === "s") this.save.click();
      else return;
      event.preventDefault();
    }

    #closed() {
      this.owner?.choose?.(this.picture.id);
    }
  },
);

/** Open it on a picture; arrows step through `pictures`, `owner` is told where it was closed. */
export function openLightbox(picture, pictures, owner) {
  document.querySelector("gesso-lightbox")?.open(picture, pictures, owner);
}
