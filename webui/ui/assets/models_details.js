/** Everything about one model, and what can be done with it. */

import { lettersOf } from "./cards_tile.js";
import { chooseCheckpoint, chosenCheckpoint } from "./checkpoint.js";
import { button, el, setText } from "./dom.js";
import { borrowed, kindWords, remarks, useWords } from "./models_words.js";
import { copyText } from "./recipe.js";
import { fileSize, moment } from "./words.js";

const WAIT_FOR_PAGE_MS = 400;

export class ModelDetails {
  constructor({ onClose, onEdit, onChosen }) {
    Object.assign(this, { onChosen });
    this.image = el("img", { alt: "" });
    this.letters = el("span", { class: "letters", "aria-hidden": "true" });
    this.title = el("h2", { tabindex: "-1" });
    this.what = el("p", { class: "what" });
    this.remarks = el("ul", { class: "remarks" });
    this.facts = el("dl", { class: "facts" });
    this.notes = el("p", { class: "notes" });
    this.use = button("Use this checkpoint", () => this.#use(), { class: "gesso-button main" });
    this.edit = button("Notes and picture", () => onEdit(this.row.card), { class: "gesso-button" });
    this.copy = button("Copy for the prompt", () => copyText(promptOf(this.row.card)), {
      class: "gesso-button",
    });
    const close = button("✕", onClose, { class: "gesso-icon close", "aria-label": "Close the details" });
    this.element = el(
      "aside",
      { class: "model-details", "aria-label": "Details of a model", hidden: true },
      el("div", { class: "picture" }, this.letters, this.image, close),
      el("div", { class: "heading" }, this.title, this.what),
      el("div", { class: "buttons" }, this.use, this.copy, this.edit),
      ...[this.remarks, this.notes, this.facts],
    );
  }

  /** Show a row; null closes. */
  show(row) {
    this.row = row;
    this.element.hidden = !row;
    if (!row) return;
    const { card } = row;
    this.image.hidden = !card.preview;
    if (card.preview) this.image.src = card.preview;
    this.element.querySelector(".picture").classList.toggle("empty", !card.preview);
    setText(this.letters, card.preview ? "" : lettersOf(card.name));
    setText(this.title, card.name);
    setText(this.what, kindWords(row));
    this.remarks.replaceChildren(...[...remarks(row)].map((text) => el("li", { text })));
    this.remarks.hidden = !this.remarks.children.length;
    setText(this.notes, [card.description, card.notes].filter(Boolean).join("\n\n"));
    this.facts.replaceChildren(...facts(row).flatMap(([name, value]) => fact(name, value)));
    this.#buttons(card);
  }

  #buttons(card) {
    this.edit.hidden = !card.is_editable;
    this.copy.hidden = card.kind !== "lora" && card.kind !== "embedding";
    this.use.hidden = card.kind !== "checkpoint";
    const isChosen = card.id === chosenCheckpoint();
    this.use.disabled = isChosen;
    setText(this.use, isChosen ? "In use" : "Use this checkpoint");
  }

  async #use() {
    const { card } = this.row;
    await chooseCheckpoint(card.id);
    setTimeout(() => {
      if (this.row?.card.id === card.id) this.#buttons(card);
      this.onChosen();
    }, WAIT_FOR_PAGE_MS);
  }
}

function facts(row) {
  const { card } = row;
  return [
    ["File", row.is_starter ? "ships with Gesso" : card.id],
    ["Size", fileSize(card.size_bytes)],
    ["Used for", useWords(row.pictures)],
    ["Takes along", borrowed(row)],
    ["Changed", moment(card.modified)],
    ["Called", card.alias],
    ["Activation text", card.activation_text],
    ["Short hash", card.short_hash],
    ["SHA-256", row.hash ?? "not computed yet"],
  ].filter(([, value]) => value);
}

const fact = (name, value) => [el("dt", { text: name }), el("dd", { text: value })];

/** What a prompt calls a network or an embedding. */
const promptOf = (card) =>
  card.kind === "lora" ? `<lora:${card.prompt_name}:${card.preferred_weight || 1}>` : card.prompt_name;
