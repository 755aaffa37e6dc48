/** The line below Generate: how long it would take, how many jobs are ahead, or why it can't be.
 *  Nothing of scripts, as only the server knows how many pictures they make.
 *  It never stands in the way: what it says is a look, Generate decides. */

import { chosenCheckpoint } from "./checkpoint.js";
import { el, inputOf, isShown, setText } from "./dom.js";
import { isViewer } from "./me.js";
import { goOnButton, PAUSED_WORDS } from "./pause.js";
import { preflight } from "./server.js";
import { store } from "./store.js";
import { duration } from "./words.js";

const LOOK_MS = 500; // controls that Gradio fills tell nobody: they are looked at
const AGAIN_MS = 10_000; // with others in line, their jobs come and go
const NO_SCRIPT = "None"; // as the lists of scripts say it
const MODES = ["txt2img", "img2img", "inpaint"];

let asked = ""; // what was asked about last
let seen = ""; // what the controls said at the last look
let askedAt = 0;
let isAsking = false;
let hasOthersAhead = false;

/** Keep the lines up to date. One question at a time, and only about what stands still. */
export function watchAhead() {
  setInterval(() => {
    const mode = MODES.find((one) => isShown(document.getElementById(`${one}_generate`)));
    if (document.hidden || isAsking || !store.online || !store.known || !mode) return;
    look(mode);
  }, LOOK_MS);
}

function look(mode) {
  const question = questionOf(mode);
  const held = heldWords();
  const now = JSON.stringify([mode, question, held, store.open().length]);
  const isStill = now === seen;
  seen = now;
  if (held || !question) {
    asked = "";
    return say(mode, held);
  }
  if (!isStill && !asked) say(mode, ""); // what held jobs back does so no more
  const isOld = othersMayBeAhead() && performance.now() - askedAt > AGAIN_MS;
  if (isStill && (now !== asked || isOld)) ask(mode, question, now);
}

/** Whether what was said changes by itself. The line is not seen while one's own jobs are open. */
const othersMayBeAhead = () => hasOthersAhead || (isTeam() && store.open().length === 0);

const isTeam = () => !isViewer() && !["local", undefined].includes(document.body.dataset.via);

/** What keeps jobs back, whatever they are; "" when nothing does. */
function heldWords() {
  if (store.isPaused) return PAUSED_WORDS;
  return store.isQueuePaused ? "The queue is paused" : "";
}

async function ask(mode, question, now) {
  isAsking = true;
  asked = now;
  askedAt = performance.now();
  try {
    show(mode, await preflight(question));
  } catch {
    show(mode, null); // offline, or not for this person: Generate says why
  } finally {
    isAsking = false;
  }
}

/** What time and place depend on; prompts and pictures are looked at by Generate. Null when a script
 *  is chosen. */
function questionOf(mode) {
  if (hasScript(`${mode}_script_list`) || hasScript(`${mode}_script_of`)) return null;
  const question = {
    checkpoint: chosenCheckpoint() || null,
    width: whole(`${mode}_width`),
    height: whole(`${mode}_height`),
    batch_size: whole(`${mode}_batch_size`) ?? 1,
    batch_count: whole(`${mode}_batch_count`) ?? 1,
    sampling: { steps: stepsOf(mode) },
  };
  const hires = document.querySelector(`#${mode}_hr-checkbox input`);
  if (hires?.checked) question.hires = hiresOf(mode);
  return question;
}

const hasScript = (id) => ![undefined, "", NO_SCRIPT].includes(inputOf(id)?.value);

function stepsOf(mode) {
  const steps = whole(`${mode}_steps`);
  const strength = mode === "txt2img" ? 1 : (number(`${mode}_denoising_strength`) ?? 1);
  return steps && Math.max(1, Math.round(steps * strength));
}

function hiresOf(mode) {
  const steps = whole(`${mode}_hires_steps`);
  return {
    scale: number(`${mode}_hr_scale`) ?? 2,
    width: whole(`${mode}_hr_resize_x`) || null,
    height: whole(`${mode}_hr_resize_y`) || null,
    steps: steps || null,
    denoising_strength: number(`${mode}_hr_denoising_strength`) ?? 0.7,
  };
}

function number(id) {
  const value = Number.parseFloat(inputOf(id)?.value);
  return Number.isFinite(value) ? value : null;
}

function whole(id) {
  const value = number(id);
  return value == null ? null : Math.round(value);
}

function show(mode, verdict) {
  hasOthersAhead = (verdict?.jobs_ahead ?? 0) > store.open().length;
  say(mode, verdict ? wordsOf(verdict) : "", verdict?.verdict);
}

function say(mode, text, verdict = "") {
  const line = lineOf(mode);
  if (!line) return;
  setText(line.querySelector(".words"), text);
  line.querySelector("button").hidden = text !== PAUSED_WORDS;
  line.title = text;
  line.dataset.verdict = verdict;
}

function wordsOf({ verdict, reason, seconds_alone, seconds, jobs_ahead, loads_model }) {
  if (verdict === "cannot") return reason;
  const time = duration(jobs_ahead ? (seconds ?? seconds_alone) : seconds_alone);
  const words = [time ? `about ${time}` : "time not known yet"];
  if (jobs_ahead) words.push(`${jobs_ahead} ${jobs_ahead === 1 ? "job" : "jobs"} ahead`);
  if (loads_model && time) words.push("with loading the model");
  const line = words.join(", ");
  return verdict === "slow" ? `${line}. Slow: ${reason}` : line;
}

/** The line of a tab; made when the tab is seen for the first time. */
function lineOf(mode) {
  const box = document.getElementById(`${mode}_generate_box`);
  let line = box?.querySelector(".gesso-ahead");
  if (box && !line) {
    const id = `${mode}_ahead`;
    const words = el("span", { class: "words" });
    line = el("p", { class: "gesso-ahead", id, role: "status" }, words, goOnButton());
    box.append(line);
    document.getElementById(`${mode}_generate`)?.setAttribute("aria-describedby", line.id);
  }
  return line;
}
