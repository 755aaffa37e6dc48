/** The pictures of a tab: status line, the large picture, thumbnails, actions, recipe. */

import { actionsFor } from "./actions.js";
import { el, setText } from "./dom.js";
import { openLightbox } from "./lightbox.js";
import { Live } from "./live.js";
import { notify } from "./notices.js";
import { QueueStrip } from "./queue.js";
import { RecipeLine } from "./recipe.js";
import { Stage } from "./stage.js";
import { isOver, store } from "./store.js";
import { Strip } from "./strip.js";
import { jobWords } from "./words.js";

customElements.define(
  "gesso-results",
  class extends Live {
    build() {
      this.chosen = null; // a picture id; null follows the newest work
      this.words = el("p", { class: "words" });
      this.spoken = el("p", { class: "sr-only", role: "status" });
      this.queue = new QueueStrip();
      this.stage = new Stage(this.mode, (picture) => openLightbox(picture, this.pictures(), this));
      this.strip = new Strip((choice) => this.choose(choice));
      this.actions = actionsFor(this.mode, () => this.picture, this.stage);
      this.recipe = new RecipeLine();
      this.append(
        el("div", { class: "head" }, this.words, this.queue.element),
        this.spoken,
        el("div", { class: "show" }, this.stage.element, this.actions.element),
        this.strip.element,
        this.recipe.element,
      );
      this.addEventListener("keydown", (event) => this.#onKey(event));
      store.loadRecent(this.mode).catch((error) => notify(error.message, { tone: "bad" }));
    }

    update() {
      const jobs = store.ofMode(this.mode);
      const job = this.#jobOnShow(jobs);
      const picture = this.#pictureOnShow(jobs, job);
      this.job = job;
      this.picture = picture;
      setText(this.words, job ? jobWords(job) : "");
      setText(this.spoken, job ? spokenWords(job) : "");
      this.queue.update(this.mode);
      this.stage.show(job, picture);
      this.strip.show(jobs, job, picture);
      this.actions.show(picture);
      this.recipe.show(picture);
    }

    /** Show the newest work again, whatever was chosen before. */
    follow() {
      this.choose(null);
    }

    /** Show one picture; null follows the newest work. */
    choose(pictureId) {
      this.chosen = pictureId;
      this.update();
    }

    /** All pictures that can be stepped through, newest job first. */
    pictures() {
      return store.ofMode(this.mode).flatMap((job) => job.pictures);
    }

    /** The chosen picture's job, else the one at work, else the next in line, else the newest. */
    #jobOnShow(jobs) {
      const holder = jobs.find((job) => job.pictures.some((p) => p.id === this.chosen));
      if (holder) return holder;
      this.chosen = null;
      const open = store.open().filter((job) => job.mode === this.mode);
      return open.find((job) => job.state !== "queued") ?? open[0] ?? jobs[0] ?? null;
    }

    #pictureOnShow(jobs, job) {
      if (!job) return null;
      if (this.chosen) return job.pictures.find((picture) => picture.id === this.chosen);
      if (!isOver(job)) return null;
      if (job.pictures.length || job.state === "failed") return job.pictures[0] ?? null;
      return job.state === "cancelled"
        ? (jobs.flatMap((other) => other.pictures)[0] ?? null)
        : null;
    }

    #onKey(event) {
      if (event.target.matches("input, textarea, select")) return;
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!step || event.ctrlKey || event.altKey || event.metaKey) return;
      const all = this.pictures();
      const at = all.findIndex((picture) => picture.id === this.picture?.id);
      const next = all[at + step];
      if (!next) return;
      event.preventDefault();
      this.choose(next.id);
      this.strip.focusChosen(event.target);
    }
  },
);

/** What a screen reader hears: the start, each quarter, the end. Not each step. */
function spokenWords(job) {
  if (job.state === "failed") return `This did not work. ${job.reason}`;
  if (job.state !== "running" || !job.progress) return jobWords(job);
  const quarter = Math.floor(job.progress.fraction * 4) * 25;
  return `Running, ${quarter} percent`;
}
