/** Reuse: the seed of the picture on show goes into the seed field. */

import { inputOf, type } from "./dom.js";
import { notify } from "./notices.js";

export function watchReuse() {
  document.addEventListener("click", (event) => {
    const mode = /^(\w+)_reuse_seed$/.exec(event.target.closest?.("button")?.id ?? "")?.[1];
    if (mode) reuse(mode);
  });
}

function reuse(mode) {
  const picture = document.querySelector(`gesso-results[mode="${mode}"]`)?.picture;
  if (picture) type(inputOf(`${mode}_seed`), String(picture.seed));
  else notify("There is no picture on show whose seed could be reused.");
}
