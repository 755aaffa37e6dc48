/** Links by which people come in. */

import { el } from "./dom.js";
import { act, choice, faultLine, field, guarded, onceLine, table } from "./lines.js";
import { getInvitations, makeInvitation, qrUrl, revokeInvitation } from "./server_team.js";
import { moment } from "./words.js";

const DAY_S = 86_400;
const KINDS = [
  ["join", "an account with a password"],
  ["guest", "a guest, until the link expires"],
];
const ROLES = [
  ["artist", "makes pictures"],
  ["viewer", "looks at what is shared"],
  ["owner", "runs the studio"],
];
const DAYS = [
  [DAY_S, "1 day"],
  [7 * DAY_S, "1 week"],
  [30 * DAY_S, "30 days"],
];
const LOCAL = ["localhost", "127.0.0.1", "[::1]"];

export class TeamInvitations {
  constructor(onChange) {
    this.onChange = onChange;
    this.list = el("div", {});
    this.told = el("div", {});
    this.fault = faultLine();
    this.element = el(
      "section",
      { "aria-label": "Invitations" },
      el("h2", { text: "Invite somebody" }),
      this.#form(),
      this.told,
      this.list,
      this.fault,
    );
  }

  async load() {
    await guarded(this.fault, async () => {
      const open = await getInvitations();
      const rows = open.map((one) => [
        one.note || (one.kind === "guest" ? "Guest link" : "Invitation"),
        one.role,
        `${one.uses_left} left`,
        moment(one.expires_at),
        act("Revoke", () => this.#revoke(one), { "aria-label": `Revoke ${one.note || "the invitation"}` }),
      ]);
      const heads = ["Open invitations", "Role", "Uses", "Good until", ""];
      this.list.replaceChildren(...(rows.length ? [table("Open invitations", heads, rows)] : []));
    });
  }

  #form() {
    const kind = choice(KINDS, {});
    const role = choice(ROLES, {});
    const uses = el("input", { type: "number", min: "1", max: "1000", value: "1", required: true });
    const days = choice(DAYS, {});
    days.value = String(7 * DAY_S);
    const note = el("input", { maxlength: "100", placeholder: "for whom" });
    const form = el(
      "form",
      { class: "inline" },
      field("The link gives", kind),
      field("Who comes", role),
      field("People", uses),
      field("Good for", days),
      field("Note", note),
      el("button", { type: "submit", class: "gesso-button main", text: "Make a link" }),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#make({
        kind: kind.value,
        role: role.value,
        uses: Number(uses.value),
        expires_s: Number(days.value),
        note: note.value,
      });
    });
    return form;
  }

  async #make(wish) {
    await guarded(this.fault, async () => {
      const made = await makeInvitation(wish);
      const local = LOCAL.includes(location.hostname)
        ? " It works on this machine only: open the studio by its address in the network and make the link there."
        : "";
      const hint = `Send it to them, or let them scan it. It is not shown again.${local}`;
      const address = location.origin + made.path;
      const code = el("img", { src: qrUrl(address), alt: "QR code of the invitation" });
      this.told.replaceChildren(onceLine("Invitation", address, hint, code));
      await this.load();
    });
  }

  async #revoke(invitation) {
    await guarded(this.fault, () => revokeInvitation(invitation.id));
    this.onChange();
  }
}
