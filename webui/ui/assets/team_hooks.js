/** Addresses that are told when a job is over. */

import { el } from "./dom.js";
import { act, actTwice, faultLine, field, guarded, table } from "./lines.js";
import { addHook, getHooks, removeHook, testHook } from "./server_team.js";

export class TeamHooks {
  constructor() {
    this.list = el("div", {});
    this.fault = faultLine();
    this.element = el(
      "details",
      { "aria-label": "Webhooks" },
      el("summary", { text: "Webhooks" }),
      el("p", {
        class: "facts",
        text: "An address that is told when a job is over, for example of a chat. Prompts are never sent.",
      }),
      this.list,
      this.#form(),
      this.fault,
    );
  }

  async load() {
    await guarded(this.fault, async () => {
      const rows = (await getHooks()).map((hook) => [
        hook.address,
        hook.fault || (hook.called_at ? "works" : "not called yet"),
        el(
          "span",
          { class: "acts" },
          act("Test", () => this.#try(() => testHook(hook.id)), { "aria-label": `Test ${hook.address}` }),
          actTwice("Remove", "Really remove?", () => this.#try(() => removeHook(hook.id)), {
            "aria-label": `Remove ${hook.address}`,
          }),
        ),
      ]);
      this.list.replaceChildren(...(rows.length ? [table("Webhooks", ["Address", "State", ""], rows)] : []));
    });
  }

  #form() {
    const address = el("input", { type: "url", required: true, placeholder: "https://…" });
    const secret = el("input", { autocomplete: "off", maxlength: "200" });
    const form = el(
      "form",
      { class: "inline" },
      field("Address", address),
      field("Secret that signs it", secret),
      el("button", { type: "submit", class: "gesso-button", text: "Add" }),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#try(async () => {
        await addHook({ address: address.value, secret: secret.value });
        form.reset();
      });
    });
    return form;
  }

  async #try(run) {
    if (await guarded(this.fault, run)) await this.load();
  }
}
