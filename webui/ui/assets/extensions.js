/** The Extensions tab: all of them with a switch each, the search for a culprit, installing. */

import { button, el, isShown, setText } from "./dom.js";
import { EXTENSIONS_CHANGED } from "./events.js";
import { ExtensionInstalls } from "./extensions_install.js";
import { ExtensionRow } from "./extensions_row.js";
import { CulpritSearch } from "./extensions_search.js";
import { ExtensionSets } from "./extensions_sets.js";
import { extensions } from "./extensions_words.js";
import { choice } from "./lines.js";
import { me } from "./me.js";
import { notify } from "./notices.js";
import { getActive, getExtensions, getInstalled, lookAgain } from "./server_extensions.js";

const SHOWN = [
  ["", "All"],
  ["on", "On"],
  ["off", "Off"],
  ["fault", "With a fault"],
];
const LOAD_AFTER_MS = 120;
const SAFE =
  "Safe mode: all extensions are off, whatever their switches say. Repair what is broken, then start without --safe-mode.";

customElements.define(
  "gesso-extensions",
  class extends HTMLElement {
    async connectedCallback() {
      if (this.isBuilt) return;
      this.isBuilt = true;
      const found = await me().catch(() => null);
      if (found?.role !== "owner") return this.#showActive();
      this.#build();
      document.addEventListener(EXTENSIONS_CHANGED, () => this.loadSoon());
      new IntersectionObserver((seen) => seen.some((s) => s.isIntersecting) && this.load()).observe(this);
    }

    async #showActive() {
      const active = await getActive().catch(() => []);
      const list = el(
        "ul",
        { class: "active" },
        ...active.map((one) =>
          el("li", {}, el("strong", { text: one.name }), el("span", { class: "quiet", text: one.description })),
        ),
      );
      const words = active.length ? "These extensions are on." : "No extension is on.";
      this.append(el("p", { class: "found", text: words }), list);
    }

    #build() {
      this.rows = new Map();
      this.seen = [];
      this.safe = el("p", { class: "banner bad", role: "status", hidden: true, text: SAFE });
      this.culprit = new CulpritSearch(() => this.load());
      this.installs = new ExtensionInstalls(() => this.load());
      this.sets = new ExtensionSets({
        onChange: () => this.load(),
        onTask: () => this.installs.load(),
      });
      this.words = el("p", { class: "found", role: "status" });
      this.list = el("ul", { class: "rows", "aria-label": "Extensions" });
      this.append(
        this.safe,
        this.culprit.element,
        this.#tools(),
        this.installs.element,
        this.words,
        this.list,
        this.sets.element,
      );
    }

    #tools() {
      this.search = el("input", {
        type: "search",
        id: "extensions_search",
        placeholder: "Search names and what they do",
        "aria-label": "Search extensions",
        on: { input: () => this.#filter() },
      });
      this.shown = choice(SHOWN, { "aria-label": "Show" });
      this.shown.addEventListener("change", () => this.#filter());
      const plain = (label, run, title) => button(label, run, { class: "gesso-button", title });
      return el(
        "div",
        { class: "tools" },
        this.search,
        this.shown,
        button("Install", () => this.installs.toggle(), { class: "gesso-button main", id: "extensions_install" }),
        plain("Look again", () => this.#again(), "Look into the folders of extensions again"),
        plain("Check for updates", () => this.installs.checkUpdates(), "Ask where they came from for something newer"),
        plain("Find the culprit", () => this.culprit.begin(), "Switch halves off until it is clear which one makes trouble"),
      );
    }

    loadSoon() {
      if (!isShown(this)) return; // it is loaded when it is seen
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.load(), LOAD_AFTER_MS);
    }

    /** Bring all parts up to date. */
    async load() {
      this.installs.load();
      this.sets.load();
      try {
        const [all, installed] = await Promise.all([getExtensions(), getInstalled().catch(() => [])]);
        this.#show(all, new Map(installed.map((one) => [one.id, one])));
      } catch (error) {
        setText(this.words, error.message);
      }
    }

    async #again() {
      try {
        await lookAgain();
        await this.load();
      } catch (error) {
        notify(error.message, { tone: "bad" });
      }
    }

    #show({ extensions: found, is_safe_mode, search }, installed) {
      this.safe.hidden = !is_safe_mode;
      const names = new Map(found.map((one) => [one.id, one.name]));
      this.culprit.show(search, (id) => names.get(id) ?? id);
      found.sort((a, b) => a.name.localeCompare(b.name)); // so that none jumps when it is switched
      this.seen = found;
      const acts = {
        onChange: () => this.load(),
        onTask: () => this.installs.load(),
      };
      for (const one of found) {
        const row = this.rows.get(one.id) ?? new ExtensionRow(acts);
        this.rows.set(one.id, row);
        row.show(one, installed.get(one.id));
      }
      for (const id of [...this.rows.keys()]) if (!names.has(id)) this.rows.delete(id);
      const order = found.map((one) => this.rows.get(one.id).element);
      if (order.some((element, i) => this.list.children[i] !== element) || this.list.children.length !== order.length) {
        this.list.replaceChildren(...order);
      }
      this.#filter();
    }

    #filter() {
      const wanted = this.search.value.trim().toLowerCase();
      const fits = (one) => {
        const text = `${one.name} ${one.id} ${one.description} ${one.kind}`.toLowerCase();
        return wanted.split(/\s+/).every((word) => text.includes(word)) && isOf(one, this.shown.value);
      };
      let count = 0;
      for (const one of this.seen) {
        const isSeen = fits(one);
        count += isSeen;
        this.rows.get(one.id).element.hidden = !isSeen;
      }
      const on = this.seen.filter((one) => one.state === "on").length;
      const none = "No extensions yet. Press Install, or put a folder or a .py file into the extensions folder.";
      const words = this.seen.length ? `${extensions(count)} · ${on} on` : none;
      setText(this.words, words);
    }
  },
);

function isOf(one, shown) {
  if (shown === "on") return one.state === "on";
  if (shown === "off") return one.state === "off";
  if (shown === "fault") return one.error !== "" || one.failures > 0;
  return true;
}
