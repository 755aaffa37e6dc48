/** Thumbnails below the large picture: what is at work, its batch, and earlier pictures. */

import { button, el, setAttribute } from "./dom.js";
import { previewOf } from "./previews.js";
import { isOver, store } from "./store.js";

const MOST = 40;

export class Strip {
  constructor(onChoose) {
    this.onChoose = onChoose;
    this.tiles = new Map();
    this.element = el("div", { class: "strip", role: "group", "aria-label": "Pictures" });
  }

  show(jobs, shown, picture) {
    const wanted = [];
    const running = store.open().find((job) => jobs.includes(job) && !isOver(job));
    if (running) wanted.push(this.#liveTile(running, !picture));
    for (const item of jobs.flatMap((job) => job.pictures).slice(0, MOST)) {
      wanted.push(this.#tile(item, item.id === picture?.id, item.job_id === shown?.id));
    }
    this.element.hidden = wanted.length < 2;
    const now = [...this.element.children];
    if (now.length !== wanted.length || now.some((tile, at) => tile !== wanted[at])) {
      this.element.replaceChildren(...wanted);
    }
  }

  /** Move the focus along when it was on a thumbnail. */
  focusChosen(from) {
    const chosen = this.element.querySelector("[aria-current='true']");
    chosen?.scrollIntoView({ block: "nearest", inline: "nearest" });
    if (this.element.contains(from)) chosen?.focus({ preventScroll: true });
  }

  #tile(picture, chosen, ofShownJob) {
    let tile = this.tiles.get(picture.id);
    if (!tile) {
      const image = el("img", { src: picture.thumbnail, alt: "", loading: "lazy" });
      const label = `Show: ${picture.prompt || "no prompt"}, seed ${picture.seed}`;
      tile = button("", () => this.onChoose(picture.id), { class: "tile", "aria-label": label });
      tile.append(image);
      this.tiles.set(picture.id, tile);
    }
    setAttribute(tile, "aria-current", String(chosen));
    tile.classList.toggle("of-job", ofShownJob);
    return tile;
  }

  #liveTile(job, chosen) {
    if (!this.live) {
      this.liveImage = el("img", { alt: "" });
      this.live = button("", () => this.onChoose(null), {
        class: "tile live",
        "aria-label": "Show the picture that is being made",
      });
      this.live.append(this.liveImage);
    }
    const preview = previewOf(job);
    this.liveImage.hidden = !preview;
    if (preview) setAttribute(this.liveImage, "src", preview);
    setAttribute(this.live, "aria-current", String(chosen));
    return this.live;
  }
}
