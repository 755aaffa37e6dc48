/** The token counter in the corner of each prompt, with what is doubtful in the prompt. */

import { el, inputOf, isShown, setText } from "./dom.js";
import { readPrompt } from "./server.js";

const LOOK_MS = 400; // controls that Gradio fills tell nobody: the boxes are looked at
const BOXES = '.gesso-prompt-row :is([id$="_prompt"]) textarea';

let isAsking = false;

/** Keep the counters up to date. One question at a time, and only when a text has changed. */
export function watchCounters() {
  setInterval(() => {
    if (document.hidden || isAsking) return;
    const changed = [...document.querySelectorAll(BOXES)].find(
      (box) => isShown(box) && box.dataset.counted !== box.value,
    );
    if (changed) count(changed);
  }, LOOK_MS);
}

async function count(box) {
  const prompt = box.value;
  box.dataset.counted = prompt;
  const counter = counterOf(box);
  if (!prompt.trim()) return show(counter, "", "");
  isAsking = true;
  try {
    show(counter, ...words(await readPrompt(question(box, prompt))));
  } catch {
    show(counter, "", ""); // offline, or too long: Generate says what is wrong
  } finally {
    isAsking = false;
  }
}

function question(box, prompt) {
  const id = box.closest(".block").id;
  const is_negative = id.endsWith("_neg_prompt");
  const mode = id.replace(/_(neg_)?prompt$/, "");
  const steps = Number(inputOf(`${mode}_steps`)?.value) || 20;
  return { prompt, is_negative, steps: Math.min(Math.max(Math.round(steps), 1), 150) };
}

function words({ tokens, limit, warnings, error }) {
  const doubt = error ?? warnings[0];
  return [error ? "" : `${tokens}/${limit}`, doubt ? doubt.message : ""];
}

function show(counter, number, hint) {
  setText(counter.querySelector(".number"), number);
  setText(counter.querySelector(".hint"), hint);
  counter.title = hint;
  counter.hidden = !number && !hint;
}

/** The counter of a prompt; made when the prompt is seen for the first time. */
function counterOf(box) {
  const block = box.closest(".block");
  let counter = block.querySelector(".gesso-counter");
  if (!counter) {
    const id = block.id.replace("_neg_prompt", "_negative_prompt").replace(/prompt$/, "token_counter");
    const parts = [el("span", { class: "hint" }), el("span", { class: "number" })];
    counter = el("div", { class: "gesso-counter", id, hidden: true }, ...parts);
    block.append(counter);
  }
  return counter;
}
