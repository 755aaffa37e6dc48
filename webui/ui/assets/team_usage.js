/** Who used the engines for how long. */

import { el } from "./dom.js";
import { faultLine, guarded, table } from "./lines.js";
import { getUsage, usageCsv } from "./server_team.js";

const DAYS = 7;

export class TeamUsage {
  constructor() {
    this.list = el("div", {});
    this.fault = faultLine();
    this.element = el(
      "section",
      { "aria-label": "Use" },
      el("h2", { text: "Use in the last week" }),
      this.list,
      el("a", { href: usageCsv, class: "gesso-button", text: "Save as table", download: "usage.csv" }),
      this.fault,
    );
  }

  async load() {
    await guarded(this.fault, async () => {
      const rows = (await getUsage(DAYS)).map((one) => [
        one.day,
        one.name,
        String(one.pictures),
        `${(one.gpu_seconds / 60).toFixed(1)} min`,
      ]);
      const none = el("p", { class: "facts", text: "Nothing was made yet." });
      const heads = ["Day", "Who", "Pictures", "GPU time"];
      this.list.replaceChildren(rows.length ? table("Use", heads, rows) : none);
    });
  }
}
