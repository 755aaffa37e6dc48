/** The Team tab, for the owner: people, invitations, limits, use, webhooks, what happened. */

import { el } from "./dom.js";
import { me } from "./me.js";
import { TeamDiary } from "./team_diary.js";
import { TeamHooks } from "./team_hooks.js";
import { TeamInvitations } from "./team_invitations.js";
import { TeamLimits } from "./team_limits.js";
import { TeamPeople } from "./team_people.js";
import { TeamUsage } from "./team_usage.js";

const AGAIN_MS = 5000;
const PARTS = [TeamInvitations, TeamPeople, TeamLimits, TeamUsage, TeamHooks, TeamDiary];

customElements.define(
  "gesso-team",
  class extends HTMLElement {
    async connectedCallback() {
      if (this.isBuilt) return;
      this.isBuilt = true;
      const found = await me().catch(() => null);
      if (found?.role !== "owner") return;
      if (found.via === "local") {
        this.append(el("p", { class: "alone", text: ALONE }));
        return;
      }
      this.parts = PARTS.map((Part) => new Part(() => this.load()));
      this.append(...this.parts.map((part) => part.element));
      new IntersectionObserver((seen) => seen.some((s) => s.isIntersecting) && this.load()).observe(this);
      setInterval(() => this.#isRead() && this.load(), AGAIN_MS);
    }

    /** Whether somebody looks at it and has nothing in hand that new rows would take away. */
    #isRead() {
      return this.checkVisibility() && !document.hidden && !this.querySelector("table :focus");
    }

    /** Bring all parts up to date. */
    load() {
      for (const part of this.parts) part.load();
    }
  },
);

const ALONE =
  "This studio listens to this machine only, so nobody signs in. Start it with --lan to work with others.";
