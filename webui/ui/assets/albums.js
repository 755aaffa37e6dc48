/** Which pictures the History shows: all of one's own, or an album; and what can be done with it. */

import { button, el } from "./dom.js";
import { AlbumEditor } from "./albums_editor.js";
import { isViewer, me } from "./me.js";
import { getAlbum, getAlbums } from "./server.js";

const ALL = "";

export class AlbumChoice {
  /** `onChange` is called when another one was chosen, or what it holds has changed. */
  constructor(onChange) {
    this.onChange = onChange;
    this.albums = [];
    this.isLoaded = false;
    this.select = el("select", { "aria-label": "Pictures of", id: "history_album" });
    this.select.addEventListener("change", () => this.#chosen());
    this.edit = button("Share…", () => this.editor.open(this.current), {
      id: "history_album_edit",
      title: "Share, rename or remove this album",
    });
    this.make = button("New album", () => this.editor.open(null), { id: "history_album_new" });
    this.editor = new AlbumEditor(
      (album) => this.#changed(album),
      () => this.#changed(null),
    );
    this.parts = [this.select, this.edit, this.make];
    this.#draw();
    document.addEventListener("gesso:albums", () => this.load().catch(() => {}));
  }

  get current() {
    return this.albums.find((album) => album.id === this.select.value) ?? null;
  }

  get dialog() {
    return this.editor.dialog;
  }

  /** Load them for the first time. Who only looks is shown the first that is shared with them. */
  async begin() {
    await Promise.all([this.load(), me()]);
    const first = this.albums.find((album) => !album.is_mine);
    if (!isViewer()) return;
    if (first) this.select.value = first.id;
    this.#chosen();
  }

  async load() {
    this.albums = await getAlbums();
    this.isLoaded = true;
    this.#draw();
  }

  /** What to tell who only looks, where they have no pictures of their own. */
  noneWords() {
    if (!this.isLoaded) return "";
    if (!this.albums.length) return "Nothing is shared with you yet.";
    return "You have no pictures of your own. Choose an album.";
  }

  /** A page of the album's pictures, as the History's own pages are; `before` is an offset. */
  async page(limit, before) {
    const { album, pictures, next } = await getAlbum(this.current.id, { limit, offset: before ?? 0 });
    const shown = album.is_mine ? pictures.map(own) : pictures.map(foreign);
    return { pictures: shown, next };
  }

  #chosen() {
    this.#draw();
    this.onChange();
  }

  async #changed(album) {
    await this.load();
    this.select.value = album?.id ?? ALL;
    this.#chosen();
  }

  #draw() {
    const chosen = this.select.value;
    const mine = this.albums.filter((album) => album.is_mine);
    const others = this.albums.filter((album) => !album.is_mine);
    this.select.replaceChildren(
      el("option", { value: ALL, text: "All my pictures" }),
      ...group("My albums", mine),
      ...group("Shared with the team", others),
    );
    this.select.value = this.albums.some((album) => album.id === chosen) ? chosen : ALL;
    this.edit.hidden = !this.current?.is_mine;
  }
}

function group(label, albums) {
  if (!albums.length) return [];
  const options = albums.map(({ id, title, pictures }) =>
    el("option", { value: id, text: `${title} (${pictures})` }),
  );
  return [el("optgroup", { label }, ...options)];
}

/** One of one's own, with the addresses that it has outside the album, too. */
const own = (picture) => ({
  ...picture,
  url: `/pictures/${encodeURIComponent(picture.id)}`,
  thumbnail: `/pictures/${encodeURIComponent(picture.id)}/thumbnail`,
  isPartial: true,
});

/** Somebody else's: it can be looked at and saved. */
const foreign = (picture) => ({ ...picture, name: `${picture.id}.png`, isForeign: true });
