/** Finding the extension that makes trouble: half of them off, and the question how it is now. */

import { button, el, setText } from "./dom.js";
import { notify } from "./notices.js";
import { answerSearch, beginSearch, endSearch } from "./server_extensions.js";

export class CulpritSearch {
  constructor(onChange) {
    this.onChange = onChange;
    this.words = el("p", {});
    const answer = (label, isBad) =>
      button(label, () => this.#do(() => answerSearch(isBad)), { class: "gesso-button" });
    this.answers = el("span", { class: "acts" }, answer("The trouble is there", true), answer("All is well", false));
    this.end = button("Stop the search", () => this.#do(endSearch), { class: "gesso-button" });
    this.element = el(
      "section",
      { class: "banner", "aria-label": "Search for the culprit", role: "status", hidden: true },
      this.words,
      el("div", { class: "acts" }, this.answers, this.end),
    );
  }

  begin() {
    return this.#do(beginSearch);
  }

  /** Show how far it is; `nameOf` tells the name of an id. */
  show(search, nameOf) {
    this.element.hidden = !search;
    if (!search) return;
    this.answers.hidden = search.is_over;
    setText(this.end, search.is_over ? "Switch the others on again" : "Stop the search");
    setText(this.words, words(search, nameOf));
  }

  async #do(run) {
    try {
      await run();
    } catch (error) {
      notify(error.message, { tone: "bad" });
    }
    await this.onChange();
  }
}

function words({ is_over, culprit, on, steps_left }, nameOf) {
  if (is_over && culprit) return `It is “${nameOf(culprit)}”. Switch it off, or look at its failures below.`;
  if (is_over) return "The trouble is there with all extensions off, so it is none of them.";
  const now = on.length
    ? `Of those that may be it, these are on now: ${on.map(nameOf).join(", ")}.`
    : "All extensions are held back now.";
  const left = steps_left === 1 ? "One more question." : `About ${steps_left} more questions.`;
  return `${now} Reload the page, do what went wrong, and say how it is. ${left}`;
}
