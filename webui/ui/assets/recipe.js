/** How a picture was made: one line with a copy button. */

import { button, el, setText } from "./dom.js";
import { notify } from "./notices.js";
import { getPicture } from "./server.js";

/** The line below a picture. */
export class RecipeLine {
  constructor() {
    this.words = el("span", { class: "words" });
    this.copy = button("Copy", () => this.#copy(), {
      class: "gesso-button small",
      "aria-label": "Copy the recipe",
    });
    this.element = el("div", { class: "recipe", hidden: true }, this.words, this.copy);
  }

  async show(picture) {
    this.element.hidden = !picture;
    if (!picture || picture.id === this.shown) return;
    this.shown = picture.id;
    setText(this.words, picture.prompt);
    try {
      const full = await getPicture(picture.id);
      if (this.shown !== picture.id) return;
      this.infotext = full.infotext;
      setText(this.words, recipeWords(full));
    } catch {
      this.infotext = picture.prompt;
    }
  }

  async #copy() {
    await copyText(this.infotext);
  }
}

/** Put text on the clipboard and say so. */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    notify("Recipe copied.");
  } catch {
    notify("The browser did not allow copying. Mark the text and copy it by hand.", {
      tone: "bad",
    });
  }
}

/** A recipe in one line. */
export function recipeWords({ recipe, infotext }) {
  const said = (key) =>
    new RegExp(`(?:^|, )${key}: ([^,\\n]+)`).exec(infotext.split("\n").at(-1))?.[1];
  if (recipe.extras) {
    const size = `${recipe.width}×${recipe.height}`;
    return [recipe.prompt, said("Postprocess upscaler"), size].filter(Boolean).join(" · ");
  }
  const sampler = said("Sampler");
  return [
    recipe.prompt || "no prompt",
    `${recipe.steps} steps ${sampler ?? recipe.sampler}`,
    `guidance ${recipe.guidance_scale}`,
    recipe.source && `denoising ${recipe.source.denoising_strength}`,
    `seed ${recipe.seed}`,
    `${recipe.width}×${recipe.height}`,
    recipe.hires && hiresWords(recipe.hires),
    recipe.model.name,
    recipe.refiner && `refiner ${said("Refiner")?.replace(/ \[.*/, "")}`,
  ]
    .filter(Boolean)
    .join(" · ");
}

const hiresWords = ({ width, height, scale }) =>
  width && height ? `hires ${width}×${height}` : `hires ${scale}×`;
