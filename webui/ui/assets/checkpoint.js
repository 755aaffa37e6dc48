/** The checkpoint that is chosen in the top bar. */

import { inputOf, settled, type } from "./dom.js";

/** Its id. */
export const chosenCheckpoint = () => inputOf("gesso_followed_model")?.value ?? "";

/** Ask the page to take another one; see model_switch.py. */
export async function chooseCheckpoint(id) {
  type(inputOf("gesso_wanted_model"), id);
  await settled();
  document.getElementById("gesso_take_model").click();
}
