/** The queue strip: every job that waits or runs, with its place, time left and a way to end it. */

import { button, el, setText } from "./dom.js";
import { notify } from "./notices.js";
import { cancelJob } from "./server.js";
import { store } from "./store.js";
import { duration, timeLeft } from "./words.js";

const PHONE = matchMedia("(max-width: 760px)");
const atOnce = () => (PHONE.matches ? 1 : 3);

export class QueueStrip {
  constructor() {
    this.chips = new Map();
    this.list = el("ul", { class: "queue", "aria-label": "Queue" });
    this.more = button("", () => this.#toggle(), {
      class: "gesso-chip",
      "aria-expanded": "false",
      title: "The rest of the queue",
    });
    this.rest = el("ul", { class: "queue rest", "aria-label": "More of the queue", hidden: true });
    this.element = el("div", { class: "queue-strip" }, this.list, this.more, this.rest);
  }

  update() {
    const open = store.open();
    for (const id of this.chips.keys())
      if (!open.some((job) => job.id === id)) this.chips.delete(id);
    const chips = open.map((job, place) => this.#chip(job, place));
    const shown = atOnce();
    replace(this.list, chips.slice(0, shown));
    replace(this.rest, chips.slice(shown));
    this.more.hidden = chips.length <= shown;
    if (this.more.hidden) this.rest.hidden = true;
    setText(this.more, `+${chips.length - shown}`);
  }

  #chip(job, place) {
    let chip = this.chips.get(job.id);
    if (!chip) {
      chip = this.#newChip(job);
      this.chips.set(job.id, chip);
    }
    const words = job.state === "queued" ? placeWords(job, place) : timeLeft(job) || "running";
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
    this.rest.hidden = !this.rest.hidden;
    this.more.setAttribute("aria-expanded", String(!this.rest.hidden));
  }
}

async function cancel(job) {
  try {
    store.takeJob(await cancelJob(job.id));
  } catch (error) {
    notify(error.message, { tone: "bad" });
  }
}

function placeWords(job, place) {
  const when = duration(job.seconds_left);
  return place === 0 ? "next" : `${place} ahead${when && `, about ${when}`}`;
}

function replace(list, items) {
  const now = [...list.children];
  if (now.length !== items.length || now.some((item, at) => item !== items[at])) {
    list.replaceChildren(...items);
  }
}
