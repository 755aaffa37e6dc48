/** The files that can't be used, with the reasons: folded away until somebody asks. */

import { button, el, setText } from "./dom.js";
import { getModelProblems } from "./server.js";
import { fileSize } from "./words.js";

const PAGE = 60;

export class ModelProblems {
  constructor() {
    this.title = el("summary", {});
    this.list = el("ul", {});
    this.more = button("Show more", () => this.#load(), { class: "gesso-button", hidden: true });
    this.element = el("details", { class: "problems", hidden: true }, this.title, this.list, this.more);
    this.element.addEventListener("toggle", () => {
      if (this.element.open && !this.list.children.length) this.#load();
    });
  }

  /** See how many there are; those on show are asked for anew. */
  async restart() {
    this.list.replaceChildren();
    await this.#load(this.element.open ? PAGE : 1);
    if (!this.element.open) this.list.replaceChildren();
  }

  async #load(limit = PAGE) {
    try {
      const page = await getModelProblems({ offset: this.list.children.length, limit });
      this.list.append(...page.problems.map(line));
      this.element.hidden = !page.total;
      const files = page.total === 1 ? "1 file" : `${page.total.toLocaleString()} files`;
      setText(this.title, `${files} can't be used`);
      this.more.hidden = this.list.children.length >= page.total;
    } catch (error) {
      this.list.replaceChildren(el("li", { text: error.message }));
    }
  }
}

function line({ name, folder, why, size_bytes: size }) {
  const where = [folder, size ? fileSize(size) : ""].filter(Boolean).join(" · ");
  return el(
    "li",
    {},
    el("strong", { text: name }),
    el("span", { class: "place", text: where }),
    el("span", { class: "why", text: why }),
  );
}
