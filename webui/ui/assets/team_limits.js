/** What each role may have at a time. */

import { el } from "./dom.js";
import { faultLine, guarded, table } from "./lines.js";
import { getRoleLimits, setRoleLimits } from "./server_team.js";

const GB = 10 ** 9;
const COLUMNS = [
  ["queued_jobs", "Jobs in the queue", 1],
  ["picture_pixels", "Megapixels of a picture", 10 ** 6],
  ["disk_bytes", "GB of pictures and uploads", GB],
  ["gpu_seconds_per_day", "GPU minutes a day", 60],
];

export class TeamLimits {
  constructor() {
    this.list = el("div", {});
    this.fault = faultLine();
    this.element = el(
      "section",
      { "aria-label": "Limits" },
      el("h2", { text: "Limits" }),
      el("p", { class: "facts", text: "For each person of a role. An empty field is no limit." }),
      this.list,
      this.fault,
    );
  }

  async load() {
    if (this.element.contains(document.activeElement)) return;
    await guarded(this.fault, async () => {
      const roles = Object.entries(await getRoleLimits()).filter(([role]) => role !== "viewer");
      const heads = ["Role", ...COLUMNS.map(([, label]) => label)];
      const rows = roles.map(([role, limits]) => [
        role[0].toUpperCase() + role.slice(1),
        ...COLUMNS.map((column) => this.#input(role, limits, column)),
      ]);
      this.list.replaceChildren(table("Limits", heads, rows));
    });
  }

  #input(role, limits, [name, label, unit]) {
    const value = limits[name] == null ? "" : String(limits[name] / unit);
    const input = el("input", { type: "number", min: "0", step: "any", value, "aria-label": `${label}, ${role}` });
    input.addEventListener("change", () => {
      const limit = input.value === "" ? null : Math.round(Number(input.value) * unit);
      guarded(this.fault, () => setRoleLimits(role, { [name]: limit }));
    });
    return input;
  }
}
