/** How states, times and sizes are said. Plain words, no jargon of ours. */

import { PAUSED_WORDS } from "./pause.js";
import { isOver, store } from "./store.js";

/** "3 s", "2 min", "1 h 5 min"; "" when not known. */
export function duration(seconds) {
  if (seconds == null) return "";
  if (seconds < 60) return `${Math.max(1, Math.round(seconds))} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** "1 picture", "3 pictures". */
export const pictures = (count) => (count === 1 ? "1 picture" : `${count} pictures`);

/** "12.3 GB free". */
export const freeSpace = (bytes) => `${(bytes / 1e9).toFixed(bytes < 1e10 ? 1 : 0)} GB`;

/** "144 MB", "6.5 GB". */
export const fileSize = (bytes) =>
  bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${Math.max(1, Math.round(bytes / 1e6))} MB`;

/** A date and time as this browser's language says it. */
export const moment = (seconds) =>
  new Date(seconds * 1000).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });

/** What a job is doing, in one line. */
export function jobWords(job) {
  if (job.state === "queued") return queuedWords(job);
  if (job.state === "saving") return "Saving";
  if (job.state === "running") return [...runningWords(job)].join(" · ");
  if (job.state === "cancelled") return cancelledWords(job);
  if (job.state === "failed") return "This did not work";
  return `${pictures(job.pictures.length)} made`;
}

/** How far a running job is, 0..1. */
export const fraction = (job) => (isOver(job) ? 1 : (job.progress?.fraction ?? 0));

/** "3 s left", or "". */
export function timeLeft(job) {
  const left = duration(job.progress?.seconds_left ?? job.seconds_left);
  return left && `${left} left`;
}

function queuedWords(job) {
  if (job.hold) return heldWords(job);
  if (store.waiting) return "Waiting";
  if (store.engines.some((engine) => engine.state === "starting")) {
    return "Waiting for the engine to start";
  }
  if (store.isQueuePaused) return "The queue is paused";
  const when = duration(job.seconds_left);
  if (job.position <= 0) return "Next";
  return `${job.position} ahead of you${when && `, about ${when}`}`;
}

function heldWords(job) {
  if (job.hold !== "not_before") return "Paused";
  const at = new Date(job.not_before * 1000);
  const isToday = at.toDateString() === new Date().toDateString();
  const time = isToday ? { timeStyle: "short" } : { dateStyle: "short", timeStyle: "short" };
  return `Not before ${at.toLocaleString([], time)}`;
}

/** Where a job that waits stands, in a word or two. */
export function placeWords(job) {
  if (job.hold) return heldWords(job).toLowerCase();
  const when = duration(job.seconds_left);
  return job.position <= 0 ? "next" : `${job.position} ahead${when && `, about ${when}`}`;
}

function* runningWords(job) {
  if (job.recovered) yield "Running again after a restart";
  else if (isForeign(job)) yield "Started in another window";
  const progress = job.progress;
  if (progress?.note) yield progress.note;
  else if (progress) {
    if (progress.pictures > 1) yield `Picture ${progress.picture} of ${progress.pictures}`;
    yield `Step ${progress.step} of ${progress.steps}`;
  } else yield "Getting ready";
  if (timeLeft(job)) yield timeLeft(job);
}

const isForeign = (job) => !store.mine.has(job.id) && !store.planned.has(job.mode);

function cancelledWords(job) {
  const kept = job.pictures.length;
  return kept ? `Cancelled, ${pictures(kept)} kept` : "Cancelled";
}

/** The engine and the queue, for the top bar. */
export function statusWords() {
  if (!store.online) return { text: "No connection to the server", tone: "bad" };
  if (!store.known) return { text: "Connecting", tone: "busy" };
  const engine = store.engines[0];
  const open = store.open();
  if (store.waiting) return { text: `Waiting: ${store.waiting}`, tone: "bad" };
  const waiting = Math.max(open.length - 1, store.queued - (open[0]?.state === "queued" ? 1 : 0));
  const paused = store.isQueuePaused ? " · the queue is paused" : "";
  const line = (waiting > 0 ? ` · ${waiting} waiting` : "") + paused;
  switch (engine?.state) {
    case "starting":
      return {
        text: `The engine is starting${open.length ? `, ${open.length} waiting` : ""}`,
        tone: "busy",
      };
    case "restarting":
      return { text: "The engine is restarting, jobs go on by themselves", tone: "busy" };
    case "failed":
      return { text: `The engine can't start. ${engine.detail}`, tone: "bad" };
    case "ready":
    case "busy": {
      // for somebody else, too
      const busy = engine.state === "busy" || open.some((job) => job.state !== "queued");
      const text = `${busy ? "Working" : "Ready"} on ${engine.device}${line}`;
      if (!store.isPaused) return { text, tone: busy ? "busy" : "good" };
      return { text: `${PAUSED_WORDS} · ${text}`, tone: "busy" }; // first, as a phone cuts the rest
    }
    default:
      return { text: "No engine", tone: "bad" };
  }
}
