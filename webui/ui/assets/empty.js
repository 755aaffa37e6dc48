/** What stands in the place of the picture before the first one. */

import { button, el, inputOf, settled, type } from "./dom.js";

const EXAMPLES = [
  "a house in a meadow, 3d style",
  "a rocket in space, 3d style",
  "a penguin in the snow, 3d style",
  "a lion in the desert, 3d style",
];
const FIRST_STEP = {
  img2img: "Add a source picture, say what it should become, and press Generate.",
  inpaint: "Add a picture, paint over the part that should change, and press Generate.",
  extras: "Add a picture, choose how much larger it should become, and press Upscale.",
};

export function emptyState(mode) {
  if (mode !== "txt2img") {
    return el("div", { class: "empty" }, el("p", { text: FIRST_STEP[mode] ?? "" }));
  }
  const examples = EXAMPLES.map((prompt) =>
    el(
      "li",
      {},
      button(prompt, () => tryOut(mode, prompt), { class: "gesso-example" }),
    ),
  );
  return el(
    "div",
    { class: "empty" },
    el("p", { text: "Write what you want to see, or try one of these." }),
    el("ul", { class: "examples" }, ...examples),
  );
}

async function tryOut(mode, prompt) {
  type(inputOf(`${mode}_prompt`), prompt);
  await settled();
  document.getElementById(`${mode}_generate`)?.click();
}
