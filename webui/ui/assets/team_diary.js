/** What happened to accounts, newest first. */

import { el } from "./dom.js";
import { faultLine, guarded, table } from "./lines.js";
import { getDiary } from "./server_team.js";
import { moment } from "./words.js";

export class TeamDiary {
  constructor() {
    this.list = el("div", {});
    this.fault = faultLine();
    this.element = el(
      "details",
      { "aria-label": "What happened" },
      el("summary", { text: "What happened" }),
      this.list,
      this.fault,
    );
  }

  async load() {
    await guarded(this.fault, async () => {
      const { lines } = await getDiary();
      const rows = lines.map((line) => [
        moment(line.at),
        line.kind.replaceAll("_", " "),
        line.subject && line.subject !== line.actor ? `${line.actor} → ${line.subject}` : line.actor,
        line.address,
        line.words,
      ]);
      const heads = ["When", "What", "Who", "Address", ""];
      this.list.replaceChildren(table("What happened", heads, rows));
    });
  }
}
