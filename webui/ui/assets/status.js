/** The top bar's words about engine and queue. */

import { el, setAttribute, setText } from "./dom.js";
import { Live } from "./live.js";
import { statusWords } from "./words.js";

customElements.define(
  "gesso-status",
  class extends Live {
    build() {
      this.dot = el("span", { class: "dot", "aria-hidden": "true" });
      this.words = el("span", { class: "words", role: "status" });
      this.append(this.dot, this.words);
    }

    update() {
      const { text, tone } = statusWords();
      setText(this.words, text);
      setAttribute(this.words, "title", text);
      setAttribute(this.dot, "data-tone", tone);
    }
  },
);
