/** The trash in the History: what lies there, emptied by hand or after 30 days. */

import { unremove } from "./actions.js";
import { el, setText } from "./dom.js";
import { act, actTwice } from "./lines.js";
import { notify } from "./notices.js";
import { deleteForGood, deleteUnusedInputs, emptyTrash, getUnusedInputs } from "./server.js";
import { fileSize, pictures } from "./words.js";

/** The line above the pictures of the trash; `onEmptied` is called when they are gone. */
export class TrashBar {
  constructor(onEmptied) {
    this.uploads = el("span");
    this.sweep = actTwice("Delete them", "Really delete?", () => guarded(() => this.#sweep()), {
      id: "history_sweep",
      "aria-label": "Delete unused uploads",
    });
    this.line = el("p", { hidden: true }, this.uploads, this.sweep);
    const empty = actTwice("Empty the trash", "Really delete all?", () => guarded(() => this.#empty()), {
      id: "history_empty_trash",
    });
    this.onEmptied = onEmptied;
    this.element = el(
      "div",
      { class: "trash", hidden: true },
      el("p", {}, el("span", { text: "Deleted pictures stay here for 30 days." }), empty),
      this.line,
    );
  }

  show(isOn) {
    this.element.hidden = !isOn;
    if (isOn) guarded(() => this.#count());
  }

  async #count() {
    const { count, bytes } = await getUnusedInputs();
    this.line.hidden = count === 0;
    const what = count === 1 ? "1 upload is" : `${count} uploads are`;
    setText(this.uploads, `${what} in no picture, job or plan of yours (${fileSize(bytes)}).`);
  }

  async #empty() {
    const { deleted } = await emptyTrash();
    notify(`${pictures(deleted)} deleted for good.`);
    this.onEmptied();
  }

  async #sweep() {
    const { bytes } = await deleteUnusedInputs();
    notify(`${fileSize(bytes)} freed.`);
    await this.#count();
  }
}

/** What can be done with a picture of the trash; `onGone(picture)` is called when it left it. */
export function trashActions(current, onGone) {
  const gone = (run, words) => () =>
    guarded(async () => {
      const picture = current();
      await run(picture);
      onGone(picture);
      notify(words);
    });
  const drop = gone((picture) => deleteForGood(picture.id), "Picture deleted for good.");
  return el(
    "div",
    { class: "actions", role: "group", "aria-label": "With this picture", hidden: true },
    act("Restore", gone(unremove, "Picture restored."), { id: "history_restore" }),
    actTwice("Delete for good", "Really delete?", drop, { id: "history_delete_for_good" }),
  );
}

async function guarded(run) {
  try {
    await run();
  } catch (error) {
    notify(error.message, { tone: "bad" });
  }
}
