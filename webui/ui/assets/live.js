/** The base of our custom elements: built once, updated after each change of the store. */

import { store } from "./store.js";

export class Live extends HTMLElement {
  #stop = null;
  #built = false;

  get mode() {
    return this.getAttribute("mode") ?? "";
  }

  connectedCallback() {
    if (!this.#built) {
      this.#built = true;
      this.build();
    }
    this.#stop = store.watch(() => this.update());
    this.update();
  }

  disconnectedCallback() {
    this.#stop?.();
  }

  /** Make the content. Called once. */
  build() {}

  /** Bring the content up to date. Called often: change only what differs. */
  update() {}
}
