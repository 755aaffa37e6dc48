/** Progress in the window's title, to be seen from another window. */

import { store } from "./store.js";
import { fraction } from "./words.js";

const NAME = "Gesso";

export function watchTitle() {
  store.watch(() => {
    const job = store.open().find((other) => other.state !== "queued");
    const title = job ? `${Math.round(fraction(job) * 100)} % · ${NAME}` : NAME;
    if (document.title !== title) document.title = title;
  });
}
