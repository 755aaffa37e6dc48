/** The top bar's own person: name, account, a way out. Nothing where nobody signs in. */

import { AccountDialog } from "./account_dialog.js";
import { button, el } from "./dom.js";
import { me } from "./me.js";
import { notify } from "./notices.js";
import { forget } from "./reload.js";
import { signOut } from "./server_team.js";

customElements.define(
  "gesso-person",
  class extends HTMLElement {
    async connectedCallback() {
      if (this.isBuilt) return;
      this.isBuilt = true;
      const found = await me().catch(() => null);
      if (!found || found.via === "local") return;
      this.dialog = new AccountDialog(found);
      const name = button(found.name, () => this.dialog.open(), {
        class: "gesso-button name",
        title: `Signed in as ${found.name}, ${found.role}. Password, browsers, keys.`,
        id: "account_open",
      });
      const out = button("Sign out", () => leave(), { class: "gesso-button", id: "sign_out" });
      this.append(el("span", { class: "parts" }, name, out), this.dialog.element);
    }
  },
);

async function leave() {
  try {
    await signOut();
    forget();
    location.assign("/sign-in");
  } catch (error) {
    notify(error.message, { tone: "bad" });
  }
}
