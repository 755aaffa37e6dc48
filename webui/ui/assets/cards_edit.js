/** What is noted of a model: a dialog over the page. */

import { button, el, setText } from "./dom.js";
import { editCard, getModels, setCardPicture } from "./server.js";
import { fileSize } from "./words.js";

const VERSIONS = [
  ["", "As the file says"],
  ["SD1", "SD 1.x"],
  ["SD2", "SD 2.x"],
  ["SDXL", "SDXL"],
  ["Unknown", "Unknown"],
];

export class CardEditor {
  /** `onChange(card)` is called with the card as it is after each change; `pictureOnShow()` gives
   *  the picture of the tab, if there is one. */
  constructor({ mode, onChange, pictureOnShow }) {
    Object.assign(this, { onChange, pictureOnShow });
    this.fields = {
      activation_text: area("Activation text", "Words that call up what it was trained on", 2),
      preferred_weight: el("input", { type: "number", step: "0.05", min: -100, max: 100 }),
      negative_text: area("Negative text", "Goes into the negative prompt with it", 1),
      description: area("Description", "", 2),
      notes: area("Notes", "", 3),
      vae: el("input", { list: `${mode}_card_vaes`, placeholder: "The checkpoint's own" }),
      sd_version: el("select", {}, ...VERSIONS.map(([value, text]) => el("option", { value, text }))),
    };
    this.vaes = el("datalist", { id: `${mode}_card_vaes` });
    this.title = el("h2", {});
    this.facts = el("p", { class: "facts" });
    this.image = el("img", { alt: "" });
    this.fault = el("p", { class: "fault", role: "alert" });
    this.choose = button("Use the picture on show", () => this.#choosePicture(), {
      class: "gesso-button",
    });
    this.dialog = el("dialog", { class: "card-editor" }, this.#form());
    this.dialog.addEventListener("click", (event) => {
      if (event.target === this.dialog) this.dialog.close();
    });
  }

  /** Show the notes on a card that is to be used with a checkpoint. */
  open(card, checkpoint) {
    this.checkpoint = checkpoint;
    this.#take(card);
    for (const [name, field] of Object.entries(this.fields)) {
      field.value = name === "preferred_weight" ? card[name] || "" : card[name];
    }
    this.choose.disabled = !this.pictureOnShow();
    this.choose.title = this.choose.disabled ? "Make or choose a picture first" : "";
    setText(this.fault, "");
    if (card.kind === "checkpoint") this.#listVaes();
    this.dialog.showModal();
    this.fields[card.kind === "lora" ? "activation_text" : "description"].focus();
  }

  #form() {
    const of = this.fields;
    this.ofNetworks = [
      labelled("Activation text", of.activation_text),
      labelled("Preferred weight", of.preferred_weight),
      labelled("Negative text", of.negative_text),
    ];
    this.ofCheckpoints = [labelled("VAE to use with it", of.vae)];
    this.family = labelled("Made for", of.sd_version);
    return el(
      "form",
      { novalidate: true, on: { submit: (event) => this.#save(event) } },
      this.title,
      this.facts,
      el("div", { class: "shown" }, this.image, this.choose),
      ...[...this.ofNetworks, ...this.ofCheckpoints],
      labelled("Description", of.description),
      labelled("Notes", of.notes),
      ...[this.family, this.vaes],
      this.fault,
      el(
        "div",
        { class: "buttons" },
        button("Cancel", () => this.dialog.close(), { class: "gesso-button" }),
        el("button", { type: "submit", class: "gesso-button main", text: "Save" }),
      ),
    );
  }

  #take(card) {
    this.card = card;
    setText(this.title, card.name);
    this.dialog.setAttribute("aria-label", `Notes on ${card.name}`);
    const facts = [card.id, fileSize(card.size_bytes), card.made_for, card.short_hash];
    setText(this.facts, facts.filter(Boolean).join(" · "));
    this.image.hidden = !card.preview;
    if (card.preview) this.image.src = card.preview;
    for (const row of this.ofNetworks) row.hidden = card.kind !== "lora";
    for (const row of this.ofCheckpoints) row.hidden = card.kind !== "checkpoint";
    this.family.hidden = card.kind === "checkpoint";
  }

  async #save(event) {
    event.preventDefault();
    const values = Object.entries(this.fields).map(([name, field]) => [name, field.value]);
    const edit = { ...Object.fromEntries(values), preferred_weight: this.#weight() };
    if (await this.#did(editCard(this.card.id, edit, this.checkpoint))) this.dialog.close();
  }

  async #listVaes() {
    const vaes = await getModels("vae").catch(() => []);
    this.vaes.replaceChildren(...vaes.map(({ name }) => el("option", { value: name })));
  }

  #weight() {
    return Number(this.fields.preferred_weight.value) || 0;
  }

  async #choosePicture() {
    const picture = this.pictureOnShow();
    if (picture) await this.#did(setCardPicture(this.card.id, picture.id, this.checkpoint));
  }

  async #did(change) {
    try {
      this.#take(await change);
      this.onChange(this.card);
      setText(this.fault, "");
      return true;
    } catch (error) {
      setText(this.fault, error.message);
      this.fields[error.field]?.focus();
      return false;
    }
  }
}

const area = (label, placeholder, rows) => el("textarea", { rows, placeholder });

const labelled = (text, field) => el("label", {}, el("span", { text }), field);
