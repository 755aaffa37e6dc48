/** The queue in full: one's own jobs to be moved, held and cancelled; everybody's for the owner. */

import { button, el, setAttribute, setText } from "./dom.js";
import { notify } from "./notices.js";
import * as server from "./server.js";
import { store } from "./store.js";
import { duration, pictures, placeWords, timeLeft } from "./words.js";

const MOST_ROWS = 50;

export class QueuePanel {
  #rows = new Map();
  #everybody = new Map();
  #isAsking = false;

  /** `close` is called when the panel is to be closed. */
  constructor(close) {
    this.pause = button("", () => act(() => server.pauseMine(!store.isPaused)), { class: "gesso-quiet" });
    this.cancel = button("Cancel all mine", () => act(server.cancelMine), { class: "gesso-quiet" });
    this.mine = el("div", { role: "list", "aria-label": "My jobs" });
    this.rest = el("p", { class: "note" });
    this.others = el("div", { role: "list", "aria-label": "Jobs of others" });
    this.pauseQueue = button("", () => act(() => server.pauseQueue(!store.isQueuePaused)), {
      class: "gesso-quiet",
    });
    this.owners = el(
      "section",
      { hidden: true },
      el("header", {}, el("h3", { text: "Everybody" }), this.pauseQueue),
      this.others,
    );
    this.element = el(
      "div",
      { class: "queue-panel", role: "group", "aria-label": "The queue", hidden: true },
      el("header", {}, el("h3", { text: "My jobs" }), this.pause, this.cancel, icon("✕", "Close the queue", close)),
      this.mine,
      this.rest,
      this.owners,
    );
  }

  show(isShown) {
    this.element.hidden = !isShown;
    this.update();
  }

  update() {
    if (this.element.hidden) return;
    const open = store.open();
    const shown = open.slice(0, MOST_ROWS);
    setText(this.pause, store.isPaused ? "Go on" : "Pause all mine");
    this.cancel.disabled = open.length === 0;
    fill(this.mine, shown, this.#rows, (job) => new OwnRow(job));
    const left = Math.max(store.queued, open.length) - shown.length;
    setText(this.rest, left > 0 ? `and ${left} more` : open.length ? "" : nothingWaits());
    this.owners.hidden = !store.manages && !store.isQueuePaused;
    setText(this.pauseQueue, store.isQueuePaused ? "Let the queue go on" : "Pause after this job");
    this.pauseQueue.hidden = !store.manages && !store.canManage;
    if (store.manages) this.#askForOthers();
    else this.others.replaceChildren();
  }

  /** Others' jobs are not part of the state: they are asked for while the owner looks. */
  async #askForOthers() {
    if (this.#isAsking) return;
    this.#isAsking = true;
    try {
      const mine = new Set(store.open().map((job) => job.id));
      const { jobs } = await server.getWholeQueue();
      const rows = jobs.filter((job) => !mine.has(job.id)).slice(0, MOST_ROWS);
      fill(this.others, rows, this.#everybody, (job) => new OthersRow(job));
    } catch {
      // offline, or no longer an owner: the next state tells
    } finally {
      this.#isAsking = false;
    }
  }
}

/** One of one's own jobs. */
class OwnRow {
  constructor(job) {
    const name = (job.prompt || "no prompt").slice(0, 60);
    this.what = el("span", { class: "what", text: name, title: job.prompt });
    this.when = el("span", { class: "when" });
    const change = (asked) => () => act(() => server.changeJob(this.job.id, asked(this.job)));
    this.moves = [
      icon("⇈", `First of mine: ${name}`, change(() => ({ move: "top" }))),
      icon("↑", `Earlier: ${name}`, change(() => ({ move: "up" }))),
      icon("↓", `Later: ${name}`, change(() => ({ move: "down" }))),
    ];
    this.hold = icon("", "", change((now) => (now.hold === "not_before" ? { not_before: 0 } : { is_paused: now.hold !== "paused" })));
    const cancel = icon("✕", `Cancel: ${name}`, () => act(() => server.cancelJob(this.job.id)));
    this.name = name;
    this.element = row(this.what, this.when, ...this.moves, this.hold, cancel);
  }

  update(job) {
    this.job = job;
    const waits = job.state === "queued";
    setText(this.when, waits ? placeWords(job) : timeLeft(job) || "running");
    for (const move of [...this.moves, this.hold]) move.disabled = !waits;
    const isHeld = job.hold === "paused" || job.hold === "not_before";
    sign(this.hold, isHeld ? "play" : "pause");
    // one job can't go on by itself while all are held, and holding it once more would be found late
    if (store.isPaused) this.hold.disabled = true;
    const all = store.isPaused && waits ? "Paused with all of mine" : null;
    label(this.hold, `${all ?? (isHeld ? "Let go on" : "Pause")}: ${this.name}`);
  }
}

/** A job of somebody else, as the owner sees it: whose, not what. */
class OthersRow {
  constructor(job) {
    const name = `${job.name}'s job`;
    this.what = el("span", { class: "what", text: name });
    this.when = el("span", { class: "when" });
    this.first = icon("⇈", `Next turn for ${job.name}`, () =>
      act(() => server.changePersonInQueue(job.person, { is_next: true })),
    );
    const hold = icon("", `Pause: ${name}`, () =>
      act(() => server.changeAnyJob(job.id, { is_paused: true })),
    );
    sign(hold, "pause");
    const cancel = icon("✕", `Cancel: ${name}`, () => act(() => server.cancelAnyJob(job.id)));
    this.hold = hold;
    this.element = row(this.what, this.when, this.first, hold, cancel);
  }

  update(job) {
    const left = duration(job.seconds_left);
    const place = job.state !== "queued" ? "running" : `${job.position} ahead`;
    const words = [pictures(job.picture_count), place, left && `about ${left}`];
    setText(this.when, words.filter(Boolean).join(", "));
    this.first.disabled = this.hold.disabled = job.state !== "queued";
  }
}

const row = (...parts) => el("div", { class: "row", role: "listitem" }, ...parts);

function icon(sign, words, onClick) {
  const made = button(sign, onClick, { class: "gesso-icon" });
  label(made, words);
  return made;
}

/** "pause" or "play", drawn by the look: not every font has them. */
const sign = (made, name) => setAttribute(made, "data-sign", name);

const nothingWaits = () =>
  store.isPaused ? "Nothing waits. New jobs will wait until you go on." : "Nothing waits.";

function label(made, words) {
  made.setAttribute("aria-label", words);
  made.title = words;
}

/** Show these jobs in this order, keeping the elements of those that were there: focus stays. */
function fill(list, jobs, rows, make) {
  for (const id of [...rows.keys()]) if (!jobs.some((job) => job.id === id)) rows.delete(id);
  const wanted = jobs.map((job) => {
    if (!rows.has(job.id)) rows.set(job.id, make(job));
    rows.get(job.id).update(job);
    return rows.get(job.id).element;
  });
  const now = [...list.children];
  if (now.length === wanted.length && now.every((item, at) => item === wanted[at])) return;
  const focused = document.activeElement;
  list.replaceChildren(...wanted);
  if (list.contains(focused)) focused.focus();
}

async function act(change) {
  try {
    await change();
    store.refreshNow();
  } catch (error) {
    notify(error.message, { tone: "bad" });
  }
}
