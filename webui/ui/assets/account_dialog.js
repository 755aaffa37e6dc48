/** One's own account: password, the browsers that are signed in, keys for programs. */

import { button, el } from "./dom.js";
import { act, actTwice, choice, faultLine, field, guarded, onceLine, table } from "./lines.js";
import { notify } from "./notices.js";
import {
  changePassword,
  endOtherSessions,
  endSession,
  getKeys,
  getSessions,
  makeKey,
  revokeKey,
} from "./server_team.js";
import { moment } from "./words.js";

const DAY_S = 86_400;
const GOOD_FOR = [
  [30 * DAY_S, "30 days"],
  [365 * DAY_S, "1 year"],
  ["", "until it is revoked"],
];
const ROLES = ["viewer", "artist", "owner"];
const OFFERED = ["artist", "viewer", "owner"]; // what most programs need comes first

export class AccountDialog {
  constructor(me) {
    this.me = me;
    this.fault = faultLine();
    this.sessions = el("div", {});
    this.keys = el("div", {});
    this.made = el("div", {});
    this.element = el(
      "dialog",
      { class: "account", "aria-label": "My account" },
      el(
        "div",
        { class: "body" },
        el("h2", { text: `${me.name} · ${me.role}` }),
        me.has_password ? this.#passwordForm() : null,
        el("h3", { text: "Where I am signed in" }),
        this.sessions,
        el("h3", { text: "Keys for programs" }),
        el("p", {
          class: "facts",
          text: "A program that uses this studio shows a key instead of a password.",
        }),
        this.keys,
        this.#keyForm(),
        this.made,
        this.fault,
        el("div", { class: "buttons" }, act("Close", () => this.element.close())),
      ),
    );
    this.element.addEventListener("click", (event) => {
      if (event.target === this.element) this.element.close();
    });
  }

  open() {
    this.made.replaceChildren();
    this.element.showModal();
    this.#try(() => this.#load());
  }

  async #load() {
    const [sessions, keys] = await Promise.all([getSessions(), getKeys()]);
    this.#drawSessions(sessions);
    this.#drawKeys(keys);
  }

  #drawSessions(sessions) {
    const rows = sessions.map((one) => [
      one.browser || "A browser",
      one.address,
      moment(one.seen_at),
      one.is_this
        ? "this one"
        : act("Sign out", () => this.#try(() => this.#end(one)), {
            "aria-label": `Sign out ${one.browser} at ${one.address}`,
          }),
    ]);
    this.sessions.replaceChildren(table("Browsers", ["Browser", "Address", "Last seen", ""], rows));
    if (sessions.length > 1) {
      this.sessions.append(
        act("Sign out everywhere else", () => this.#try(() => this.#endOthers())),
      );
    }
  }

  #drawKeys(keys) {
    const rows = keys.map((key) => [
      key.name,
      key.role,
      key.used_at ? moment(key.used_at) : "never used",
      actTwice("Revoke", "Really revoke?", () => this.#try(() => this.#revoke(key)), {
        "aria-label": `Revoke the key ${key.name}`,
      }),
    ]);
    const none = el("p", { class: "facts", text: "None yet." });
    this.keys.replaceChildren(
      rows.length ? table("Keys", ["Name", "May do as", "Last used", ""], rows) : none,
    );
  }

  #passwordForm() {
    const current = secret("current-password");
    const next = secret("new-password");
    const form = el(
      "form",
      { class: "inline" },
      field("Present password", current),
      field("New password", next),
      el("button", { type: "submit", class: "gesso-button", text: "Change password" }),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#try(async () => {
        await changePassword(current.value, next.value);
        form.reset();
        notify("Password changed. You are signed out everywhere else.");
        await this.#load();
      });
    });
    return form;
  }

  #keyForm() {
    const most = ROLES.indexOf(this.me.role);
    const roles = OFFERED.filter((role) => ROLES.indexOf(role) <= most);
    const name = el("input", { required: true, maxlength: "60", placeholder: "open-webui" });
    const role = choice(roles.map((one) => [one, one]), {});
    const days = choice(GOOD_FOR, {});
    const form = el(
      "form",
      { class: "inline" },
      field("Name of the key", name),
      field("May do as", role),
      field("Good for", days),
      el("button", { type: "submit", class: "gesso-button", text: "Make a key" }),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#try(async () => {
        const wish = { name: name.value, role: role.value };
        if (days.value) wish.expires_s = Number(days.value);
        const key = await makeKey(wish);
        this.made.replaceChildren(
          onceLine(`Key “${key.name}”`, key.secret, "Copy it now: it is not shown again."),
        );
        form.reset();
        await this.#load();
      });
    });
    return form;
  }

  async #end(session) {
    await endSession(session.id);
    await this.#load();
  }

  async #endOthers() {
    await endOtherSessions();
    await this.#load();
  }

  async #revoke(key) {
    await revokeKey(key.id);
    await this.#load();
  }

  #try(run) {
    return guarded(this.fault, run);
  }
}

const secret = (autocomplete) => el("input", { type: "password", required: true, autocomplete });
