/** The one event stream of this page. It reconnects for ever; each connect brings the state, or what was missed. */

import { eventsUrl, getState } from "./server.js";
import { store } from "./store.js";

const TYPES = [
  "queued",
  "started",
  "job_progress",
  "preview_ready",
  "picture_saved",
  "waiting",
  "finished",
  "failed",
  "cancelled",
  "engine_changed",
  "queue_changed",
];
/** What the document is told of a download; of none in particular after a break. */
export const DOWNLOAD_CHANGED = "gesso-download";
/** What it is told of extensions, `{is_page}`; of nothing in particular after a break. */
export const EXTENSIONS_CHANGED = "gesso-extensions";
/** What it is told of an installation, for owners. */
export const INSTALL_CHANGED = "gesso-install";
const PASSED_ON = [
  ["download_changed", DOWNLOAD_CHANGED],
  ["extensions_changed", EXTENSIONS_CHANGED],
  ["install_changed", INSTALL_CHANGED],
];

const RETRY_MS = 1500;
const OFFLINE_AFTER_MS = 1500;
const SLEEP_AFTER_MS = 60_000;

let source = null;
let wasConnected = false;
let offlineTimer = 0;
let sleepTimer = 0;

/** Connect now and stay connected. */
export function followServer() {
  connect();
  document.addEventListener("visibilitychange", onVisibility);
}

function connect() {
  source?.close();
  source = new EventSource(eventsUrl);
  source.addEventListener("state", (event) => {
    clearTimeout(offlineTimer);
    offlineTimer = 0;
    store.setOnline(true);
    store.takeState(JSON.parse(event.data));
    if (wasConnected) {
      store.catchUp();
      tell(DOWNLOAD_CHANGED, null);
      tell(EXTENSIONS_CHANGED, null);
      tell(INSTALL_CHANGED, null);
    }
    wasConnected = true;
  });
  // After a short break what was missed follows, so that nothing needs to be loaded anew.
  source.addEventListener("resumed", () => {
    clearTimeout(offlineTimer);
    offlineTimer = 0;
    store.setOnline(true);
  });
  for (const type of TYPES) {
    source.addEventListener(type, (event) => store.takeEvent(type, JSON.parse(event.data)));
  }
  for (const [type, name] of PASSED_ON) {
    source.addEventListener(type, (event) => tell(name, JSON.parse(event.data)));
  }
  source.addEventListener("error", onError);
}

function tell(name, detail) {
  document.dispatchEvent(new CustomEvent(name, { detail }));
}

function onError() {
  offlineTimer ||= setTimeout(() => store.setOnline(false), OFFLINE_AFTER_MS);
  // A refused connection is tried again by the browser; after an error answer it gives up.
  if (source.readyState === EventSource.CLOSED) {
    getState().catch(() => {}); // shows the way to sign in, if that is what is missing
    setTimeout(connect, RETRY_MS);
  }
}

/** A browser opens six connections to one server: windows that nobody looks at give theirs back. */
function onVisibility() {
  clearTimeout(sleepTimer);
  if (!document.hidden) {
    if (!source) connect();
    return;
  }
  sleepTimer = setTimeout(() => {
    if (store.open().length > 0) return onVisibility();
    source?.close();
    source = null;
  }, SLEEP_AFTER_MS);
}
