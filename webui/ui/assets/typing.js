/**
 * Keeps what is typed while Gradio is still filling a part of the page. In the frame after a group
 * or a tab is opened for the first time, Gradio puts the first values over what stands there; and
 * when the page is opened, so may its load event.
 */

import { type } from "./dom.js";

const FRAMES = 4; // Gradio needs one or two
const OPENERS = ".label-wrap, .tab-wrapper button";
const FIELDS = "textarea, input:not([role], [type=file])";

const typed = new Map(); // field -> what was typed into it last
let fillings = "filled" in document.body.dataset ? 0 : 1; // parts being filled now: at first the page

export function watchTyping() {
  document.addEventListener("click", onClick, true);
  document.addEventListener("input", onInput, true);
}

/** The page's load event is over. */
export function filled() {
  putBack();
  end();
}

function onClick({ target }) {
  if (target.closest(OPENERS)) fill();
  else if (target.closest("button")) typed.clear(); // it may be about to set other values
}

function onInput({ target }) {
  if (fillings === 0 || !target.matches(FIELDS)) return;
  // Gradio moves a number out of range to the nearest that is in it; that shall stay so.
  if (target.validity.rangeUnderflow || target.validity.rangeOverflow) typed.delete(target);
  else typed.set(target, valueOf(target));
}

async function fill() {
  fillings += 1;
  for (let frame = 0; frame < FRAMES; frame++) {
    await new Promise((resolve) => requestAnimationFrame(resolve));
    putBack();
  }
  end();
}

function end() {
  fillings -= 1;
  if (fillings === 0) typed.clear();
}

const isTick = (field) => ["checkbox", "radio"].includes(field.type);
const valueOf = (field) => (isTick(field) ? field.checked : field.value);

function putBack() {
  for (const [field, value] of [...typed]) {
    if (!field.isConnected || valueOf(field) === value) continue;
    if (isTick(field)) field.click();
    else type(field, value);
  }
}
