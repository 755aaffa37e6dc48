/**
 * What stands in the controls outlives the page: it is noted a moment after each change, without
 * pictures, and put back when this tab of the browser loads the page again.
 *
 * When extensions changed, this page is not what the server hands out any more. It goes on; a quiet
 * notice offers to load it again, and then all is put back, pictures too.
 */

import { button, el } from "./dom.js";
import { EXTENSIONS_CHANGED } from "./events.js";
import { me } from "./me.js";
import { restore } from "./restore.js";
import { store } from "./store.js";

const KEPT = "gesso.drafts";
const PATIENCE_MS = 4000; // for the server to tell what stands in the controls
const NOTED_AFTER_MS = 700;

let isAsked = false;
let isForgotten = false; // whoever used the page signed out
let waiting = null; // until what was changed is noted

export function watchReload() {
  document.addEventListener(EXTENSIONS_CHANGED, ({ detail }) => {
    if (detail?.is_page) offer();
    else if (detail === null) look();
  });
  if ("filled" in document.body.dataset) putBack();
}

/** The page is up to date: put back what stood in it before it was loaded again. */
export async function putBack() {
  const kept = sessionStorage.getItem(KEPT);
  const who = await me().catch(() => null);
  if (kept) putBackOf(who, JSON.parse(kept));
  for (const kind of ["input", "change"]) document.addEventListener(kind, noteSoon);
  document.addEventListener("click", noteTab);
  document.addEventListener("visibilitychange", () => document.hidden && waiting && note());
}

function putBackOf(who, { tab, drafts, of }) {
  if (of !== who?.id) return sessionStorage.removeItem(KEPT); // somebody else signed in here
  if (Object.keys(drafts).length) restore({ drafts });
  document.getElementById(tab)?.click();
}

function noteSoon({ target }) {
  if (!target.closest?.("#tabs")) return;
  clearTimeout(waiting);
  waiting = setTimeout(note, NOTED_AFTER_MS);
}

/** Another tab, or a button that may have changed what stands in the controls. */
function noteTab(event) {
  if (event.target.closest?.("#tabs button")) noteSoon(event);
}

function note() {
  clearTimeout(waiting);
  waiting = null;
  if (store.online && !isAsked) document.getElementById("gesso_drafts_note")?.click();
}

/** The page's answer: what stands in its controls, by tab. */
export async function noted(drafts) {
  const open = document.querySelector("#tabs > .tab-wrapper button[aria-selected=true]");
  const found = JSON.parse(drafts || "{}");
  const of = (await me().catch(() => null))?.id;
  if (isForgotten) return;
  sessionStorage.setItem(KEPT, JSON.stringify({ tab: open?.id, drafts: found, of }));
}

/** Leave nothing for whoever uses this tab of the browser next. */
export function forget() {
  isForgotten = true;
  sessionStorage.clear();
}

/** Load the page again, now that what stands in its controls is known. */
export async function reload(drafts) {
  if (!isAsked) return;
  await noted(drafts);
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
