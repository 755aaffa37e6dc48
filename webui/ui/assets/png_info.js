/** The PNG info tab: what a picture file says about how it was made, and where to take it. */

import { button, el, setText } from "./dom.js";
import { notify } from "./notices.js";
import { copyText } from "./recipe.js";
import { restore } from "./restore.js";
import { addInput, readPicture } from "./server.js";

const STRENGTH = 0.75;

customElements.define(
  "gesso-png-info",
  class extends HTMLElement {
    connectedCallback() {
      if (this.place) return;
      this.file = el("input", {
        type: "file",
        accept: "image/png,image/jpeg,image/webp",
        id: "pnginfo_image",
        class: "sr-only",
        "aria-label": "Picture file",
      });
      this.image = el("img", { alt: "", hidden: true });
      this.hint = el("span", { text: "Drop a picture here, or click to choose a file" });
      this.place = el("label", { class: "place", for: "pnginfo_image" }, this.image, this.hint);
      this.told = el("div", { class: "told", "aria-live": "polite" });
      this.append(el("div", { class: "left" }, this.file, this.place), this.told);
      this.file.addEventListener("change", () => this.#take(this.file.files[0]));
      this.place.addEventListener("dragover", (event) => event.preventDefault());
      this.place.addEventListener("drop", (event) => this.#drop(event));
    }

    #drop(event) {
      event.preventDefault();
      this.#take(event.dataTransfer.files[0]);
    }

    /** Show a file and what it says. */
    async #take(file) {
      if (!file) return;
      this.file.value = "";
      URL.revokeObjectURL(this.image.src);
      this.image.src = URL.createObjectURL(file);
      this.image.alt = file.name;
      this.image.hidden = false;
      setText(this.hint, "");
      try {
        this.told.replaceChildren(...shown(await readPicture(file), file));
      } catch (error) {
        this.told.replaceChildren(el("p", { class: "silent", text: error.message }), ways(file));
      }
    }
  },
);

/** All that a picture says, by importance. */
function shown(reading, file) {
  const { generator, prompt, negative_prompt, settings, missing, ignored, infotext } = reading;
  return [
    el("p", { class: "by", text: `Made with ${generator}` }),
    missing.length ? el("p", { class: "missing", text: `Not here: ${missing.join(", ")}` }) : null,
    ways(file, reading),
    block("Prompt", prompt),
    block("Negative prompt", negative_prompt),
    table(settings, ignored),
    button("Copy all", () => copyText(infotext), { class: "gesso-button" }),
  ].filter(Boolean);
}

/** Where the picture can go; with its settings where it has any. */
function ways(file, reading = null) {
  const go = (label, name, run) =>
    button(label, () => guarded(run), { class: "gesso-button", id: `pnginfo_${name}` });
  return el(
    "div",
    { class: "actions", role: "group", "aria-label": "With this picture" },
    reading && go("Send to txt2img", "send_to_txt2img", () => settingsOnly(reading)),
    go("Send to img2img", "send_to_img2img", () => asSource(file, reading, "img2img")),
    go("Send to Inpaint", "send_to_inpaint", () => asSource(file, reading, "inpaint")),
    go("Send to Extras", "send_to_extras", () => toExtras(file)),
  );
}

const settingsOnly = ({ request, missing }) => restore({ request, missing, into: "txt2img" });

/** The picture as a source, with the words and settings that made it. */
async function asSource(file, reading, into) {
  const { id } = await addInput(file);
  const source = { denoising_strength: STRENGTH, ...reading?.source, image: id };
  const request = { ...reading?.request, source, mask: null, outpaint: null, extras: null };
  await restore({ request, into, missing: reading?.missing ?? [] });
}

async function toExtras(file) {
  const { id } = await addInput(file);
  await restore({ request: { extras: { image: id } } });
}

function block(label, text) {
  if (!text) return null;
  return el("div", { class: "words" }, el("h3", { text: label }), el("p", { text }));
}

function table(settings, ignored) {
  const rows = Object.entries(settings).map(([key, value]) =>
    el(
      "tr",
      { class: key in ignored ? "ignored" : null },
      el("th", { scope: "row", text: key }),
      el("td", { text: value }),
      el("td", { class: "note", text: key in ignored ? "can't be used here" : "" }),
    ),
  );
  if (!rows.length) return null;
  return el("table", {}, el("caption", { text: "Settings" }), el("tbody", {}, ...rows));
}

async function guarded(run) {
  try {
    await run();
  } catch (error) {
    notify(error.message, { tone: "bad" });
  }
}
