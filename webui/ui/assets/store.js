/**
 * What this page knows of the server: engines, jobs, whether it is connected. The server's state
 * is the truth; this is a copy that events keep up to date and that each reconnect replaces.
 */

import { dropPreview, fetchPreview } from "./previews.js";
import { getJob, getJobs, getPicture, getState } from "./server.js";

const OVER = new Set(["done", "failed", "cancelled"]);
const ENDS = new Set(["finished", "failed", "cancelled"]); // events after which a job is over
const REFRESH_AFTER_MS = 80;

export const isOver = (job) => OVER.has(job.state);

class Store {
  online = true;
  known = false; // whether a state has arrived yet
  boot = "";
  version = "";
  engines = [];
  waiting = "";
  disk = { is_low: false };
  queued = 0; // how many of one's own wait; of many only the first are known here
  isPaused = false; // all of one's own
  isQueuePaused = false;
  canManage = false; // an owner, on a server of several people
  manages = false; // and somebody else has jobs
  jobs = new Map();
  mine = new Set(JSON.parse(sessionStorage.getItem("gesso.mine") ?? "[]"));

  planned = new Set(); // tabs in which a plan hands jobs in

  #followed = new Set(); // tabs whose newest jobs are kept here
  #order = []; // ids of open jobs, as they will run
  #watchers = new Set();
  #frame = 0;
  #timer = 0;

  /** Call `watcher` after each change, at most once a frame; the way to stop. */
  watch(watcher) {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  /** Jobs that wait or run, in the order they will run. */
  open() {
    return this.#order.map((id) => this.jobs.get(id)).filter((job) => job && !isOver(job));
  }

  /** All known jobs of a tab that make pictures, newest first. */
  ofMode(mode) {
    const found = [...this.jobs.values()].filter((job) => job.mode === mode && !job.verifies);
    return found.sort((a, b) => b.created_at - a.created_at || (a.id < b.id ? 1 : -1));
  }

  /** Remember that this window asked for the job. */
  claim(id) {
    this.mine.add(id);
    sessionStorage.setItem("gesso.mine", JSON.stringify([...this.mine].slice(-200)));
  }

  /** Ask for the state now: this window has changed something. */
  refreshNow() {
    this.#refreshSoon();
  }

  setOnline(online) {
    if (this.online === online) return;
    this.online = online;
    this.#changed();
  }

  /** Learn what others began and finished while nothing was heard from the server. */
  catchUp() {
    for (const mode of this.#followed) this.loadRecent(mode).catch(() => {});
  }

  /** Take over a whole state; jobs that ended unseen are asked for once. */
  takeState(state) {
    const open = new Set(state.jobs.map((job) => job.id));
    for (const job of this.jobs.values()) {
      if (!isOver(job) && !open.has(job.id)) this.#fetchJob(job.id);
    }
    for (const job of state.jobs) {
      this.jobs.set(job.id, job);
      if (job.preview_version) fetchPreview(job, () => this.#changed());
    }
    this.#order = state.jobs.map((job) => job.id);
    const { boot, version, engines, waiting, disk, queued } = state;
    Object.assign(this, { boot, version, engines, waiting, disk, queued, known: true });
    this.isPaused = state.is_paused;
    this.isQueuePaused = state.is_queue_paused;
    this.canManage = state.can_manage;
    this.manages = state.others_in_queue;
    this.#changed();
  }

  /** Take over one event of the stream. */
  takeEvent(type, data) {
    const job = this.jobs.get(data.job_id);
    if (type === "job_progress") this.#patch(job, { state: "running", progress: data });
    else if (type === "preview_ready") this.#takePreview(job, data.version);
    else if (type === "picture_saved") this.#addPicture(job, data.picture_id);
    else this.#transition(type, job, data);
  }

  /** Learn the newest jobs of a tab, now and when catching up. */
  async loadRecent(mode) {
    this.#followed.add(mode);
    for (const job of await getJobs(mode)) {
      if (isOver(job) || !this.jobs.has(job.id)) this.jobs.set(job.id, job);
    }
    this.#changed();
  }

  /** Take over a job that an answer of the server carried. */
  takeJob(job) {
    this.jobs.set(job.id, job);
    if (!isOver(job) && !this.#order.includes(job.id)) this.#order.push(job.id);
    this.#changed();
  }

  /** Forget a picture that was moved to the trash, or put it back in its place. */
  dropPicture(id) {
    for (const job of this.jobs.values()) {
      job.pictures = job.pictures.filter((picture) => picture.id !== id);
    }
    this.#changed();
  }

  keepPicture(picture) {
    const job = this.jobs.get(picture.job_id);
    if (job && !job.pictures.some((other) => other.id === picture.id)) {
      job.pictures = [...job.pictures, picture].sort((a, b) => a.index - b.index);
    }
    this.#changed();
  }

  #transition(type, job, data) {
    if (type === "started") {
      this.#patch(job, { state: "running", recovered: data.recovered, attempts: data.attempt });
      this.waiting = "";
    } else if (type === "waiting") {
      this.waiting = data.reason;
      this.#changed();
    } else if (ENDS.has(type)) {
      this.#fetchJob(data.job_id);
    }
    this.#refreshSoon();
  }

  #takePreview(job, version) {
    if (!job || isOver(job)) return;
    job.preview_version = version;
    fetchPreview(job, () => this.#changed());
  }

  async #addPicture(job, id) {
    if (!job) return;
    try {
      this.keepPicture(await getPicture(id));
    } catch {
      this.#refreshSoon();
    }
  }

  async #fetchJob(id) {
    try {
      const job = await getJob(id);
      this.jobs.set(id, job);
      if (isOver(job)) dropPreview(id);
    } catch (error) {
      if (error.status === 404) this.jobs.delete(id);
    }
    this.#changed();
  }

  /** Positions and times of the whole line change with each transition: ask for them together. */
  #refreshSoon() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(async () => {
      try {
        this.takeState(await getState());
      } catch {
        // offline: the event stream brings a state when it is back
      }
    }, REFRESH_AFTER_MS);
  }

  #patch(job, values) {
    if (!job || isOver(job)) return;
    Object.assign(job, values);
    this.#changed();
  }

  #changed() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      for (const watcher of [...this.#watchers]) watcher();
    });
  }
}

export const store = new Store();
