/** Keys of the whole page: Ctrl+Enter generates, Esc cancels; and those of the prompts. */

import { editPrompt } from "./attention.js";
import { isShown } from "./dom.js";
import { cancelCurrent } from "./generate.js";

const MODES = ["txt2img", "img2img", "inpaint", "extras"];

/** The tab that makes pictures and is open now; undefined on other tabs. */
export const openMode = () =>
  MODES.find((mode) => isShown(document.getElementById(`${mode}_generate`)));

export function watchKeys() {
  document.addEventListener("keydown", onKey, true);
}

function onKey(event) {
  const mode = openMode();
  if (!mode || document.querySelector("dialog[open]")) return;
  if (editPrompt(event)) return;
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    event.stopPropagation();
    generate(mode, event.target);
  } else if (event.key === "Escape" && !isOpenList(event.target)) {
    cancelCurrent(mode);
  }
}

/** A number that is being typed counts for Gradio only when its field is left. */
async function generate(mode, target) {
  if (target instanceof HTMLInputElement) {
    target.blur();
    await new Promise((resolve) => setTimeout(resolve, 60));
    target.focus();
  }
  document.getElementById(`${mode}_generate`).click();
}

/** Esc in an open drop-down list closes the list. */
const isOpenList = (target) => target.getAttribute?.("aria-expanded") === "true";
