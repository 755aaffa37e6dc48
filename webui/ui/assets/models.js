/** The Models tab: all files in one table that can be searched, with the details of one of them. */

import { CardEditor } from "./cards_edit.js";
import { CardList } from "./cards_list.js";
import { chosenCheckpoint } from "./checkpoint.js";
import { button, el, setText } from "./dom.js";
import { ModelDownloads } from "./downloads.js";
import { ModelDetails } from "./models_details.js";
import { ModelProblems } from "./models_problems.js";
import { ModelRow } from "./models_row.js";
import { ModelWork } from "./models_work.js";
import { KINDS, ONLY, ORDERS, models } from "./models_words.js";
import { notify } from "./notices.js";
import { getModelRow, getModelTable, refreshModels, releaseModels } from "./server.js";
import { fileSize } from "./words.js";

const SEARCH_AFTER_MS = 200;
const ROW_PX = 64;
const ROW_ON_A_PHONE_PX = 84;
const PHONE_PX = 640;

customElements.define(
  "gesso-models",
  class extends HTMLElement {
    connectedCallback() {
      if (!this.list) this.#build();
      this.restart();
      this.work.follow();
    }

    #build() {
      this.kind = "";
      this.list = new CardList({
        ask: (offset, limit) => this.#ask(offset, limit),
        makeTile: () => new ModelRow({ onOpen: (row) => this.#open(row) }),
        onFault: (error) => setText(this.words, error.message),
        onDraw: () => this.#mark(),
        rowPx: (width) => (width < PHONE_PX ? ROW_ON_A_PHONE_PX : ROW_PX),
        label: "Models",
      });
      this.words = el("p", { class: "found", role: "status" });
      this.details = new ModelDetails({
        onClose: () => this.#close(),
        onEdit: (card) => this.editor.open(card, chosenCheckpoint()),
        onChosen: () => this.#mark(),
      });
      this.editor = new CardEditor({
        mode: "models",
        onChange: (card) => this.#changed(card),
        pictureOnShow: () => document.querySelector('gesso-results[mode="txt2img"]')?.picture,
      });
      this.work = new ModelWork({ onChange: () => this.#follow() });
      this.problems = new ModelProblems();
      this.downloads = new ModelDownloads({ onDone: () => this.work.follow() });
      this.append(
        this.#tools(),
        this.downloads.element,
        el(
          "div",
          { class: "columns" },
          el(
            "div",
            { class: "list" },
            ...[this.words, this.list.element, this.work.element, this.problems.element],
          ),
          this.details.element,
        ),
        this.editor.dialog,
      );
      this.addEventListener("keydown", (event) => this.#onKey(event));
    }

    #tools() {
      this.search = el("input", {
        type: "search",
        id: "models_search",
        placeholder: "Search names, notes, families, hashes",
        "aria-label": "Search models",
        on: { input: () => this.#searchSoon() },
      });
      this.kinds = el("div", { class: "kinds", role: "group", "aria-label": "Kind" });
      this.families = this.#choice("Family", [["", "All families"]]);
      this.only = this.#choice("Show", ONLY);
      this.order = this.#choice("Order", ORDERS);
      const again = button("Refresh", () => this.#refresh(), {
        class: "gesso-button",
        title: "Look again at what lies in the folders of models",
      });
      const free = button("Free memory", releaseMemory, {
        class: "gesso-button",
        title: "Give the memory that models take back to other programs; the next picture loads its model again",
      });
      const choices = el("div", { class: "choices" }, this.families, this.only, this.order, again, free);
      return el("div", { class: "tools" }, this.search, choices, this.kinds);
    }

    #choice(label, options) {
      const change = () => this.restart();
      return el("select", { "aria-label": label, on: { change } }, ...optionsOf(options));
    }

    /** Ask anew for what the controls say. */
    async restart() {
      try {
        const page = await this.list.restart();
        if (page) this.#found(page);
      } catch (error) {
        setText(this.words, error.message);
      }
      this.problems.restart();
    }

    async #ask(offset, limit) {
      const page = await getModelTable({ ...this.#query(), offset, limit });
      return { ...page, cards: page.rows.map((row) => ({ ...row, id: row.card.id })) };
    }

    #query() {
      return {
        search: this.search.value.trim(),
        kind: this.kind,
        family: this.families.value,
        only: this.only.value,
        order: this.order.value,
      };
    }

    #found(page) {
      this.#showKinds(page.kinds);
      this.#showFamilies(page.families);
      const none = this.#isAsked()
        ? "Nothing found."
        : "No models yet. Put files into the models folder and press Refresh.";
      const words = `${models(page.total)} · ${fileSize(page.total_bytes)}`;
      setText(this.words, page.total ? words : none);
      this.list.element.hidden = !page.total;
      this.#mark();
    }

    #isAsked() {
      const { search, kind, family, only } = this.#query();
      return Boolean(search || kind || family || only);
    }

    #showKinds(counts) {
      const all = Object.values(counts).reduce((sum, count) => sum + count, 0);
      const here = Object.keys(KINDS).filter((kind) => counts[kind] || kind === this.kind);
      const chips = [["", "All", all], ...here.map((kind) => [kind, KINDS[kind][1], counts[kind] ?? 0])];
      const focused = document.activeElement?.dataset?.kind;
      const isInside = this.kinds.contains(document.activeElement);
      this.kinds.replaceChildren(...chips.map(([kind, text, count]) => this.#chip(kind, text, count)));
      if (isInside) this.kinds.querySelector(`[data-kind="${focused}"]`)?.focus();
    }

    #chip(kind, text, count) {
      const chip = button(text, () => this.#showKind(kind), {
        class: "gesso-chip",
        "data-kind": kind,
        "aria-pressed": String(kind === this.kind),
      });
      chip.append(el("span", { class: "when", text: count.toLocaleString() }));
      return chip;
    }

    #showKind(kind) {
      this.kind = kind;
      this.families.value = "";
      this.restart();
    }

    #showFamilies(families) {
      const chosen = this.families.value;
      const options = [["", "All families"], ...families.map(({ id, label, count }) => [id, `${label} (${count})`])];
      if (chosen && !families.some(({ id }) => id === chosen)) options.push([chosen, chosen]);
      this.families.replaceChildren(...optionsOf(options));
      this.families.value = chosen;
    }

    #searchSoon() {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.restart(), SEARCH_AFTER_MS);
    }

    async #refresh() {
      try {
        await refreshModels();
      } catch (error) {
        notify(error.message, { tone: "bad" });
      }
      await this.#follow();
      this.work.follow();
    }

    /** Show what changed without scrolling away. */
    async #follow() {
      try {
        const page = await this.list.refresh();
        if (page) this.#found(page);
      } catch (error) {
        setText(this.words, error.message);
      }
      this.problems.restart();
      if (this.row) this.#reopen(this.row.card.id);
    }

    #open(row) {
      if (this.row?.card.id === row.card.id) return this.#close();
      this.row = row;
      this.details.show(row);
      this.#mark();
      if (this.clientWidth < PHONE_PX) this.details.element.scrollIntoView({ block: "start" });
    }

    async #reopen(id) {
      const row = await getModelRow(id).catch(() => null);
      if (this.row?.card.id !== id) return;
      this.row = row;
      this.details.show(row);
      this.#mark();
    }

    #close() {
      const id = this.row?.card.id;
      this.row = null;
      this.details.show(null);
      this.#mark();
      for (const [row, tile] of this.list.shown()) if (row.card.id === id) tile.focus();
    }

    #changed(card) {
      if (this.row?.card.id === card.id) {
        this.row = { ...this.row, card };
        this.details.show(this.row);
      }
      for (const [row] of this.list.shown()) {
        if (row.card.id === card.id) this.list.replace({ ...row, card });
      }
    }

    #mark() {
      const chosen = chosenCheckpoint();
      const open = this.row?.card.id;
      for (const [row, tile] of this.list.shown()) tile.mark(row.card.id === open, row.card.id === chosen);
    }

    #onKey(event) {
      if (event.key !== "Escape" || !this.row || event.target.closest("dialog[open]")) return;
      event.stopPropagation();
      this.#close();
    }
  },
);

function optionsOf(options) {
  return options.map(([value, text]) => el("option", { value, text }));
}

async function releaseMemory() {
  try {
    const { is_released: isReleased } = await releaseModels();
    const freed = "Memory is given back as soon as no picture is being made.";
    notify(isReleased ? freed : "Others have jobs under way, so their models stay in memory.");
  } catch (error) {
    notify(error.message, { tone: "bad" });
  }
}
