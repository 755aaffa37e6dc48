/** Who has an account, and what they may do. */

import { el } from "./dom.js";
import { act, actTwice, choice, faultLine, guarded, onceLine, table } from "./lines.js";
import { changePerson, getPeople, removePerson, resetPassword, signOutPerson } from "./server_team.js";
import { moment } from "./words.js";

const ROLES = [
  ["viewer", "Viewer"],
  ["artist", "Artist"],
  ["owner", "Owner"],
];

export class TeamPeople {
  constructor(onChange) {
    this.onChange = onChange;
    this.list = el("div", {});
    this.told = el("div", {});
    this.fault = faultLine();
    this.element = el(
      "section",
      { "aria-label": "People" },
      el("h2", { text: "People" }),
      this.fault,
      this.list,
      this.told,
    );
  }

  async load() {
    await guarded(this.fault, () => this.#draw());
  }

  async #draw() {
    const people = await getPeople();
    const rows = people.map((person) => this.#row(person));
    this.list.replaceChildren(table("People", ["Name", "Role", "Last seen", ""], rows));
  }

  #row(person) {
    const role = choice(ROLES, { "aria-label": `Role of ${person.name}` });
    role.value = person.role;
    role.addEventListener("change", () => this.#change(person, { role: role.value }));
    const seen = person.seen_at ? moment(person.seen_at) : "never";
    const name = person.name + (person.is_guest ? " (guest)" : "") + (person.is_disabled ? " (kept out)" : "");
    return [name, role, seen, this.#acts(person)];
  }

  #acts(person) {
    const keep = person.is_disabled ? "Let in again" : "Keep out";
    const of = (what) => ({ "aria-label": `${what}: ${person.name}` });
    const remove = () => this.#try(() => removePerson(person.id));
    return el(
      "span",
      { class: "acts" },
      act("Sign out", () => this.#try(() => signOutPerson(person.id)), of("Sign out everywhere")),
      person.is_guest ? null : act("New password", () => this.#reset(person), of("New password")),
      act(keep, () => this.#change(person, { is_disabled: !person.is_disabled }), of(keep)),
      actTwice("Remove", "Really remove?", remove, of("Remove")),
    );
  }

  async #reset(person) {
    await guarded(this.fault, async () => {
      const link = await resetPassword(person.id);
      this.told.replaceChildren(
        onceLine(
          `Link for ${person.name} to choose a new password`,
          location.origin + link.path,
          `Send it to them. It is good once, until ${moment(link.expires_at)}.`,
        ),
      );
    });
  }

  async #change(person, change) {
    await this.#try(() => changePerson(person.id, change));
  }

  async #try(run) {
    if (await guarded(this.fault, run)) return this.onChange();
    await this.#draw().catch(() => {}); // as it still is; the fault stays readable
    this.fault.scrollIntoView({ block: "nearest" });
  }
}
