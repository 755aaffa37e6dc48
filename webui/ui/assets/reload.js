/**
 * When extensions changed, this page is not what the server hands out any more. It goes on; a quiet
 * notice offers to load it again, and what stands in the controls is put back then.
 */

import { button, el } from "./dom.js";
import { EXTENSIONS_CHANGED } from "./events.js";
import { restore } from "./restore.js";

const KEPT = "gesso.drafts";
const PATIENCE_MS = 4000; // for the server to tell what stands in the controls

let isAsked = false;

export function watchReload() {
  document.addEventListener(EXTENSIONS_CHANGED, ({ detail }) => {
    if (detail?.is_page) offer();
    else if (detail === null) look();
  });
  if ("filled" in document.body.dataset) putBack();
}

/** The page is up to date: put back what stood in it before it was loaded again. */
export function putBack() {
  const kept = sessionStorage.getItem(KEPT);
  if (!kept) return;
  sessionStorage.removeItem(KEPT);
  const { tab, drafts } = JSON.parse(kept);
  if (Object.keys(drafts).length) restore({ drafts });
  document.getElementById(tab)?.click();
}

/** Load the page again; `drafts` is what stands in its controls, by tab. */
export function reload(drafts) {
  if (!isAsked) return;
  const open = document.querySelector("#tabs > .tab-wrapper button[aria-selected=true]");
  sessionStorage.setItem(KEPT, JSON.stringify({ tab: open?.id, drafts: JSON.parse(drafts || "{}") }));
  location.reload();
}

/** Load the page again and keep what stands in it. */
export function reloadPage() {
  isAsked = true;
  document.getElementById("gesso_drafts_keep")?.click();
  setTimeout(() => location.reload(), PATIENCE_MS);
}

/** After a break nobody told what happened meanwhile. */
async function look() {
  const answer = await fetch("/gradio_api/app_id").catch(() => null);
  if (!answer?.ok) return;
  const { app_id } = await answer.json();
  if (app_id !== window.gradio_config?.app_id) offer();
}

function offer() {
  const place = document.querySelector("gesso-notices");
  if (!place || place.querySelector(".reload")) return;
  const notice = el(
    "div",
    { class: "notice reload", role: "status" },
    el("span", { text: "Extensions changed." }),
    button("Reload the page", reloadPage, { class: "gesso-button" }),
    button("\u2715", () => notice.remove(), { "aria-label": "Close", class: "gesso-icon" }),
  );
  place.append(notice);
}
