/** Tabs that are not for whoever looks are left out of the list behind the three dots, too, and who
 *  may not make pictures comes into the History. The bar itself is the style sheet's (team.css); the
 *  server asks for the role in any case. */

import { me } from "./me.js";

const OWNERS = /^tab_(team|settings|ext_owner_.*)$/;
const ARTISTS = /^tab_(txt2img|img2img|inpaint|extras|ext_artist_.*)$/;

export async function watchTabs() {
  const found = await me().catch(() => null);
  if (!found || (found.role === "owner" && found.via === "session")) return;
  const isHidden = (id) =>
    id === "tab_team" || (found.role !== "owner" && OWNERS.test(id)) || (found.role === "viewer" && ARTISTS.test(id));
  const titles = new Set(
    (window.gradio_config?.components ?? [])
      .filter(({ props }) => isHidden(props?.elem_id ?? ""))
      .map(({ props }) => props.label),
  );
  const hide = () => {
    for (const entry of document.querySelectorAll("#tabs > .tab-wrapper .overflow-dropdown button")) {
      if (titles.has(entry.textContent.trim())) entry.hidden = true;
    }
  };
  const bar = document.querySelector("#tabs > .tab-wrapper");
  if (bar) new MutationObserver(hide).observe(bar, { childList: true, subtree: true });
  hide();
  if (ARTISTS.test(openTab(bar)) && found.role === "viewer") openHistory(bar);
}

const openTab = (bar) =>
  bar?.querySelector('[role="tab"][aria-selected="true"]')?.id.replace(/-button$/, "") ?? "";

/** On a phone it may stand behind the three dots. */
function openHistory(bar) {
  const others = [...bar.querySelectorAll(".overflow-dropdown button")];
  const behind = others.find((entry) => entry.textContent.trim() === "History");
  (document.getElementById("tab_history-button") ?? behind)?.click();
}
