/** The browser of networks: a button beside Generate opens it below the prompts of its tab. */

import { CardEditor } from "./cards_edit.js";
import { Folders } from "./cards_folders.js";
import { CardList } from "./cards_list.js";
import { isUsed, withCard, withoutCard } from "./cards_prompt.js";
import { Tile } from "./cards_tile.js";
import { chooseCheckpoint, chosenCheckpoint } from "./checkpoint.js";
import { button, el, inputOf, setAttribute, setText, type } from "./dom.js";
import { openLayer } from "./layers.js";
import { notify } from "./notices.js";
import { getCards, refreshModels } from "./server.js";

const SEARCH_AFTER_MS = 200;
const LOOK_MS = 400; // Gradio fills prompts without telling anybody
const KINDS = [
  ["lora", "LoRA"],
  ["embedding", "Embeddings"],
  ["checkpoint", "Checkpoints"],
];
const PLACES = { lora: "models/Lora", embedding: "models/embeddings", checkpoint: "models" };
const SORTS = [
  ["name", "By name"],
  ["path", "By folder"],
  ["created", "Newest first"],
  ["modified", "Last changed first"],
];

customElements.define(
  "gesso-cards-button",
  class extends HTMLElement {
    connectedCallback() {
      const mode = this.getAttribute("mode");
      this.button ??= button("", () => panelOf(mode)?.toggle(), {
        id: `${mode}_extra_networks`,
        "aria-expanded": "false",
        title: "LoRA, embeddings and checkpoints",
      });
      if (!this.button.firstChild) {
        this.button.append(el("span", { class: "sheets" }), el("span", { text: "Networks" }));
        this.append(this.button);
      }
    }
  },
);

/** Which prompt of each tab was written in last: embeddings go there. */
const lastWritten = new Map();

document.addEventListener("focusin", ({ target }) => {
  const found = /^(\w+?)_(neg_)?prompt$/.exec(target.closest?.(".block")?.id ?? "");
  if (found) lastWritten.set(found[1], found[2] ? "negative" : "prompt");
});

const panelOf = (mode) => document.querySelector(`gesso-cards[mode="${mode}"]`);

