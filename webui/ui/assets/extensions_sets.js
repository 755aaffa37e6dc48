/** Saved sets of extensions, and those that were removed; closed away below the list. */

import { el } from "./dom.js";
import { extensions } from "./extensions_words.js";
import { act, actTwice, faultLine, field, guarded, table } from "./lines.js";
import {
  bringBack, getRemoved, getSnapshots, removeSnapshot, restoreSnapshot, saveSnapshot,
} from "./server_extensions.js";
import { moment } from "./words.js";

export class ExtensionSets {
  constructor({ onChange, onTask }) {
    Object.assign(this, { onChange, onTask });
    this.saved = el("div", {});
    this.removed = el("div", {});
    this.fault = faultLine();
    this.element = el(
      "details",
      { class: "sets" },
      el("summary", { text: "Snapshots and removed extensions" }),
      el("p", { class: "quiet", text: "A snapshot is the whole set: which extensions, in which state, which of them on." }),
      this.#form(),
      this.saved,
      this.removed,
      this.fault,
    );
    this.element.addEventListener("toggle", () => this.load());
  }

  async load() {
    if (!this.element.open) return;
    await guarded(this.fault, async () => {
      const [snapshots, removed] = await Promise.all([getSnapshots(), getRemoved()]);
      this.saved.replaceChildren(...listed("Snapshots", ["Name", "Made", "Extensions", ""], snapshots.map((one) => this.#snapshot(one))));
      this.removed.replaceChildren(...listed("Removed", ["Removed", "Version", "Kept until", ""], removed.map((one) => this.#gone(one))));
    });
  }

  #form() {
    const name = el("input", { maxlength: "100", placeholder: "A name, or nothing for the time" });
    const form = el(
      "form",
      { class: "inline" },
      field("Snapshot of the set as it is", name),
      el("button", { type: "submit", class: "gesso-button", text: "Save snapshot" }),
    );
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (await guarded(this.fault, () => saveSnapshot(name.value))) form.reset();
      await this.load();
    });
    return form;
  }

  #snapshot(one) {
    const back = () => this.#do(() => restoreSnapshot(one.id), this.onTask);
    const forget = () => this.#do(() => removeSnapshot(one.id), () => this.load());
    return [
      one.name,
      moment(one.made_at),
      `${extensions(one.extensions.length)}, ${one.enabled.length} on`,
      el(
        "span",
        { class: "acts" },
        actTwice("Bring back", "Really bring back?", back, { "aria-label": `Bring back ${one.name}` }),
        actTwice("Forget", "Really forget?", forget, { "aria-label": `Forget ${one.name}` }),
      ),
    ];
  }

  #gone(one) {
    const back = () => this.#do(() => bringBack(one.id), this.onChange);
    return [
      one.name,
      one.version,
      moment(one.kept_until),
      el("span", { class: "acts" }, act("Put back", back, { "aria-label": `Put back ${one.name}` })),
    ];
  }

  async #do(run, then) {
    if (await guarded(this.fault, run)) await then();
    await this.load();
  }
}

const listed = (label, heads, rows) => (rows.length ? [table(label, heads, rows)] : []);
