/** One download: how far it is, and what can be done about it. */

import { button, el, setText } from "./dom.js";
import { notify } from "./notices.js";
import { changeDownload, removeDownload } from "./server.js";
import { duration, fileSize } from "./words.js";

const STATES = {
  waiting: "Waiting",
  running: "Downloading",
  checking: "Checking",
  paused: "Paused",
  done: "Done",
  failed: "Did not work",
};

const came = (bytes) => (bytes < 1e6 ? `${Math.round(bytes / 1e3)} kB` : fileSize(bytes));

export class DownloadRow {
  /** `onChange()` is called after each change that the person made. */
  constructor({ onChange }) {
    this.onChange = onChange;
    this.name = el("span", { class: "name" });
    this.words = el("span", { class: "quiet" });
    this.spoken = el("span", { class: "note", role: "status" });
    this.bar = el("progress", { max: 1 });
    this.pause = button("Pause", () => this.#do(changeDownload(this.id, "pause")), { class: "gesso-button small" });
    this.resume = button("Resume", () => this.#do(changeDownload(this.id, "resume")), { class: "gesso-button small" });
    this.remove = button("", () => this.#do(removeDownload(this.id)), { class: "gesso-button small" });
    this.element = el(
      "li",
      {},
      this.name,
      this.words,
      this.bar,
      el("span", { class: "buttons" }, this.pause, this.resume, this.remove),
      this.spoken,
    );
  }

  /** Show a download as the server has it. */
  show(download) {
    this.id = download.id;
    this.state = download.state;
    this.label = download.label;
    const isOpen = ["waiting", "running", "checking"].includes(download.state);
    const isOver = download.state === "done";
    setText(this.name, download.name);
    setText(this.spoken, download.note || (isOver ? "It is in its folder." : ""));
    this.spoken.classList.toggle("fault", download.state === "failed");
    this.pause.hidden = !isOpen;
    this.resume.hidden = isOpen || isOver;
    setText(this.remove, isOver ? "Clear" : "Cancel");
    for (const one of [this.pause, this.resume, this.remove]) {
      one.setAttribute("aria-label", `${one.textContent} ${download.name}`);
    }
    this.bar.setAttribute("aria-label", `Progress of ${download.name}`);
    this.bar.hidden = isOver || download.state === "failed";
    this.progress(download);
  }

  /** Show how far it is. */
  progress({ received_bytes: received, total_bytes: total, bytes_per_s: speed, seconds_left: left }) {
    if (total) this.bar.value = received / total;
    else this.bar.removeAttribute("value");
    const amount = received === total || !total ? came(received) : `${came(received)} of ${fileSize(total)}`;
    const isMoving = this.state === "running" && speed > 0;
    const pace = isMoving ? `${(speed / 1e6).toFixed(1)} MB/s` : "";
    const rest = isMoving && left != null ? `${duration(left)} left` : "";
    const label = this.state === "done" ? this.label : "";
    setText(this.words, [STATES[this.state], label, amount, pace, rest].filter(Boolean).join(" · "));
  }

  async #do(change) {
    try {
      await change;
      await this.onChange();
    } catch (error) {
      notify(error.message, { tone: "bad" });
    }
  }
}
