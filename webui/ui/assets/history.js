/** The History tab: all pictures, newest first, page by page; a click shows the recipe. */

import { AlbumChoice } from "./albums.js";
import { Details } from "./details.js";
import { button, el, setText } from "./dom.js";
import { openLightbox } from "./lightbox.js";
import { Live } from "./live.js";
import { isViewer } from "./me.js";
import { getPicture, getPictures } from "./server.js";
import { notify } from "./notices.js";
import { store } from "./store.js";
import { TrashBar } from "./trash.js";
import { moment } from "./words.js";

const SEARCH_AFTER_MS = 250;
const PAGE = 60;
const TRASH = "trash";
const MODES = [
  ["", "All"],
  ["txt2img", "txt2img"],
  ["img2img", "img2img"],
  ["inpaint", "Inpaint"],
  ["extras", "Extras"],
  [TRASH, "Trash"],
];

customElements.define(
  "gesso-history",
  class extends Live {
    build() {
      this.pictures = [];
      this.tiles = new Map();
      this.search = el("input", {
        type: "search",
        placeholder: "Search prompts",
        "aria-label": "Search prompts",
        id: "history_search",
      });
      this.filter = el(
        "select",
        { "aria-label": "Which pictures", id: "history_filter" },
        ...MODES.map(([value, text]) => el("option", { value, text })),
      );
      this.grid = el("div", {
        class: "grid",
        role: "group",
        "aria-label": "Pictures, newest first",
      });
      this.end = el("p", { class: "end", role: "status" });
      this.trash = new TrashBar(() => this.#restart());
      this.details = new Details(
        () => this.#choose(null),
        (picture) => openLightbox(picture, this.pictures, this),
        (picture) => this.#take(picture),
      );
      this.albums = new AlbumChoice(() => this.#showAlbum());
      this.append(
        el("div", { class: "tools" }, this.search, this.filter, ...this.albums.parts),
        this.albums.dialog,
        el(
          "div",
          { class: "columns" },
          el("div", { class: "list" }, this.trash.element, this.grid, this.end),
          this.details.element,
        ),
      );
      this.search.addEventListener("input", () => this.#searchSoon());
      this.filter.addEventListener("change", () => this.#restart());
      this.grid.addEventListener("keydown", (event) => this.#onKey(event));
      document.addEventListener("gesso:trashed", (event) => {
        if (this.#isTrash) this.#restart();
        else this.#drop(event.detail);
      });
      document.addEventListener("gesso:untrashed", () => this.#restart());
      new IntersectionObserver((seen) => seen.some((s) => s.isIntersecting) && this.#more(), {
        rootMargin: "600px",
      }).observe(this.end);
    }

    update() {
      const newest = newestKnown();
      if (newest <= (this.newest ?? 0)) return;
      this.newest = newest;
      if (this.loaded && !this.albums.current && !this.#isTrash) this.#addNewest();
    }

    choose(id) {
      this.#choose(this.pictures.find((picture) => picture.id === id) ?? null);
    }

    #searchSoon() {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.#restart(), SEARCH_AFTER_MS);
    }

    #showAlbum() {
      this.search.hidden = this.filter.hidden = this.albums.current !== null;
      this.details.setAlbum(this.albums.current);
      this.#choose(null);
      this.#restart();
    }

    get #isTrash() {
      return this.filter.value === TRASH && !this.albums.current;
    }

    #restart() {
      this.trash.show(this.#isTrash);
      this.next = undefined;
      this.loading = null;
      this.#more(true);
    }

    /** Put what was made since then in front; the rest stays where it was scrolled to. */
    async #addNewest() {
      const page = await getPictures(this.#query()).catch(() => null);
      if (!page) return;
      const here = new Set(this.pictures.map((picture) => picture.id));
      const added = page.pictures.filter((picture) => !here.has(picture.id));
      this.pictures = [...added, ...this.pictures];
      this.#draw();
    }

    #query() {
      const chosen = this.#isTrash ? { trashed: true } : { mode: this.filter.value };
      return { limit: PAGE, search: this.search.value, ...chosen };
    }

    /** Load one page more; with `fresh` the first page, which replaces what is shown. */
    async #more(fresh = false) {
      if (this.loading || (!fresh && this.next === null)) return;
      const query = this.#query();
      if (!fresh && this.next) query.before = this.next;
      const page = this.albums.current
        ? this.albums.page(PAGE, query.before)
        : getPictures(query);
      const mine = (this.loading = page);
      try {
        const { pictures: found, next } = await mine;
        if (this.loading !== mine) return;
        const pictures = found.map((picture) => ({ ...picture, isTrashed: this.#isTrash }));
        this.pictures = fresh || !this.loaded ? pictures : [...this.pictures, ...pictures];
        this.next = next;
        const isFirst = !this.loaded;
        this.loaded = true;
        this.#draw();
        if (isFirst) this.albums.begin().catch(() => {});
      } catch (error) {
        setText(this.end, error.message);
      } finally {
        if (this.loading === mine) this.loading = null;
      }
    }

    #draw() {
      this.grid.replaceChildren(...this.pictures.map((picture) => this.#tile(picture)));
      const none = this.#noneWords();
      setText(this.end, this.pictures.length ? (this.next ? "" : "That is all.") : none);
    }

    #noneWords() {
      const album = this.albums.current;
      if (album && !album.is_mine) return "This album is empty.";
      if (album) return "This album is empty. Choose a picture of yours and add it.";
      if (this.#isTrash && !this.search.value) return "Nothing was deleted.";
      if (this.search.value || this.filter.value) return "Nothing found.";
      if (isViewer()) return this.albums.noneWords();
      return "Nothing made yet. Your pictures will be kept here.";
    }

    #tile(picture) {
      let tile = this.tiles.get(picture.id);
      if (!tile) {
        const words = picture.prompt || "no prompt";
        const label = picture.created_at ? `${words}, ${moment(picture.created_at)}` : words;
        tile = button("", () => this.choose(picture.id), {
          class: "tile",
          "aria-label": label,
          title: picture.prompt,
        });
        tile.append(el("img", { src: picture.thumbnail, alt: "", loading: "lazy" }));
        this.tiles.set(picture.id, tile);
      }
      return tile;
    }

    #choose(picture) {
      this.chosen = picture;
      for (const [id, tile] of this.tiles)
        tile.setAttribute("aria-current", String(id === picture?.id));
      if (picture?.isPartial) this.#showWhole(picture);
      else this.details.show(picture);
    }

    /** An album's list tells little of a picture; its details need all. */
    async #showWhole(picture) {
      try {
        const whole = await getPicture(picture.id);
        if (this.chosen === picture) this.details.show(whole);
      } catch (error) {
        notify(error.message, { tone: "bad" });
      }
    }

    /** It was taken out of the album, or trash, on show. */
    #take(picture) {
      this.#drop(picture);
      this.albums.load().catch(() => {});
    }

    #drop(picture) {
      this.pictures = this.pictures.filter((other) => other.id !== picture.id);
      if (this.chosen?.id === picture.id) this.#choose(null);
      this.#draw();
    }

    #onKey(event) {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      const at = this.pictures.findIndex((picture) => this.tiles.get(picture.id) === event.target);
      const next = step && at >= 0 && this.pictures[at + step];
      if (!next) return;
      event.preventDefault();
      this.tiles.get(next.id).focus();
      this.#choose(next);
    }
  },
);

/** When the newest picture that this page knows of was made. */
function newestKnown() {
  const pictures = [...store.jobs.values()].flatMap((job) => job.pictures);
  return Math.max(0, ...pictures.map((picture) => picture.created_at));
}
