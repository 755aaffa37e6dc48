/** One extension in the list: its switch, how it does, and all about it when it is opened. */

import { button, el, setText } from "./dom.js";
import { ExtensionSettings } from "./extensions_settings.js";
import { addedWords, KINDS, ORIGINS, permissionWords, sourceWords, STATES } from "./extensions_words.js";
import { act, actTwice } from "./lines.js";
import { notify } from "./notices.js";
import {
  getExtension, reloadExtension, rollBack, switchExtension, uninstall, updateExtension,
} from "./server_extensions.js";
import { moment } from "./words.js";

export class ExtensionRow {
  constructor({ onChange, onTask }) {
    Object.assign(this, { onChange, onTask });
    this.switch = el("input", { type: "checkbox", role: "switch", on: { change: () => this.#switch() } });
    this.name = el("strong", {});
    this.meta = el("span", { class: "quiet" });
    this.state = el("span", { class: "state" });
    this.about = el("p", { class: "about" });
    this.error = el("p", { class: "error" });
    this.more = button("Details", () => this.#toggle(), { class: "gesso-button small", "aria-expanded": "false" });
    this.body = el("div", { class: "body", hidden: true });
    this.element = el(
      "li",
      { class: "extension" },
      el(
        "div",
        { class: "head" },
        el("label", { class: "switch" }, this.switch, el("span", { class: "track", "aria-hidden": "true" })),
        el("div", { class: "main" }, el("p", { class: "title" }, this.name, this.meta), this.about, this.error),
        this.state,
        this.more,
      ),
      this.body,
    );
  }

  /** Show it as it is now; `installed` is what is known if it was installed here. */
  show(one, installed) {
    const isOther = JSON.stringify([one, installed]) !== this.mark;
    this.mark = JSON.stringify([one, installed]);
    Object.assign(this, { one, installed });
    this.element.dataset.id = one.id;
    this.element.dataset.state = one.state;
    if (!this.switch.disabled) this.switch.checked = one.is_enabled;
    this.switch.setAttribute("aria-label", one.name);
    setText(this.name, one.name);
    const update = installed?.has_update ? "an update is there" : "";
    setText(this.meta, [one.version !== "0" && one.version, KINDS[one.kind], update].filter(Boolean).join(" · "));
    setText(this.state, STATES[one.state] ?? one.state);
    setText(this.about, one.description);
    setText(this.error, one.error);
    this.more.setAttribute("aria-label", `Details of ${one.name}`);
    if (isOther && !this.body.hidden) this.#open();
  }

  async #switch() {
    const isOn = this.switch.checked;
    this.switch.disabled = true;
    await this.#try(() => switchExtension(this.one.id, isOn));
    this.switch.disabled = false;
    await this.onChange();
  }

  async #try(run) {
    try {
      await run();
    } catch (error) {
      notify(error.message, { tone: "bad" });
    }
  }

  #toggle() {
    this.body.hidden = !this.body.hidden;
    this.more.setAttribute("aria-expanded", String(!this.body.hidden));
    if (!this.body.hidden) this.#open();
  }

  async #open() {
    const { id } = this.one;
    const detail = await getExtension(id).catch(() => null);
    if (!detail || this.one.id !== id) return;
    if (this.settings?.isOpen) return; // somebody is typing there
    this.settings = this.one.has_settings ? new ExtensionSettings(id) : null;
    this.body.replaceChildren(
      ...this.#failures(detail),
      ...(this.settings ? [this.settings.element] : []),
      el("dl", { class: "facts" }, ...[...this.#facts(detail)].flatMap(([name, value]) => fact(name, value))),
      this.#acts(),
    );
  }

  *#failures(detail) {
    if (detail.traceback) yield traceback("Why it could not be loaded", detail.traceback);
    for (const failure of [...detail.failed].reverse()) {
      const where = failure.job ? `, in job ${failure.job}` : "";
      yield traceback(`${moment(failure.at)}: ${failure.message} (at ${failure.hook}${where})`, failure.traceback);
    }
  }

  *#facts(detail) {
    for (const added of detail.adds) yield addedWords(added);
    for (const permission of detail.permissions) yield ["May", permissionWords(permission)];
    if (detail.state === "on") yield ["Time", `${detail.seconds.toFixed(detail.seconds < 10 ? 2 : 0)} s in its hooks since it was loaded`];
    yield ["Licence", detail.license || "Not told"];
    if (detail.authors.length) yield ["By", detail.authors.join(", ")];
    if (detail.homepage) yield ["Home", detail.homepage];
    if (this.installed) yield ["From", sourceWords(this.installed.now.source)];
    if (this.installed?.previous) yield ["Before", this.installed.previous.version];
    yield ["Lies", `${detail.folder} (${ORIGINS[detail.origin] ?? detail.origin})`];
  }

  #acts() {
    const { id, name } = this.one;
    const of = (what) => ({ "aria-label": `${what} ${name}` });
    const acts = [];
    if (this.one.state !== "off") {
      acts.push(act("Read its code again", () => this.#do(() => reloadExtension(id)), of("Read again the code of")));
    }
    if (this.installed?.can_update) {
      acts.push(act("Update", () => this.#task(() => updateExtension(id)), of("Update")));
    }
    if (this.installed?.previous) {
      const label = `Back to ${this.installed.previous.version}`;
      acts.push(actTwice(label, "Really go back?", () => this.#do(() => rollBack(id)), of("Go back with")));
    }
    if (this.installed) {
      acts.push(actTwice("Remove", "Really remove?", () => this.#do(() => uninstall(id)), of("Remove")));
    }
    return el("div", { class: "acts" }, ...acts);
  }

  async #do(run) {
    await this.#try(run);
    await this.onChange();
  }

  async #task(run) {
    await this.#try(run);
    this.onTask();
  }
}

const fact = (name, value) => [el("dt", { text: name }), el("dd", { text: value })];

const traceback = (words, text) =>
  el("details", { class: "traceback" }, el("summary", { text: words }), el("pre", { text, tabindex: "0" }));
