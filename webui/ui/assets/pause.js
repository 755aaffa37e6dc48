/** All of one's own jobs held back: what is said of it, and the way to go on. */

import { button } from "./dom.js";
import { notify } from "./notices.js";
import { pauseMine } from "./server.js";
import { store } from "./store.js";

export const PAUSED_WORDS = "Your jobs are paused";

/** A small button that lets them go on. */
export const goOnButton = () =>
  button("Go on", goOn, {
    class: "gesso-go-on",
    "aria-label": "Let my jobs go on",
    title: "Let my jobs go on",
  });

async function goOn() {
  try {
    await pauseMine(false);
    store.refreshNow();
  } catch (error) {
    notify(error.message, { tone: "bad" });
  }
}
