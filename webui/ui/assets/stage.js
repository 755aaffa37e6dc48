/** The large picture: a finished one, the preview of a running job, or what to do when empty. */

import { Compare } from "./compare.js";
import { button, el, setAttribute, setText } from "./dom.js";
import { emptyState } from "./empty.js";
import { restore } from "./restore.js";
import { previewOf } from "./previews.js";
import { setShape } from "./shape.js";
import { isOver } from "./store.js";
import { fraction, jobWords } from "./words.js";

export class Stage {
  constructor(mode, onEnlarge) {
    this.image = el("img", { alt: "", decoding: "async" });
    this.open = button("", () => onEnlarge(this.picture), {
      class: "picture",
      "aria-label": "Enlarge the picture",
    });
    this.open.append(this.image);
    this.waiting = el("p", { class: "waiting", "aria-hidden": "true" });
    this.bar = el("progress", { max: 1, value: 0, "aria-hidden": "true" });
    this.failure = el("div", { class: "failure" });
    this.empty = emptyState(mode);
    this.compare = new Compare();
    this.element = el(
      "div",
      { class: "stage" },
      this.empty,
      this.open,
      this.compare.element,
      this.waiting,
      this.failure,
      this.bar,
    );
  }

  show(job, picture) {
    this.picture = picture;
    const running = Boolean(job && !picture && !isOver(job));
    const preview = running ? previewOf(job) : "";
    const failed = Boolean(job && !picture && job.state === "failed");
    this.empty.hidden = Boolean(picture || running || failed);
    this.waiting.hidden = !running || Boolean(preview);
    this.failure.hidden = !failed;
    this.bar.hidden = !running;
    if (running) this.bar.value = fraction(job);
    if (failed) this.#explain(job);
    this.compare.leave(picture);
    this.#draw(preview || picture?.url, picture ?? job, Boolean(picture));
    if (running && !preview) setText(this.waiting, waitingWords(job));
  }

  /** Show the picture over the one it was made from, with a slider between them. */
  toggleCompare(sourceUrl) {
    this.compare.toggle(this.picture, sourceUrl);
    this.open.hidden = this.compare.isOpen;
  }

  #draw(url, size, finished) {
    this.open.hidden = !url || this.compare.isOpen;
    if (!url) return;
    this.open.disabled = !finished;
    setShape(this.open, size);
    setAttribute(this.image, "src", url);
    setAttribute(
      this.image,
      "alt",
      finished ? size.prompt || "Picture without a prompt" : "Preview",
    );
    this.image.classList.toggle("preview", !finished);
  }

  #explain(job) {
    if (this.failure.dataset.job === job.id) return;
    this.failure.dataset.job = job.id;
    const again = button("Try again", () => restore({ retry: job.id }), { class: "gesso-button" });
    const words = el("p", {});
    setText(words, job.reason || "The engine gave no reason.");
    this.failure.replaceChildren(el("h3", { text: "This did not work" }), words, again);
  }
}

function waitingWords(job) {
  return job.state === "queued" ? jobWords(job) : job.progress?.note || "Getting ready";
}
