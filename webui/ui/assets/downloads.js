/** Adding a model: what lies at an address is shown first; downloads are listed with their progress. */

import { button, el, setText } from "./dom.js";
import { DOWNLOAD_CHANGED } from "./events.js";
import { DownloadRow } from "./downloads_row.js";
import { Tokens } from "./downloads_tokens.js";
import { KINDS } from "./models_words.js";
import { addDownload, getDownloads, lookUpModel } from "./server.js";
import { fileSize } from "./words.js";

const RELOAD_AFTER_MS = 150;
const SEEN_AFTER_MS = 700; // so long the catalog takes to see a new file

export class ModelDownloads {
  /** `onDone()` is called when a new model is in its folder. */
  constructor({ onDone }) {
    this.rows = new Map();
    this.address = el("input", {
      type: "text",
      id: "download_address",
      autocomplete: "off",
      spellcheck: "false",
      placeholder: "https://…, owner/name, or a number at Civitai",
    });
    this.ask = el("button", { type: "submit", class: "gesso-button", text: "Look up" });
    this.words = el("p", { class: "words", role: "status" });
    this.fault = el("p", { class: "fault", role: "alert" });
    this.offer = el("div", { class: "offer" });
    this.tokens = new Tokens();
    this.list = el("ul", { class: "downloads", "aria-label": "Downloads", hidden: true });
    this.element = el(
      "section",
      { class: "add-model", "aria-label": "Downloads of models" },
      el("details", {}, el("summary", { text: "Add a model" }), this.#form(), this.offer, this.tokens.element),
      this.list,
    );
    document.addEventListener(DOWNLOAD_CHANGED, ({ detail }) => {
      this.#take(detail);
      if (detail?.state === "done") setTimeout(onDone, SEEN_AFTER_MS);
    });
    this.#load();
  }

  #form() {
    return el(
      "form",
      { on: { submit: (event) => this.#lookUp(event) } },
      el("label", { for: "download_address", text: "Address, or Hugging Face or Civitai id" }),
      el("div", { class: "line" }, this.address, this.ask),
      el("p", {
        class: "quiet",
        text: "Only its source is asked, and only now. Nothing leaves this machine by itself.",
      }),
      this.words,
      this.fault,
    );
  }

  async #lookUp(event) {
    event.preventDefault();
    if (this.address.value.trim()) await this.#show(this.address.value.trim());
  }

  async #show(address, file = "") {
    setText(this.fault, "");
    setText(this.words, "Looking it up");
    this.ask.disabled = true;
    try {
      const offer = await lookUpModel({ address, file });
      this.offer.replaceChildren(...this.#offered(offer));
      setText(this.words, offer.files.length === 1 ? "Found it" : `${offer.files.length} files. Choose one.`);
    } catch (error) {
      setText(this.words, "");
      setText(this.fault, error.message);
    }
    this.ask.disabled = false;
  }

  *#offered(offer) {
    yield el("p", { class: "title", text: offer.title });
    const about = [offer.source, offer.made_for, offer.licence && `Licence: ${offer.licence}`];
    yield el("p", { class: "quiet", text: about.filter(Boolean).join(" · ") });
    if (offer.is_gated && !offer.has_token) {
      yield el("p", { class: "remark", text: "Its owner wants to know who fetches it: a token is needed, see below." });
    }
    if (offer.files.length === 1) yield* this.#single(offer, offer.files[0]);
    else yield el("ul", { class: "files" }, ...offer.files.map((file) => this.#choice(offer, file)));
  }

  #choice(offer, file) {
    return el(
      "li",
      {},
      el("span", { class: "name", text: file.file || file.name }),
      el("span", { class: "quiet", text: fileWords(file) }),
      button("Choose", () => this.#show(offer.address, file.file), {
        class: "gesso-button small",
        "aria-label": `Choose ${file.file}`,
      }),
    );
  }

  *#single(offer, file) {
    yield el(
      "dl",
      { class: "facts" },
      ...fact("File", file.name),
      ...fact("Kind", file.label || KINDS[file.kind]?.[0] || "Told when it is here"),
      ...fact("Size", file.size_bytes ? fileSize(file.size_bytes) : "Not told"),
      ...fact("SHA-256", file.sha256 || "Not told by its source"),
    );
    if (file.problem) yield el("p", { class: "remark", text: `As far as its header tells: ${file.problem}` });
    if (file.here) yield el("p", { class: "remark", text: `You have it already: ${file.here}.` });
    const hash = el("input", { type: "text", id: "download_hash", autocomplete: "off", spellcheck: "false" });
    if (!file.sha256) {
      yield el("label", { for: "download_hash", text: "Its SHA-256, if you know it" });
      yield hash;
    }
    yield button("Download", () => this.#add(offer, file, hash.value.trim()), { class: "gesso-button" });
  }

  async #add(offer, file, sha256) {
    setText(this.fault, "");
    try {
      await addDownload({ address: offer.address, file: file.file, sha256 });
      this.offer.replaceChildren();
      this.address.value = "";
      setText(this.words, `${file.name} is on its way.`);
      await this.#load();
    } catch (error) {
      setText(this.fault, error.message);
    }
  }

  /** What the event stream tells of one download; null when the page was away for a while. */
  #take(change) {
    const row = change && this.rows.get(change.download_id);
    if (row && row.state === change.state) row.progress(change);
    else this.#loadSoon();
  }

  #loadSoon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#load(), RELOAD_AFTER_MS);
  }

  async #load() {
    const downloads = await getDownloads().catch(() => null);
    if (!downloads) return;
    const known = new Set(downloads.map(({ id }) => id));
    for (const [id, row] of this.rows) {
      if (!known.has(id)) {
        row.element.remove();
        this.rows.delete(id);
      }
    }
    for (const download of downloads) this.#row(download.id).show(download);
    this.list.hidden = !downloads.length;
  }

  #row(id) {
    if (!this.rows.has(id)) {
      const row = new DownloadRow({ onChange: () => this.#load() });
      this.rows.set(id, row);
      this.list.append(row.element);
    }
    return this.rows.get(id);
  }
}

const fact = (name, value) => [el("dt", { text: name }), el("dd", { text: value })];

function fileWords(file) {
  const size = file.size_bytes ? fileSize(file.size_bytes) : "";
  return [KINDS[file.kind]?.[0], size, file.here && "here already"].filter(Boolean).join(" · ");
}
