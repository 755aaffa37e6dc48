/** Short messages at the bottom of the page, and the states that concern the whole page. */

import { button, el, setText } from "./dom.js";
import { Live } from "./live.js";
import { store } from "./store.js";
import { freeSpace } from "./words.js";

const SHOWN_MS = { plain: 3500, answer: 9000, bad: 9000 };
const UNDO_MS = 12_000; // long enough to notice and to reach the button
const MOST = 3;

/** Show a message for a while; `action` is `{label, run}`, `tone` "plain", "bad", or "answer" for
 *  one that was waited for. The way to take it back. */
export function notify(text, options = {}) {
  return document.querySelector("gesso-notices")?.show(text, options);
}

customElements.define(
  "gesso-notices",
  class extends Live {
    build() {
      this.lasting = el("div", { class: "notice lasting", role: "alert", hidden: true });
      this.passing = el("div", { class: "passing", role: "status" });
      this.append(this.lasting, this.passing);
      this.home = this.parentElement;
      const watched = { attributeFilter: ["open"], subtree: true };
      new MutationObserver(() => this.#rise()).observe(document.body, watched);
    }

    /** A dialog that is taken out of the page while it is open does not take the notices with it. */
    disconnectedCallback() {
      super.disconnectedCallback();
      queueMicrotask(() => this.isConnected || this.home.append(this));
    }

    update() {
      const text = lastingWords();
      setText(this.lasting, text);
      this.lasting.hidden = !text;
    }

    /** Stand in the dialog that lies on top: what is outside of it is dim and can't be pressed. */
    #rise() {
      const place = dialogOnTop() ?? this.home;
      if (this.parentElement !== place) place.append(this);
    }

    show(text, { action, tone = "plain" }) {
      const notice = el("div", { class: `notice ${tone}` }, el("span", { text }));
      const remove = () => notice.remove();
      if (action) {
        const act = () => {
          remove();
          action.run();
        };
        notice.append(button(action.label, act, { class: "gesso-button" }));
      }
      notice.append(button("✕", remove, { "aria-label": "Close", class: "gesso-icon" }));
      this.passing.append(notice);
      const shownMs = action ? UNDO_MS : SHOWN_MS[tone];
      let timer = setTimeout(remove, shownMs);
      while (this.passing.children.length > MOST) this.passing.firstChild.remove();
      notice.addEventListener("pointerenter", () => clearTimeout(timer));
      notice.addEventListener("focusin", () => clearTimeout(timer));
      notice.addEventListener("pointerleave", () => {
        timer = setTimeout(remove, shownMs);
      });
      return remove;
    }
  },
);

function dialogOnTop() {
  const open = [...document.querySelectorAll("dialog:modal")];
  return open.find((dialog) => dialog.contains(document.activeElement)) ?? open.at(-1);
}

function lastingWords() {
  if (!store.online) {
    return (
      "The connection to the server is lost. The page goes on by itself when it is back; " +
      "jobs that were accepted are not lost."
    );
  }
  if (store.waiting) return `The queue is waiting. ${store.waiting}`;
  if (store.disk.is_low) {
    return (
      `The disk is nearly full: ${freeSpace(store.disk.free_bytes)} left. ` +
      "Make room, or the queue will have to wait."
    );
  }
  const failed = store.engines.find((engine) => engine.state === "failed");
  return failed ? `The engine can't start. ${failed.detail}` : "";
}
