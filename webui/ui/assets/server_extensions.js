/** Calls to the HTTP API about extensions and installing them. */

import { call, given } from "./server.js";

const send = (method, path, body) => call(method, path, JSON.stringify(body), "application/json");
const at = (id) => `/extensions/${encodeURIComponent(id)}`;
const INSTALLS = "/extensions/installs";
const task = (id) => `${INSTALLS}/${encodeURIComponent(id)}`;
const installed = (id) => `${INSTALLS}/installed/${encodeURIComponent(id)}`;

/** For everybody: what is on. */
export const getActive = () => call("GET", "/extensions/active");

/** For the owner: `{extensions, is_safe_mode, search}`. */
export const getExtensions = () => call("GET", "/extensions");
/** Look into the folders again; the same. */
export const lookAgain = () => call("POST", "/extensions");
/** One with the tracebacks of its failures. */
export const getExtension = (id) => call("GET", at(id));
export const switchExtension = (id, isOn) => call("POST", `${at(id)}/${isOn ? "enable" : "disable"}`);
export const reloadExtension = (id) => call("POST", `${at(id)}/reload`);
export const getSettings = (id) => call("GET", `${at(id)}/settings`);
export const setSettings = (id, values) => send("PATCH", `${at(id)}/settings`, values);

/** The search for the extension that makes trouble. */
export const beginSearch = () => call("POST", "/extensions/search");
export const answerSearch = (isBad) => send("PATCH", "/extensions/search", { is_bad: isBad });
export const endSearch = () => call("DELETE", "/extensions/search");

export const getTasks = () => call("GET", INSTALLS);
export const getTask = (id) => call("GET", task(id));
export const beginInstall = (asked) => send("POST", INSTALLS, asked);
export const uploadExtension = (file) =>
  call("POST", `${INSTALLS}/upload?${given({ name: file.name })}`, file, "application/octet-stream");
export const examineInstall = (id, choices) => send("POST", `${task(id)}/examine`, choices);
export const confirmInstall = (id, fingerprint, isOn) =>
  send("POST", `${task(id)}/confirm`, { fingerprint, is_enabled: isOn });
export const cancelInstall = (id) => call("DELETE", task(id));

export const getInstalled = () => call("GET", `${INSTALLS}/installed`);
export const updateExtension = (id) => send("POST", `${installed(id)}/update`, {});
export const rollBack = (id) => call("POST", `${installed(id)}/rollback`);
export const uninstall = (id) => call("DELETE", installed(id));
export const checkUpdates = () => call("POST", `${INSTALLS}/updates`);

export const getSnapshots = () => call("GET", `${INSTALLS}/snapshots`);
export const saveSnapshot = (name) => send("POST", `${INSTALLS}/snapshots`, { name });
export const restoreSnapshot = (id) =>
  call("POST", `${INSTALLS}/snapshots/${encodeURIComponent(id)}/restore`);
export const removeSnapshot = (id) => call("DELETE", `${INSTALLS}/snapshots/${encodeURIComponent(id)}`);

export const getRemoved = () => call("GET", `${INSTALLS}/trash`);
export const bringBack = (id) => call("POST", `${INSTALLS}/trash/${encodeURIComponent(id)}/restore`);

export const searchIndex = (words) => call("GET", `${INSTALLS}/index?${given({ words })}`);
export const fetchIndex = () => call("POST", `${INSTALLS}/index`);
