/** Installing: where from, and what is on its way. Nothing of it runs before the owner agreed. */

import { button, el, setText } from "./dom.js";
import { INSTALL_CHANGED } from "./events.js";
import { InstallTask } from "./extensions_task.js";
import { OUTCOMES } from "./extensions_words.js";
import { act, faultLine, guarded } from "./lines.js";
import {
  beginInstall, checkUpdates, fetchIndex, getTasks, searchIndex, uploadExtension,
} from "./server_extensions.js";

const SEARCH_AFTER_MS = 250;
const MOST_LISTED = 30;

export class ExtensionInstalls {
  constructor(onChange) {
    this.onChange = onChange;
    this.tasks = new Map();
    this.fault = faultLine();
    this.list = el("div", { class: "tasks" });
    this.panel = el("section", { class: "install", "aria-label": "Install an extension", hidden: true }, ...this.#form());
    this.element = el("div", { class: "installs" }, this.panel, this.fault, this.list);
    document.addEventListener(INSTALL_CHANGED, () => this.#loadSoon());
  }

  toggle() {
    this.panel.hidden = !this.panel.hidden;
    if (!this.panel.hidden) {
      this.address.focus();
      this.#search();
    }
  }

  async checkUpdates() {
    await this.#begin(checkUpdates);
  }

  /** What is on its way. Where installing is not allowed, that is told when somebody tries. */
  async load() {
    const tasks = await getTasks().catch(() => []);
    for (const task of tasks) {
      const shown = this.tasks.get(task.id) ?? new InstallTask(() => this.#changed());
      this.tasks.set(task.id, shown);
      shown.show(task);
    }
    const ids = new Set(tasks.map((task) => task.id));
    for (const id of [...this.tasks.keys()]) if (!ids.has(id)) this.tasks.delete(id);
    const elements = [...this.tasks.values()].reverse().map((shown) => shown.element);
    if (elements.some((element, i) => element !== this.list.children[i]) || elements.length !== this.list.children.length) {
      this.list.replaceChildren(...elements);
    }
  }

  #loadSoon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.load(), 100);
  }

  #form() {
    this.address = el("input", {
      id: "extensions_address",
      placeholder: "https://… of a repository (…@branch), a .zip or .py, or a folder of this machine",
      "aria-label": "Address of an extension",
      autocomplete: "off",
    });
    this.linked = el("input", { type: "checkbox" });
    const file = el("input", { type: "file", accept: ".zip,.py", hidden: true, id: "extensions_file" });
    file.addEventListener("change", () => {
      if (file.files.length) this.#begin(() => uploadExtension(file.files[0]));
      file.value = "";
    });
    const form = el(
      "form",
      { class: "address" },
      this.address,
      el("button", { type: "submit", class: "gesso-button main", text: "Fetch and look at it" }),
      button("Choose a file", () => file.click(), { class: "gesso-button" }),
      file,
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const asked = { address: this.address.value, is_linked: this.linked.checked };
      if (asked.address.trim()) this.#begin(() => beginInstall(asked));
    });
    const linked = el("label", { class: "tick" }, this.linked, el("span", { text: "Use a folder where it lies (for those who write extensions)" }));
    const safe = el("p", {
      class: "quiet",
      text: "It is put into quarantine first. You see what is in it, and it is tried out apart, before anything of it runs here.",
    });
    return [safe, form, linked, ...this.#index()];
  }

  #index() {
    this.words = el("input", {
      type: "search",
      placeholder: "Search the list of known extensions",
      "aria-label": "Search known extensions",
      on: { input: () => this.#searchSoon() },
    });
    this.found = el("p", { class: "quiet", role: "status" });
    this.known = el("ul", { class: "known" });
    const fetched = button("Fetch the list of A1111’s extensions", () => this.#fetchIndex(), { class: "gesso-button" });
    return [el("div", { class: "address" }, this.words, fetched), this.found, this.known];
  }

  #searchSoon() {
    clearTimeout(this.searching);
    this.searching = setTimeout(() => this.#search(), SEARCH_AFTER_MS);
  }

  async #search() {
    await guarded(this.fault, async () => this.#list(await searchIndex(this.words.value.trim())));
  }

  async #fetchIndex() {
    await guarded(this.fault, async () => this.#list(await fetchIndex()));
  }

  #list({ count, entries }) {
    const more = count > MOST_LISTED ? `, the first ${MOST_LISTED}` : "";
    setText(this.found, count ? `${count} known${more}` : "Nothing found.");
    this.known.replaceChildren(...entries.slice(0, MOST_LISTED).map((entry) => this.#entry(entry)));
  }

  #entry(entry) {
    const [tried] = entry.tried;
    const outcome = tried && [OUTCOMES[tried.outcome], tried.note].filter(Boolean).join(": ");
    const about = [entry.description, outcome].filter(Boolean).join(" ");
    const text = entry.built_in ? `Built in: ${entry.built_in}` : about;
    const install = act("Look at it", () => this.#begin(() => beginInstall({ address: entry.address })), {
      "aria-label": `Look at ${entry.name}`,
    });
    return el(
      "li",
      {},
      el("div", { class: "main" }, el("strong", { text: entry.name }), el("span", { class: "quiet", text })),
      entry.built_in ? null : install,
    );
  }

  async #begin(run) {
    if (await guarded(this.fault, run)) {
      this.address.value = "";
      this.panel.hidden = true; // what was asked for comes in its place
      await this.load();
    }
  }

  async #changed() {
    await this.load();
    await this.onChange();
  }
}
