/** While the server is away nothing is asked of it: Gradio would load the page anew when it is back. */

import { notify } from "./notices.js";
import { store } from "./store.js";

export function watchAway() {
  document.addEventListener("click", onClick, true);
}

function onClick(event) {
  if (store.online || !event.target.closest?.("[id$=_generate]")) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  notify("The server does not answer. What you typed stays; press Generate when it is back.", { tone: "bad" });
}
