/**
 * A list of cards of any length. Only those in sight are in the page, and only the pages of the
 * list that are in sight are asked for.
 */

import { el } from "./dom.js";

const PAGE = 60;
const LEAST_PX = 132;
const LEAST_ON_A_PHONE_PX = 100;
const PHONE_PX = 500;
const GAP_PX = 10;
const WORDS_PX = 46; // the name below the picture
const SPARE_ROWS = 2;
const REST_MS = 90; // pages that fly past while scrolling are not asked for

export class CardList {
  #tiles = new Map(); // place in the list -> tile on show
  #pages = new Map(); // page number -> its cards, or null while on the way
  #active = 0; // the place that Tab leads to
  #generation = 0;
  #timer = 0;

  /**
   * `ask(offset, limit)` promises `{cards, total}`; `makeTile()` gives an empty tile; `onDraw()` is
   * called when others are on show. With `rowPx(width)`, the height of one, each has a line of its own.
   */
  constructor({ ask, makeTile, onFault, label, rowPx = null, onDraw = () => {} }) {
    Object.assign(this, { ask, makeTile, onFault, rowPx, onDraw, total: 0, columns: 1, row: 1 });
    this.gap = rowPx ? 0 : GAP_PX;
    this.list = el("div", { role: "list", class: "cards-list", "aria-label": label });
    this.element = el("div", { class: "cards-view" }, this.list);
    this.element.addEventListener("scroll", () => this.#show(), { passive: true });
    this.element.addEventListener("keydown", (event) => this.#onKey(event));
    this.element.addEventListener("focusin", (event) => this.#onFocus(event));
    new ResizeObserver(() => this.#measure()).observe(this.element);
  }

  /** Show a list anew from its beginning; what the first page said. */
  async restart() {
    const mine = ++this.#generation;
    const page = await this.ask(0, PAGE);
    if (mine !== this.#generation) return null;
    this.#clear();
    this.#pages.set(0, page.cards);
    this.total = page.total;
    this.element.scrollTop = 0;
    this.#measure();
    return page;
  }

  /** Show the list as it is now, where it is scrolled to; what its first page said. */
  async refresh() {
    const mine = ++this.#generation;
    const page = await this.ask(0, PAGE);
    if (mine !== this.#generation) return null;
    this.#pages.clear();
    this.#pages.set(0, page.cards);
    this.total = page.total;
    this.#measure();
    for (const [place, tile] of this.#tiles) if (place < PAGE) tile.show(this.#card(place));
    this.onDraw();
    return page;
  }

  /** Show a card as it is now. */
  replace(card) {
    for (const cards of this.#pages.values()) {
      const at = cards?.findIndex((other) => other.id === card.id) ?? -1;
      if (at >= 0) cards[at] = card;
    }
    for (const [place, tile] of this.#tiles) if (this.#card(place)?.id === card.id) tile.show(card);
  }

  /** Every tile on show that has its card. */
  *shown() {
    for (const [place, tile] of this.#tiles) {
      const card = this.#card(place);
      if (card) yield [card, tile];
    }
  }

  #clear() {
    for (const tile of this.#tiles.values()) tile.element.remove();
    this.#tiles.clear();
    this.#pages.clear();
    this.#active = 0;
  }

  #card(place) {
    return this.#pages.get(Math.floor(place / PAGE))?.[place % PAGE];
  }

  #measure() {
    const width = this.list.clientWidth;
    if (!width) return;
    const least = width < PHONE_PX ? LEAST_ON_A_PHONE_PX : LEAST_PX;
    const columns = Math.max(2, Math.floor((width + this.gap) / (least + this.gap)));
    this.columns = this.rowPx ? 1 : columns;
    this.width = (width - this.gap * (this.columns - 1)) / this.columns;
    this.row = this.rowPx ? this.rowPx(width) : this.width + WORDS_PX + this.gap;
    const rows = Math.ceil(this.total / this.columns);
    this.list.style.height = `${Math.max(0, rows * this.row - this.gap)}px`;
    for (const [place, tile] of this.#tiles) this.#place(tile, place);
    this.#show();
  }

  #show() {
    const { scrollTop, clientHeight } = this.element;
    if (!clientHeight) return;
    const first = Math.max(0, Math.floor(scrollTop / this.row) - SPARE_ROWS) * this.columns;
    const rows = Math.ceil(clientHeight / this.row) + 1 + 2 * SPARE_ROWS;
    const end = Math.min(this.total, first + rows * this.columns);
    for (const [place, tile] of this.#tiles) {
      if (place >= first && place < end) continue;
      if (tile.element.contains(document.activeElement)) continue; // the focus would be lost
      tile.element.remove();
      this.#tiles.delete(place);
    }
    for (let place = first; place < end; place += 1) this.#tile(place);
    this.#askFor(first, end);
    this.onDraw();
  }

  #tile(place) {
    let tile = this.#tiles.get(place);
    if (tile) return tile;
    tile = this.makeTile();
    this.#tiles.set(place, tile);
    tile.element.setAttribute("role", "listitem");
    tile.element.setAttribute("aria-posinset", place + 1);
    tile.element.setAttribute("aria-setsize", this.total);
    tile.element.dataset.place = place;
    tile.reach(place === this.#active);
    tile.show(this.#card(place));
    this.#place(tile, place);
    this.#insert(tile, place);
    return tile;
  }

  /** Tiles stand in the page in their order, so that Tab and screen readers go along it. */
  #insert(tile, place) {
    const later = [...this.list.children].find((other) => Number(other.dataset.place) > place);
    this.list.insertBefore(tile.element, later ?? null);
  }

  #place({ element }, place) {
    const x = (place % this.columns) * (this.width + this.gap);
    const y = Math.floor(place / this.columns) * this.row;
    element.style.width = `${this.width}px`;
    element.style.height = `${this.row - this.gap}px`;
    element.style.transform = `translate(${x}px, ${y}px)`;
  }

  #askFor(first, end) {
    const wanted = [];
    for (let page = Math.floor(first / PAGE); page * PAGE < end; page += 1) {
      if (!this.#pages.has(page)) wanted.push(page);
    }
    clearTimeout(this.#timer);
    if (wanted.length) this.#timer = setTimeout(() => wanted.forEach((page) => this.#load(page)), REST_MS);
  }

  async #load(page) {
    const mine = this.#generation;
    this.#pages.set(page, null);
    try {
      const { cards } = await this.ask(page * PAGE, PAGE);
      if (mine !== this.#generation) return;
      this.#pages.set(page, cards);
      for (const [place, tile] of this.#tiles) {
        if (Math.floor(place / PAGE) === page) tile.show(this.#card(place));
      }
      this.onDraw();
    } catch (error) {
      if (mine !== this.#generation) return;
      this.#pages.delete(page);
      this.onFault(error);
    }
  }

  #onFocus(event) {
    const element = event.target.closest("[role=listitem]");
    if (element) this.#activate(Number(element.dataset.place));
  }

  #activate(place) {
    this.#tiles.get(this.#active)?.reach(false);
    this.#active = place;
    this.#tiles.get(place)?.reach(true);
  }

  #onKey(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const screen = this.columns * Math.max(1, Math.floor(this.element.clientHeight / this.row));
    const steps = {
      ArrowLeft: -1,
      ArrowRight: 1,
      ArrowUp: -this.columns,
      ArrowDown: this.columns,
      PageUp: -screen,
      PageDown: screen,
      Home: -this.total,
      End: this.total,
    };
    if (!(event.key in steps)) return;
    event.preventDefault();
    const to = Math.min(Math.max(this.#active + steps[event.key], 0), this.total - 1);
    this.#goTo(to);
  }

  #goTo(place) {
    const top = Math.floor(place / this.columns) * this.row;
    const { scrollTop, clientHeight } = this.element;
    if (top < scrollTop) this.element.scrollTop = top;
    else if (top + this.row > scrollTop + clientHeight) {
      this.element.scrollTop = top + this.row - clientHeight;
    }
    this.#tile(place).focus();
    this.#show();
  }
}
