/** What the server is doing with model files: looking through folders, computing hashes. */

import { button, el, isShown, setText } from "./dom.js";
import { notify } from "./notices.js";
import { cancelHashes, computeHashes, getModelWork } from "./server.js";

const BUSY_MS = 1000;
const IDLE_MS = 15_000;

export class ModelWork {
  /** `onChange()` is called when models came, went or changed. */
  constructor({ onChange }) {
    this.onChange = onChange;
    this.words = el("span", { class: "words", role: "status" });
    this.bar = el("progress", { max: 1, value: 0, "aria-label": "Progress" });
    this.stop = button("Cancel", () => this.#do(cancelHashes()), { class: "gesso-button small" });
    this.twins = button("Find duplicates", () => this.#do(computeHashes(true)), {
      class: "gesso-button",
      title: "Reads files of the same size from end to end and compares them",
    });
    this.all = button("Compute all hashes", () => this.#do(computeHashes(false)), {
      class: "gesso-button",
      title: "Reads every file once, while no job runs; pictures of other programs find their models by them",
    });
    this.element = el("div", { class: "work" }, this.words, this.bar, this.stop, this.twins, this.all);
  }

  /** Ask now, and again and again while the tab is open. */
  async follow() {
    clearTimeout(this.timer);
    if (!this.element.isConnected) return;
    const isSeen = !document.hidden && isShown(this.element.parentElement);
    if (isSeen) this.#take(await getModelWork().catch(() => null));
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.follow(), isSeen && this.isBusy ? BUSY_MS : isSeen ? IDLE_MS : BUSY_MS);
  }

  #take(work) {
    if (!work) return;
    this.isBusy = Boolean(work.looking || work.hashing);
    setText(this.words, workWords(work));
    this.bar.hidden = !this.isBusy;
    this.bar.value = fraction(work);
    this.stop.hidden = !work.hashing;
    this.twins.hidden = this.all.hidden = this.isBusy || work.hashed === work.models;
    const changed = this.version !== undefined && this.version !== work.version;
    this.version = work.version;
    if (changed) this.onChange();
  }

  async #do(change) {
    try {
      const work = await change;
      if (!work.hashing && work.hashed < work.models && this.stop.hidden) {
        notify("No two files without a hash have the same size: there are no other duplicates.");
      }
      this.#take(work);
      this.follow();
    } catch (error) {
      notify(error.message, { tone: "bad" });
    }
  }
}

function workWords({ looking, hashing, hashed, models }) {
  if (looking) {
    const { done, total } = looking;
    return `Looking at new files: ${done.toLocaleString()} of ${total.toLocaleString()}`;
  }
  if (hashing) {
    const at = Math.min(hashing.done + 1, hashing.total).toLocaleString();
    const count = `${at} of ${hashing.total.toLocaleString()}`;
    const what = hashing.is_waiting ? "waiting for a job to end" : hashing.name;
    return `Computing hashes: ${count} · ${what}`;
  }
  if (hashed === models) return "All hashes are known";
  return `Hashes known: ${hashed.toLocaleString()} of ${models.toLocaleString()}`;
}

function fraction({ looking, hashing }) {
  if (looking) return looking.done / Math.max(1, looking.total);
  return hashing ? hashing.done_bytes / Math.max(1, hashing.total_bytes) : 0;
}
