/** Keys of the whole page: Ctrl+Enter generates, Esc cancels; and those of the prompts. */

import { editPrompt } from "./attention.js";
import { isShown } from "./dom.js";
import { cancelCurrent } from "./generate.js";
import { isEscTaken } from "./layers.js";

const MODES = ["txt2img", "img2img", "inpaint", "extras"];

/** The tab that makes pictures and is open now; undefined on other tabs. */
export const openMode = () =>
  MODES.find((mode) => isShown(document.getElementById(`${mode}_generate`)));

/** Esc belongs to what is open on the page, as it was before anything heard of the key; only what
 *  nothing else takes cancels. */
let isEscFree = false;

export function watchKeys() {
  document.addEventListener("keydown", onKey, true);
  document.addEventListener("keydown", onEscape);
}

function onKey(event) {
  const mode = openMode();
  isEscFree = false;
  if (!mode || document.querySelector("dialog[open]")) return;
  if (editPrompt(event)) return;
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    event.stopPropagation();
    generate(mode, event.target);
  }
  isEscFree = !event.repeat && !event.isComposing && !isEscTaken(event);
}

/** Whatever closes itself with Esc keeps the key from coming here. */
function onEscape(event) {
  if (event.key === "Escape" && isEscFree && !event.defaultPrevented) cancelCurrent(openMode());
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
