/** A picture over the one it was made from, with a slider between them. */

import { el } from "./dom.js";
import { setShape } from "./shape.js";

export class Compare {
  isOpen = false;

  constructor() {
    this.before = el("img", { alt: "Before", class: "before" });
    this.after = el("img", { alt: "After", class: "after" });
    this.slider = el("input", {
      type: "range",
      min: 0,
      max: 100,
      value: 50,
      "aria-label": "Before and after",
      on: { input: () => this.#cut() },
    });
    this.element = el(
      "div",
      { class: "compare", hidden: true },
      this.before,
      this.after,
      this.slider,
    );
  }

  toggle(picture, sourceUrl) {
    this.isOpen = !this.isOpen;
    this.element.hidden = !this.isOpen;
    if (!this.isOpen) return;
    this.of = picture.id;
    this.before.src = sourceUrl;
    this.after.src = picture.url;
    setShape(this.element, picture);
    this.#cut();
    this.slider.focus();
  }

  /** Close when another picture is shown. */
  leave(picture) {
    if (!this.isOpen || picture?.id === this.of) return;
    this.isOpen = false;
    this.element.hidden = true;
  }

  #cut() {
    this.element.style.setProperty("--cut", `${this.slider.value}%`);
  }
}
