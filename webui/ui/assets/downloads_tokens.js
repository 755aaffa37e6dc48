/** Tokens for models that must be asked for: they go in here and never come out again. */

import { button, el, setText } from "./dom.js";
import { getTokens, putToken } from "./server.js";

export class Tokens {
  constructor() {
    this.list = el("div", {});
    this.fault = el("p", { class: "fault", role: "alert" });
    this.element = el("details", { class: "tokens" }, el("summary", { text: "Tokens" }), this.list, this.fault);
    this.element.addEventListener("toggle", () => this.element.open && this.#load());
  }

  async #load() {
    try {
      this.list.replaceChildren(...(await getTokens()).map((token) => this.#line(token)));
      setText(this.fault, "");
    } catch (error) {
      setText(this.fault, error.message);
    }
  }

  #line({ service, label, host, is_set: isSet }) {
    const id = `token_${service}`;
    const input = el("input", {
      type: "password",
      id,
      autocomplete: "off",
      placeholder: isSet ? "One is kept" : "None is kept",
    });
    const save = (event) => {
      event.preventDefault();
      if (input.value) this.#put(service, input.value);
    };
    return el(
      "form",
      { on: { submit: save } },
      el("label", { for: id, text: `${label}: kept in a private file, sent to ${host} only` }),
      el(
        "div",
        { class: "line" },
        input,
        el("button", { type: "submit", class: "gesso-button", text: "Keep", "aria-label": `Keep the token for ${label}` }),
        isSet ? this.#forget(service, label) : null,
      ),
    );
  }

  #forget(service, label) {
    return button("Forget", () => this.#put(service, ""), {
      class: "gesso-button",
      "aria-label": `Forget the token for ${label}`,
    });
  }

  async #put(service, token) {
    try {
      await putToken(service, token);
      await this.#load();
    } catch (error) {
      setText(this.fault, error.message);
    }
  }
}
