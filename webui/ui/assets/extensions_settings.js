/** The settings of one extension, drawn from what it declares. */

import { el, setText } from "./dom.js";
import { choice, faultLine, guarded } from "./lines.js";
import { getSettings, setSettings } from "./server_extensions.js";

export class ExtensionSettings {
  constructor(id) {
    this.id = id;
    this.isOpen = false;
    this.fault = faultLine();
    this.told = el("span", { class: "quiet", role: "status" });
    this.fields = new Map();
    this.place = el("div", { class: "fields" });
    const save = el("button", { type: "submit", class: "gesso-button", text: "Save settings" });
    this.element = el(
      "form",
      { class: "settings", "aria-label": "Settings of the extension" },
      this.place,
      this.fault,
      el("div", { class: "acts" }, save, this.told),
    );
    this.element.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#save();
    });
    this.element.addEventListener("input", () => {
      this.isOpen = true;
      setText(this.told, "");
    });
    guarded(this.fault, async () => this.#draw(await getSettings(id)));
  }

  #draw(settings) {
    this.fields = new Map(settings.map((setting) => [setting.id, [setting, control(setting)]]));
    this.place.replaceChildren(
      ...[...this.fields.values()].map(([setting, input]) =>
        el(
          "label",
          { class: setting.kind },
          el("span", { text: setting.label }),
          input,
          setting.help ? el("small", { text: setting.help }) : null,
        ),
      ),
    );
  }

  async #save() {
    const values = {};
    for (const [id, [setting, input]] of this.fields) values[id] = valueOf(setting, input);
    const isSaved = await guarded(this.fault, async () => this.#draw(await setSettings(this.id, values)));
    if (!isSaved) return;
    this.isOpen = false;
    setText(this.told, "Saved.");
  }
}

function control({ kind, value, choices, low, high, step, lines }) {
  if (kind === "toggle") return el("input", { type: "checkbox", checked: Boolean(value) });
  if (kind === "choice") {
    const list = choice(choices.map((text) => [text, text]));
    list.value = value;
    return list;
  }
  if (kind === "slider") return el("input", { type: "number", min: low, max: high, step, value });
  const box = lines > 1 ? el("textarea", { rows: lines }) : el("input", { type: "text" });
  box.value = value ?? "";
  return box;
}

function valueOf({ kind }, input) {
  if (kind === "toggle") return input.checked;
  return kind === "slider" ? input.valueAsNumber : input.value;
}
