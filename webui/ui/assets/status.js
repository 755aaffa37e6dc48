/** The top bar's words about engine and queue. */

import { el, setAttribute, setText } from "./dom.js";
import { Live } from "./live.js";
import { goOnButton } from "./pause.js";
import { store } from "./store.js";
import { statusWords } from "./words.js";

customElements.define(
  "gesso-status",
  class extends Live {
    build() {
      this.dot = el("span", { class: "dot", "aria-hidden": "true" });
      this.words = el("span", { class: "words", role: "status" });
      this.goOn = goOnButton();
      this.append(this.dot, this.words, this.goOn);
    }

    update() {
      const { text, tone } = statusWords();
      setText(this.words, text);
      setAttribute(this.words, "title", text);
      setAttribute(this.dot, "data-tone", tone);
      this.goOn.hidden = !store.isPaused || !store.online;
    }
  },
);
