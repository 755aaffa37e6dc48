/** An album's title, who may look, and the links to it: a dialog over the page. */

import { button, el, setText } from "./dom.js";
import { actTwice } from "./lines.js";
import {
  deleteAlbum,
  deleteLink,
  getLinks,
  postAlbum,
  postLink,
  putAlbum,
} from "./server.js";
import { moment } from "./words.js";

const DAYS = [
  [1, "1 day"],
  [7, "1 week"],
  [30, "30 days"],
  [365, "1 year"],
];
const LOCAL = ["localhost", "127.0.0.1", "[::1]"];

export class AlbumEditor {
  /** `onSaved(album)` and `onRemoved()` are called after each change. */
  constructor(onSaved, onRemoved) {
    Object.assign(this, { onSaved, onRemoved });
    this.heading = el("h2", {});
    this.title = el("input", { maxlength: "100", required: true, id: "album_title" });
    this.team = el("input", { type: "checkbox", id: "album_team" });
    this.recipes = el("input", { type: "checkbox", id: "album_recipes" });
    this.fault = el("p", { class: "fault", role: "alert" });
    const remove = () => this.#guarded(() => this.#remove());
    this.remove = actTwice("Remove album", "Really remove?", remove, {
      title: "The pictures stay in your history",
    });
    this.sharing = el("fieldset", { class: "links" }, el("legend", { text: "Links" }));
    this.#buildLinks();
    this.dialog = el("dialog", { class: "card-editor album" }, this.#form());
    this.dialog.addEventListener("click", (event) => {
      if (event.target === this.dialog) this.dialog.close();
    });
  }

  /** Show an album, or with null begin a new one. */
  open(album) {
    this.album = album;
    setText(this.heading, album ? "Share this album" : "New album");
    this.title.value = album?.title ?? "";
    this.team.checked = album?.is_for_team ?? false;
    this.recipes.checked = album?.shows_recipes ?? false;
    this.sharing.hidden = this.remove.hidden = !album;
    this.made.hidden = true;
    setText(this.fault, "");
    if (album) this.#guarded(() => this.#listLinks());
    this.dialog.showModal();
    this.title.focus();
  }

  #form() {
    const save = el("button", { type: "submit", text: "Save", class: "gesso-button main" });
    const form = el(
      "form",
      { method: "dialog" },
      this.heading,
      row("Title", this.title),
      check(this.team, "Everyone in the team may look at it"),
      check(this.recipes, "Show prompts and settings, too"),
      this.sharing,
      this.fault,
      el(
        "div",
        { class: "buttons" },
        this.remove,
        button("Cancel", () => this.dialog.close(), { class: "gesso-button" }),
        save,
      ),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#guarded(() => this.#save());
    });
    return form;
  }

  #buildLinks() {
    this.days = el(
      "select",
      { "aria-label": "The link is good for", id: "album_link_days" },
      ...DAYS.map(([value, text]) => el("option", { value, text })),
    );
    this.days.value = "7";
    this.address = el("input", { readonly: true, "aria-label": "Link", id: "album_link" });
    this.address.addEventListener("focus", () => this.address.select());
    this.hint = el("p", { class: "facts" });
    this.made = el("div", { class: "made", hidden: true }, this.address, this.hint);
    this.list = el("ul", {});
    const make = button("Make a link", () => this.#guarded(() => this.#makeLink()), {
      class: "gesso-button",
      id: "album_link_make",
    });
    this.sharing.append(
      el("p", { class: "facts", text: "A link shows the album to whoever has it, without an account." }),
      el("div", { class: "make" }, this.days, make),
      this.made,
      this.list,
    );
  }

  async #save() {
    const wish = {
      title: this.title.value.trim(),
      is_for_team: this.team.checked,
      shows_recipes: this.recipes.checked,
    };
    const saved = this.album ? await putAlbum(this.album.id, wish) : await postAlbum(wish);
    this.dialog.close();
    this.onSaved(saved);
  }

  async #remove() {
    await deleteAlbum(this.album.id);
    this.dialog.close();
    this.onRemoved();
  }

  async #makeLink() {
    const { path } = await postLink(this.album.id, Number(this.days.value));
    this.address.value = location.origin + path;
    const isLocal = LOCAL.includes(location.hostname);
    setText(
      this.hint,
      isLocal
        ? "It works on this machine only. Open the studio by its address in the network and make the link there."
        : "Copy it now: it is not shown again.",
    );
    this.made.hidden = false;
    this.address.focus();
    await this.#listLinks();
  }

  async #listLinks() {
    const links = await getLinks(this.album.id);
    this.list.replaceChildren(...links.map((link) => this.#line(link)));
  }

  #line(link) {
    const words = `Made ${moment(link.created_at)}, good until ${moment(link.expires_at)}`;
    const revoke = button("Revoke", () => this.#guarded(() => this.#revoke(link)), {
      class: "gesso-button",
      "aria-label": `Revoke the link made ${moment(link.created_at)}`,
    });
    return el("li", {}, el("span", { text: words }), revoke);
  }

  async #revoke(link) {
    await deleteLink(this.album.id, link.id);
    this.made.hidden = true;
    await this.#listLinks();
  }

  async #guarded(run) {
    setText(this.fault, "");
    try {
      await run();
    } catch (error) {
      setText(this.fault, error.message);
    }
  }
}

const row = (label, input) => el("label", {}, el("span", { text: label }), input);

const check = (input, label) => el("label", { class: "check" }, input, el("span", { text: label }));
