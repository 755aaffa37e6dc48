/** The queue strip: the next jobs with their places, and a panel in which they are put in order. */

import { button, el, setText } from "./dom.js";
import { notify } from "./notices.js";
import { QueuePanel } from "./queue_panel.js";
import { cancelJob } from "./server.js";
import { store } from "./store.js";
import { placeWords, timeLeft } from "./words.js";

const PHONE = matchMedia("(max-width: 760px)");
const atOnce = () => (PHONE.matches ? 1 : 3);

export class QueueStrip {
  constructor() {
    this.chips = new Map();
    this.list = el("ul", { class: "queue", "aria-label": "Queue" });
    this.panel = new QueuePanel();
    this.more = button("", () => this.#toggle(), {
      class: "gesso-chip",
      "aria-expanded": "false",
      "aria-label": "Put the queue in order",
      title: "Put the queue in order",
    });
    this.element = el("div", { class: "queue-strip" }, this.list, this.more, this.panel.element);
    this.element.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || this.panel.element.hidden) return;
      event.stopPropagation();
      this.#toggle();
      this.more.focus();
    });
  }

  update() {
    const open = store.open();
    for (const id of this.chips.keys())
      if (!open.some((job) => job.id === id)) this.chips.delete(id);
    const chips = open.slice(0, atOnce()).map((job) => this.#chip(job));
    replace(this.list, chips);
    const hidden = Math.max(store.queued, open.length) - chips.length;
    const isNeeded = open.length > 1 || store.manages || store.isPaused || store.isQueuePaused;
    this.more.hidden = !isNeeded;
    setText(this.more, hidden > 0 ? `+${hidden}` : "Queue");
    if (this.more.hidden && !this.panel.element.hidden) this.#toggle();
    this.panel.update();
  }

  #chip(job) {
    let chip = this.chips.get(job.id);
    if (!chip) {
      chip = this.#newChip(job);
      this.chips.set(job.id, chip);
    }
    const words = job.state === "queued" ? placeWords(job) : timeLeft(job) || "running";
    setText(chip.querySelector(".when"), words);
    chip.classList.toggle("running", job.state !== "queued");
    return chip;
  }

  #newChip(job) {
    const prompt = job.prompt || "no prompt";
    const cancelling = button("✕", () => cancel(job), {
      class: "gesso-icon",
      "aria-label": `Cancel: ${prompt.slice(0, 60)}`,
      title: "Cancel",
    });
    return el(
      "li",
      { class: "gesso-chip", title: prompt },
      el("span", { class: "what", text: prompt }),
      el("span", { class: "when" }),
      cancelling,
    );
  }

  #toggle() {
    const isOpen = this.panel.element.hidden;
    this.panel.show(isOpen);
    this.more.setAttribute("aria-expanded", String(isOpen));
  }
}

async function cancel(job) {
  try {
    store.takeJob(await cancelJob(job.id));
  } catch (error) {
    notify(error.message, { tone: "bad" });
  }
}

function replace(list, items) {
  const now = [...list.children];
  if (now.length !== items.length || now.some((item, at) => item !== items[at])) {
    list.replaceChildren(...items);
  }
}
