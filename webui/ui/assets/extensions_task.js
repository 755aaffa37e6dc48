/** One installation on its way: fetching, the review, the trial, and the owner's yes. */

import { el, setText } from "./dom.js";
import { review } from "./extensions_review.js";
import { OUTCOMES, sourceWords } from "./extensions_words.js";
import { act, faultLine, guarded } from "./lines.js";
import { cancelInstall, confirmInstall, examineInstall } from "./server_extensions.js";

const TITLES = { install: "Install", update: "Update", check: "Look for updates", restore: "Bring back a snapshot" };
const NOTES = {
  review: "It lies in quarantine. Nothing of it has run.",
  examined: "It was tried out apart. Nothing of it runs here before you say so.",
  done: "Done.",
  cancelled: "Cancelled.",
};
const AT_WORK = ["fetching", "examining", "installing"];

export class InstallTask {
  constructor(onChange) {
    this.onChange = onChange;
    this.title = el("h3", {});
    this.from = el("p", { class: "quiet" });
    this.note = el("p", { class: "note", role: "status" });
    this.bar = el("progress", { max: "1", "aria-label": "Progress" });
    this.body = el("div", { class: "review" });
    this.fault = faultLine();
    this.acts = el("div", { class: "acts" });
    this.element = el("section", { class: "task" }, this.title, this.from, this.note, this.bar, this.body, this.fault, this.acts);
  }

  show(task) {
    this.task = task;
    this.element.dataset.state = task.state;
    const name = task.review?.name || task.extension;
    setText(this.title, [TITLES[task.purpose] ?? task.purpose, name && `“${name}”`].filter(Boolean).join(" "));
    setText(this.from, sourceWords(task.source));
    setText(this.note, task.note || (NOTES[task.state] ?? ""));
    this.bar.hidden = !AT_WORK.includes(task.state);
    this.bar.value = task.fraction;
    if (this.shown === task.state) return; // ticks that were set stay
    this.shown = task.state;
    this.#draw(task);
  }

  #draw(task) {
    const isWaiting = task.state === "review" || task.state === "examined";
    this.body.replaceChildren(...(isWaiting && task.review ? [...review(task.review)] : []), ...(isWaiting ? [...this.#verdict(task)] : []), ...this.#choices(task));
    this.acts.replaceChildren(...this.#buttons(task));
  }

  *#verdict({ verdict, packages, conflict, script_output }) {
    if (conflict) {
      yield el("p", { class: "conflict", role: "alert", text: conflict.sentence });
      yield folded("What the packages ask for", conflict.details);
    }
    if (packages.length) yield folded(`Brings ${packages.length} packages, apart from the program's own`, packages.join("\n"));
    if (verdict) {
      yield el("p", { class: `verdict ${verdict.outcome}` }, el("strong", { text: `${OUTCOMES[verdict.outcome]}. ` }), verdict.summary);
      if (verdict.notes.length) yield folded("What the trial showed", verdict.notes.join("\n"));
    }
    if (script_output) yield folded("What its install.py said", script_output);
  }

  /** What may be chosen before the trial. */
  *#choices({ state, review: found, choices }) {
    this.groups = [];
    this.script = null;
    if (state !== "review" || !found) return;
    for (const [group, packages] of Object.entries(found.optional)) {
      const tick = el("input", { type: "checkbox", checked: choices.groups.includes(group) });
      this.groups.push([group, tick]);
      yield el("label", { class: "tick" }, tick, el("span", { text: `Also “${group}”: ${packages.join(", ")}` }));
    }
    if (found.install_script) {
      this.script = el("input", { type: "checkbox" });
      yield el("label", { class: "tick" }, this.script, el("span", { text: "Let its install.py run, apart from this program" }));
    }
  }

  *#buttons(task) {
    const { state, review: found, conflict, verdict } = task;
    if (state === "review") yield this.#act("Try it out", () => examineInstall(task.id, this.#chosen()), true);
    if (state === "examined" && conflict) {
      for (const { way, subject, label } of conflict.ways) {
        const left_out = [...task.choices.left_out, subject];
        if (way === "leave_out") yield this.#act(label, () => examineInstall(task.id, { ...task.choices, left_out }));
      }
    }
    if (state === "examined" && !conflict) {
      const yes = (isOn) => () => confirmInstall(task.id, found.fingerprint, isOn);
      const label = verdict?.outcome === "cannot" ? "Install all the same" : "Install and switch on";
      yield this.#act(label, yes(true), true);
      yield this.#act("Install, leave it off", yes(false));
    }
    yield this.#act(task.is_over ? "Close" : "Cancel", () => cancelInstall(task.id));
  }

  #act(label, run, isMain = false) {
    return act(label, () => this.#do(run), { class: isMain ? "gesso-button main" : "gesso-button" });
  }

  #chosen() {
    return {
      groups: this.groups.filter(([, tick]) => tick.checked).map(([group]) => group),
      left_out: this.task.choices.left_out,
      runs_script: this.script?.checked ?? false,
    };
  }

  async #do(run) {
    for (const each of this.acts.children) each.disabled = true;
    await guarded(this.fault, run);
    for (const each of this.acts.children) each.disabled = false;
    await this.onChange();
  }
}

const folded = (words, text) =>
  el("details", { class: "traceback" }, el("summary", { text: words }), el("pre", { text, tabindex: "0" }));
