/** The queue strip: the next jobs with their places, and a panel in which they are put in order. */

import { button, el, setText } from "./dom.js";
import { openLayer } from "./layers.js";
import { notify } from "./notices.js";
import { QueuePanel } from "./queue_panel.js";
import { cancelJob } from "./server.js";
import { store } from "./store.js";
import { placeWords, timeLeft } from "./words.js";

const PHONE = matchMedia("(max-width: 760px)");
const MOST_CHIPS = 3;
const CHIP_PX = 230; // with the time and enough of the prompt to know it by
const BESIDE_PX = 280; // the words before the chips, and the button behind them

export class QueueStrip {
  constructor() {
    this.chips = new Map();
    this.list = el("ul", { class: "queue", "aria-label": "Queue" });
    this.panel = new QueuePanel(() => this.#close());
    this.more = button("", () => this.#toggle(), {
      class: "gesso-chip",
      "aria-expanded": "false",
      "aria-label": "Put the queue in order",
      title: "Put the queue in order",
    });
    this.element = el("div", { class: "queue-strip" }, this.list, this.more, this.panel.element);
    new ResizeObserver(() => this.update()).observe(this.element);
  }

  update() {
    const open = store.open();
    for (const id of this.chips.keys())
      if (!open.some((job) => job.id === id)) this.chips.delete(id);
    const chips = open.slice(0, this.#atOnce()).map((job) => this.#chip(job));
    replace(this.list, chips);
    const hidden = Math.max(store.queued, open.length) - chips.length;
    const isNeeded = open.length > 1 || store.manages || store.isPaused || store.isQueuePaused;
    this.more.hidden = !isNeeded;
    setText(this.more, hidden > 0 ? `Queue +${hidden}` : "Queue");
    if (this.more.hidden && !this.panel.element.hidden) this.#close();
    this.panel.update();
  }

  /** How many jobs find room beside each other. */
  #atOnce() {
    if (PHONE.matches) return 1;
    const room = (this.element.parentElement?.clientWidth ?? 0) - BESIDE_PX;
    return Math.min(MOST_CHIPS, Math.max(1, Math.floor(room / CHIP_PX)));
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
    if (this.panel.element.hidden) this.#open();
    else this.#close();
  }

  #open() {
    this.panel.show(true);
    this.more.setAttribute("aria-expanded", "true");
    this.listening = new AbortController();
    const { signal } = this.listening;
    this.closed = openLayer(this.panel.element, () => this.#close());
    document.addEventListener("pointerdown", (event) => this.#onPress(event), { capture: true, signal });
  }

  #close() {
    const hadFocus = this.panel.element.contains(document.activeElement);
    this.closed?.();
    this.listening?.abort();
    this.panel.show(false);
    this.more.setAttribute("aria-expanded", "false");
    if (hadFocus) this.more.focus();
  }

  /** On a phone the panel stands in the page and covers nothing: a finger that scrolls leaves it. */
  #onPress({ target }) {
    if (PHONE.matches || this.panel.element.contains(target) || this.more.contains(target)) return;
    this.#close();
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
