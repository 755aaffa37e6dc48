/** The recipe and the actions of one picture of the History. */

import { actionsFor } from "./actions.js";
import { button, el, setText } from "./dom.js";
import { notify } from "./notices.js";
import { copyText } from "./recipe.js";
import { getPicture } from "./server.js";
import { moment } from "./words.js";

export class Details {
  constructor(onClose, onEnlarge) {
    this.image = el("img", { alt: "" });
    const open = button("", () => onEnlarge(this.picture), {
      class: "picture",
      "aria-label": "Enlarge the picture",
    });
    open.append(this.image);
    this.when = el("p", { class: "when" });
    this.text = el("pre", {
      class: "infotext",
      role: "region",
      tabindex: "0",
      "aria-label": "Recipe",
    });
    const copy = button("Copy recipe", () => copyText(this.text.textContent), {
      class: "gesso-button",
    });
    const close = button("✕", onClose, {
      class: "gesso-icon close",
      "aria-label": "Close the details",
    });
    this.actions = actionsFor("history", () => this.picture, null);
    this.element = el(
      "aside",
      { class: "details", "aria-label": "Details", hidden: true },
      close,
      open,
      this.when,
      this.actions.element,
      this.text,
      copy,
    );
  }

  async show(picture) {
    this.picture = picture;
    this.element.hidden = !picture;
    this.actions.show(picture);
    if (!picture) return;
    this.image.src = picture.url;
    this.image.alt = picture.prompt || "Picture without a prompt";
    setText(
      this.when,
      `${moment(picture.created_at)} · ${picture.width}×${picture.height} · ${picture.name}`,
    );
    setText(this.text, "");
    try {
      const full = await getPicture(picture.id);
      if (this.picture === picture) setText(this.text, full.infotext);
    } catch (error) {
      notify(error.message, { tone: "bad" });
    }
  }
}
