/** The plans of a tab: how far each is, ways to pause and end it, and its grid at the end. */

import { button, el, setText } from "./dom.js";
import { openLightbox } from "./lightbox.js";
import { Live } from "./live.js";
import { notify } from "./notices.js";
import { changePlan, getPlans, manifestUrl } from "./server.js";
import { store } from "./store.js";

const EVERY_MS = 1000;
const STATES = { running: "running", paused: "paused", done: "done", cancelled: "cancelled" };

class Plans {
  list = [];
  #timer = 0;
  #isAsked = false;
  #watchers = new Set();
  #shown = new Set(JSON.parse(sessionStorage.getItem("gesso.plans") ?? "[]"));

  /** Call `watcher` after each change; the way to stop. */
  watch(watcher) {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  /** Learn the plans, if that was not possible until now. */
  wake() {
    if (!this.#isAsked && store.known && store.online) this.load();
  }

  /** Show a plan that this window has just begun. */
  begin(id) {
    this.#show(id, true);
    this.load();
  }

  /** Show a plan no longer; it stays in the list of plans. */
  dismiss(id) {
    this.#show(id, false);
    this.#changed();
  }

  /** Plans of a tab that go on, or that ended while this window looked on. Oldest first. */
  ofMode(mode) {
    const mine = this.list.filter((plan) => plan.mode === mode && this.#shown.has(plan.id));
    return mine.reverse();
  }

  /** Learn all plans anew, and again until nothing is left to do. */
  async load() {
    this.#isAsked = true;
    clearTimeout(this.#timer);
    try {
      this.list = await getPlans();
    } catch {
      this.#isAsked = false; // asked again when something is heard of the server
      return;
    }
    const open = this.list.filter((plan) => !plan.is_settled);
    store.planned = new Set(open.map((plan) => plan.mode));
    for (const plan of open) if (!this.#shown.has(plan.id)) this.#show(plan.id, true);
    if (open.length) this.#timer = setTimeout(() => this.load(), EVERY_MS);
    this.#changed();
  }

  /** Pause, resume, cancel or retry. */
  async change(id, verb) {
    try {
      await changePlan(id, verb);
    } catch (error) {
      notify(error.message, { tone: "bad" });
    }
    await this.load();
  }

  #show(id, isShown) {
    if (isShown) this.#shown.add(id);
    else this.#shown.delete(id);
    sessionStorage.setItem("gesso.plans", JSON.stringify([...this.#shown].slice(-50)));
  }

  #changed() {
    for (const watcher of [...this.#watchers]) watcher();
  }
}

export const plans = new Plans();

customElements.define(
  "gesso-plans",
  class extends Live {
    build() {
      this.rows = new Map();
      this.list = el("ul", { "aria-label": "Plans" });
      this.append(this.list);
      this.boot = "";
    }

    connectedCallback() {
      super.connectedCallback();
      this.stopPlans = plans.watch(() => this.update());
    }

    disconnectedCallback() {
      super.disconnectedCallback();
      this.stopPlans?.();
    }

    update() {
      if (store.boot !== this.boot) {
        if (this.boot) plans.load(); // the server was started again
        this.boot = store.boot;
      }
      plans.wake();
      const now = plans.ofMode(this.mode);
      for (const id of this.rows.keys())
        if (!now.some((plan) => plan.id === id)) this.rows.delete(id);
      const items = now.map((plan) => this.#row(plan).element);
      const are = [...this.list.children];
      if (are.length !== items.length || are.some((item, at) => item !== items[at])) {
        this.list.replaceChildren(...items);
      }
      this.hidden = items.length === 0;
    }

    #row(plan) {
      if (!this.rows.has(plan.id)) this.rows.set(plan.id, new Row(plan.id));
      const row = this.rows.get(plan.id);
      row.show(plan);
      return row;
    }
  },
);

/** One plan in one line. */
class Row {
  constructor(id) {
    this.words = el("span", { class: "words" });
    this.reason = el("span", { class: "reason" });
    this.bar = el("progress", { max: 1, value: 0, "aria-label": "Progress of the plan" });
    this.grids = el("span", { class: "grids" });
    this.pause = button("Pause", () => plans.change(id, "pause"), { class: "gesso-chip" });
    this.resume = button("Resume", () => plans.change(id, "resume"), { class: "gesso-chip" });
    this.retry = button("Retry", () => plans.change(id, "retry"), { class: "gesso-chip" });
    this.cancel = button("Cancel plan", () => plans.change(id, "cancel"), { class: "gesso-chip" });
    this.table = el("a", {
      class: "gesso-chip",
      text: "Table",
      href: manifestUrl(id),
      download: true,
      title: "All pictures so far as a table (CSV)",
    });
    this.close = button("✕", () => plans.dismiss(id), {
      class: "gesso-icon",
      "aria-label": "Hide this plan",
      title: "Hide",
    });
    const doings = [this.pause, this.resume, this.retry, this.cancel, this.table, this.close];
    this.element = el(
      "li",
      {},
      el("div", { class: "line" }, this.words, this.bar, ...doings),
      this.reason,
      this.grids,
    );
  }

  show(plan) {
    const over = plan.done + plan.failed;
    const failed = plan.failed ? ` · ${plan.failed} failed` : "";
    const state = plan.state === "done" && !plan.is_settled ? "drawing the grid" : STATES[plan.state];
    setText(this.words, `${plan.label} · ${plan.done} of ${plan.cells}${failed} · ${state}`);
    this.words.title = plan.prompt;
    this.bar.value = over / plan.cells;
    this.bar.hidden = plan.is_settled;
    this.pause.hidden = plan.state !== "running";
    this.resume.hidden = plan.state !== "paused";
    this.cancel.hidden = !["running", "paused"].includes(plan.state);
    this.retry.hidden = !plan.is_settled || !(plan.failed || plan.state === "cancelled");
    setText(this.retry, plan.state === "cancelled" ? "Go on" : "Retry");
    this.table.hidden = plan.done === 0;
    this.close.hidden = !plan.is_settled;
    const fault = plan.faults[0];
    setText(this.reason, plan.waiting || (fault ? `${fault.label}: ${fault.reason}` : ""));
    this.#showGrids(plan);
  }

  #showGrids(plan) {
    const ids = plan.grids.map((grid) => grid.id).join();
    if (this.ids === ids) return;
    this.ids = ids;
    const thumbnails = plan.grids.map((grid, at) =>
      el(
        "button",
        {
          type: "button",
          "aria-label": at ? `Sub-grid ${at}` : "Grid",
          on: { click: () => openLightbox(grid, plan.grids, this.element) },
        },
        el("img", { src: grid.thumbnail, alt: "", loading: "lazy" }),
      ),
    );
    this.grids.replaceChildren(...thumbnails);
  }
}
