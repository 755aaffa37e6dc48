/** A number field that is left empty gets back what stood in it: Gradio would put the smallest value
 *  there. Where a number may be anything, such as a seed, empty is empty. */

import { type } from "./dom.js";

const stood = new WeakMap(); // field -> what stood in it when it was entered

export function watchNumbers() {
  document.addEventListener("focusin", onEnter);
  window.addEventListener("blur", onLeave, true); // before Gradio hears of it
}

const hasLimits = (field) =>
  field instanceof HTMLInputElement && field.matches('[type="number"][min]') && !field.closest(".gesso-live");

function onEnter({ target }) {
  if (hasLimits(target) && target.value !== "") stood.set(target, target.value);
}

function onLeave({ target }) {
  if (hasLimits(target) && target.value === "" && stood.has(target)) type(target, stood.get(target));
}
