/** The Generate box: Cancel with progress while jobs of the tab are open, and what went wrong. */

import { button, el, inputOf, isShown, setText, settled } from "./dom.js";
import { Live } from "./live.js";
import { notify } from "./notices.js";
import { plans } from "./plans.js";
import { cancelJob } from "./server.js";
import { store } from "./store.js";
import { fraction, timeLeft } from "./words.js";

const MOST_TRIES = 25; // some 1.5 s, for a busy browser to open a group
const PHONE = matchMedia("(max-width: 760px)");
const GUARD_MS = 500; // a double click on Generate must not cancel what it started

/** The open job of a tab that Cancel ends: the running one, or the next in line. */
export const currentJob = (mode) => store.open().find((job) => job.mode === mode);

/** End the tab's current job. */
export async function cancelCurrent(mode) {
  const job = currentJob(mode);
  if (!job) return;
  try {
    store.takeJob(await cancelJob(job.id));
  } catch (error) {
    notify(error.message, { tone: "bad" });
  }
}

customElements.define(
  "gesso-cancel",
  class extends Live {
    build() {
      this.label = el("span", { class: "label", text: "Cancel" });
      this.left = el("span", { class: "left" });
      this.bar = el("progress", { max: 1, value: 0, "aria-hidden": "true" });
      this.button = button("", () => this.#press(), { id: `${this.mode}_interrupt`, hidden: true });
      this.button.append(this.bar, this.label, this.left);
      this.append(this.button);
    }

    update() {
      const job = currentJob(this.mode);
      if (job && this.button.hidden) this.shownAt = performance.now();
      this.button.hidden = !job;
      this.closest(".column")?.classList.toggle("is-busy", Boolean(job));
      if (!job) return;
      this.bar.value = fraction(job);
      setText(this.left, job.state === "queued" ? waitingWord(job) : timeLeft(job));
    }

    #press() {
      if (performance.now() - this.shownAt > GUARD_MS) cancelCurrent(this.mode);
    }
  },
);

const waitingWord = ({ hold }) => (["paused", "all_paused"].includes(hold) ? "paused" : "waiting");

/** Errors of a request, said below the prompt; the control at fault is marked and focused. */
customElements.define(
  "gesso-fault",
  class extends HTMLElement {
    connectedCallback() {
      this.setAttribute("role", "alert");
    }

    /** `groups` are the accordions around the control, outermost first; `position` is the character
     *  at fault, counted from 0. */
    async say(message, { control: controlId, groups = [], position = null }) {
      this.clear();
      this.textContent = message;
      for (const group of groups) await openGroup(group);
      const input = controlId && (inputOf(controlId) ?? document.getElementById(controlId));
      if (!input) return this.#beSeen();
      this.marked = input;
      input.setAttribute("aria-invalid", "true");
      document.getElementById(controlId).classList.add("gesso-at-fault");
      reach(input);
      this.#beSeen();
      if (position != null) input.setSelectionRange?.(position, endOfWord(input.value, position));
      this.#clearOnChange(document.getElementById(controlId));
    }

    /** A place for a picture may have another input by the time a file is chosen or dropped. */
    #clearOnChange(control) {
      this.waiting = new AbortController();
      for (const change of ["input", "drop", "paste"])
        control.addEventListener(change, () => this.clear(), {
          capture: true,
          signal: this.waiting.signal,
        });
    }

    /** Say it once more where it is seen, when the page is scrolled away from the words. */
    #beSeen() {
      if (isCovered(this)) this.takeBack = notify(this.textContent, { tone: "bad" });
    }

    clear() {
      this.textContent = "";
      this.waiting?.abort();
      this.takeBack?.();
      this.marked?.removeAttribute("aria-invalid");
      document
        .querySelectorAll(".gesso-at-fault")
        .forEach((part) => part.classList.remove("gesso-at-fault"));
      this.marked = null;
    }
  },
);

/** Focus a control and bring it from under what stays at the top of the window. */
function reach(input) {
  input.focus({ preventScroll: true });
  const box = input.getBoundingClientRect();
  const isReached = box.top >= 0 && box.bottom <= innerHeight && !isCovered(input);
  if (!isReached) input.scrollIntoView({ block: "center" });
}

/** Whether something else lies over an element, or it is out of the window. */
function isCovered(element) {
  const { left, top, width, height } = element.getBoundingClientRect();
  const seen = document.elementFromPoint(left + Math.min(width, 40) / 2, top + height / 2);
  return !seen || !(element.contains(seen) || seen.contains(element));
}

async function openGroup(id) {
  const label = document.querySelector(`#${CSS.escape(id)} > .label-wrap`);
  if (!label || label.classList.contains("open")) return;
  label.click();
  const inside = label.parentElement.querySelector("[data-testid=accordion-content]");
  for (let tries = 0; tries < MOST_TRIES && !isShown(inside); tries++) await settled();
}

const endOfWord = (text, from) => from + Math.max(1, text.slice(from).search(/[\s,]|$/));

/** Take the answer to Generate, to saving settings or to Refresh; called by the page's events. */
export function answer(mode, text) {
  const fault = document.querySelector(`gesso-fault[mode="${mode}"]`);
  const said = JSON.parse(text);
  if (said.fault && !fault) return notify(said.fault, { tone: "bad" });
  if (said.fault) return fault.say(said.fault, said);
  fault?.clear();
  if (said.told) notify(said.told);
  if (said.plan) plans.begin(said.plan);
  if (said.job) {
    store.claim(said.job);
    const results = document.querySelector(`gesso-results[mode="${mode}"]`);
    results?.follow();
    if (PHONE.matches) beSeen(results?.querySelector(".stage"));
  }
}

/** Move the page so that an element is in the window's middle, if little of it is seen. */
function beSeen(element) {
  if (!element) return;
  const { top, bottom } = element.getBoundingClientRect();
  const isSeen = top < innerHeight / 2 && bottom > innerHeight / 2;
  if (!isSeen) element.scrollIntoView({ block: "center", behavior: "smooth" });
}