customElements.define(
  "gesso-cards",
  class extends HTMLElement {
    connectedCallback() {
      this.mode = this.getAttribute("mode");
      if (!this.list) this.hidden = true;
    }

    /** Open or close it. */
    toggle() {
      if (!this.list) this.#build();
      const hadFocus = this.contains(document.activeElement);
      this.hidden = !this.hidden;
      const opener = document.getElementById(`${this.mode}_extra_networks`);
      setAttribute(opener, "aria-expanded", String(!this.hidden));
      clearInterval(this.timer);
      this.closed?.();
      if (this.hidden) return hadFocus && opener.focus();
      this.closed = openLayer(this, (event) => this.#onEscape(event));
      this.timer = setInterval(() => this.#look(), LOOK_MS);
      this.restart();
      // With a finger, the focus would bring the keyboard up over the cards.
      if (matchMedia("(hover: hover)").matches) this.search.focus({ preventScroll: true });
    }

    #build() {
      this.kind = "lora";
      this.folder = "";
      this.list = new CardList({
        ask: (offset, limit) => getCards({ ...this.#query(), offset, limit }),
        makeTile: () => new Tile({ onUse: (card) => this.#use(card), onEdit: (card) => this.#edit(card) }),
        onFault: (error) => setText(this.words, error.message),
        label: "Cards",
      });
      this.folders = new Folders((path) => this.#open(path));
      this.words = el("p", { class: "found", role: "status" });
      this.editor = new CardEditor({
        mode: this.mode,
        onChange: (card) => this.#changed(card),
        pictureOnShow: () => document.querySelector(`gesso-results[mode="${this.mode}"]`)?.picture,
      });
      this.append(this.#tools(), this.folders.element, this.list.element, this.words);
      this.append(this.editor.dialog);
      this.setAttribute("role", "region");
      this.setAttribute("aria-label", "Networks");
    }

    #tools() {
      const kinds = KINDS.map(([kind, text]) =>
        button(text, () => this.#showKind(kind), { class: "gesso-chip", "data-kind": kind }),
      );
      this.kinds = el("div", { class: "kinds", role: "group", "aria-label": "Kind" }, ...kinds);
      this.search = el("input", {
        type: "search",
        placeholder: "Search names and notes",
        "aria-label": "Search names and notes",
        id: `${this.mode}_extra_search`,
        on: { input: () => this.#searchSoon() },
      });
      this.sort = el(
        "select",
        { "aria-label": "Order", on: { change: () => this.restart() } },
        ...SORTS.map(([value, text]) => el("option", { value, text })),
      );
      this.fitting = el("input", { type: "checkbox", on: { change: () => this.restart() } });
      this.only = el("label", { class: "only" }, this.fitting, el("span", { text: "Only fitting" }));
      this.only.title = "Hide what was made for another family than the checkpoint";
      const again = button("Refresh", () => this.#refresh(), { class: "gesso-button" });
      const close = button("✕", () => this.toggle(), { class: "gesso-icon", "aria-label": "Close" });
      return el(
        "div",
        { class: "tools" },
        ...[this.kinds, this.search, this.sort, this.only, again, close],
      );
    }

    /** Ask anew for what the controls say. */
    async restart() {
      for (const chip of this.kinds.children) {
        setAttribute(chip, "aria-pressed", String(chip.dataset.kind === this.kind));
      }
      this.only.hidden = this.kind === "checkpoint";
      this.checkpoint = chosenCheckpoint();
      try {
        const page = await this.list.restart();
        if (page) this.#found(page);
      } catch (error) {
        setText(this.words, error.message);
      }
    }

    #found({ total, folders }) {
      this.folders.show(folders, this.folder);
      this.list.element.hidden = total === 0;
      const isAsked = this.search.value || this.folder || this.fitting.checked;
      const none = isAsked
        ? "Nothing found."
        : `Nothing here yet. Put files into ${PLACES[this.kind]} and press Refresh.`;
      setText(this.words, total ? `${total.toLocaleString()} found` : none);
      this.words.classList.toggle("sr-only", total > 0);
      this.#mark();
    }

    #query() {
      return {
        kind: this.kind,
        search: this.search.value.trim(),
        folder: this.folder,
        sort: this.sort.value,
        checkpoint: this.checkpoint,
        only_fitting: this.kind !== "checkpoint" && this.fitting.checked,
      };
    }

    #showKind(kind) {
      Object.assign(this, { kind, folder: "" });
      this.restart();
    }

    #open(folder) {
      this.folder = folder;
      this.restart();
    }

    #searchSoon() {
      clearTimeout(this.searchTimer);
      this.searchTimer = setTimeout(() => this.restart(), SEARCH_AFTER_MS);
    }

    async #refresh() {
      try {
        await refreshModels();
      } catch (error) {
        notify(error.message, { tone: "bad" });
      }
      await this.restart();
    }

    /** Put a card into the prompts, or take it out; a checkpoint becomes the chosen one. */
    #use(card) {
      if (card.kind === "checkpoint") return chooseCheckpoint(card.id);
      const before = this.#prompts();
      const after = isUsed(card, before)
        ? withoutCard(card, before)
        : withCard(card, before, lastWritten.get(this.mode) === "negative");
      for (const part of ["prompt", "negative"]) {
        if (after[part] !== before[part]) type(this.#box(part), after[part]);
      }
      this.#mark();
    }

    #edit(card) {
      if (!card.is_editable) return notify("The starter model belongs to the program. It has no notes.");
      this.editor.open(card, this.checkpoint);
    }

    #changed(card) {
      this.list.replace(card);
      this.#mark();
    }

    #box(part) {
      return inputOf(part === "prompt" ? `${this.mode}_prompt` : `${this.mode}_neg_prompt`);
    }

    #prompts() {
      return { prompt: this.#box("prompt").value, negative: this.#box("negative").value };
    }

    /** Show which cards are in use. */
    #mark() {
      const prompts = this.#prompts();
      const chosen = chosenCheckpoint();
      for (const [card, tile] of this.list.shown()) {
        tile.press(card.kind === "checkpoint" ? card.id === chosen : isUsed(card, prompts));
      }
    }

    #look() {
      if (document.hidden || !this.isConnected) return;
      if (chosenCheckpoint() !== this.checkpoint && this.kind !== "checkpoint") this.restart();
      else this.#mark();
    }

    #onEscape({ target }) {
      if (this.search.value && target === this.search) {
        this.search.value = "";
        this.restart();
      } else this.toggle();
    }
  },
);
