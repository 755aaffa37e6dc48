/** The recipe and the actions of one picture of the History. */

import { actionsFor } from "./actions.js";
import { albumPutter } from "./albums_put.js";
import { button, el, setText } from "./dom.js";
import { notify } from "./notices.js";
import { copyText } from "./recipe.js";
import { getPicture, takeFromAlbum } from "./server.js";
import { trashActions } from "./trash.js";
import { moment } from "./words.js";

export class Details {
  /** `onTaken(picture)` is called when it was taken out of the album, or trash, on show. */
  constructor(onClose, onEnlarge, onTaken) {
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
    this.putter = albumPutter(() => this.picture);
    this.take = button("Take out of the album", () => this.#take(onTaken), {
      class: "gesso-button",
      hidden: true,
    });
    this.actions.element.append(this.putter.opener, this.take);
    this.save = el("a", { class: "gesso-button", text: "Save as", download: true });
    this.foreign = el("div", { class: "foreign", hidden: true }, this.save);
    this.trashed = trashActions(() => this.picture, onTaken);
    this.copy = copy;
    this.element = el(
      "aside",
      { class: "details", "aria-label": "Details", hidden: true },
      close,
      open,
      this.when,
      this.actions.element,
      this.foreign,
      this.trashed,
      this.text,
      copy,
      this.putter.dialog,
    );
  }

  /** Which album is on show, if any. */
  setAlbum(album) {
    this.album = album;
    this.take.hidden = !album?.is_mine;
  }

  async #take(onTaken) {
    try {
      await takeFromAlbum(this.album.id, this.picture.id);
      onTaken(this.picture);
    } catch (error) {
      notify(error.message, { tone: "bad" });
    }
  }

  /** Somebody else's picture: to look at and to save. */
  #showForeign(picture) {
    setText(this.when, `${picture.width}×${picture.height}`);
    setText(this.text, picture.prompt);
    this.text.hidden = !picture.prompt;
    this.save.href = picture.url;
    this.save.download = picture.name;
  }

  async show(picture) {
    this.picture = picture;
    this.element.hidden = !picture;
    const isForeign = picture?.isForeign ?? false;
    const isTrashed = picture?.isTrashed ?? false;
    this.actions.show(isForeign || isTrashed ? null : picture);
    this.foreign.hidden = !isForeign;
    this.trashed.hidden = !isTrashed;
    this.text.hidden = false;
    this.copy.hidden = isForeign;
    if (!picture) return;
    this.image.src = picture.url;
    this.image.alt = picture.prompt || "Picture without a prompt";
    if (isForeign) return this.#showForeign(picture);
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
