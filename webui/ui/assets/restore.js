/** From a picture back into the controls: "send to", "use settings", dropping and pasting. */

import { inputOf, isShown, settled, type } from "./dom.js";
import { notify } from "./notices.js";
import { readPicture, readText } from "./server.js";
import { store } from "./store.js";

/** What A1111 and its kin write: a last line of settings. */
const INFOTEXT = /(?:^|\n)\s*Steps: \d+, .*(?:Sampler|Seed|CFG scale): /;
const TAB_NAMES = { txt2img: "txt2img", img2img: "img2img", inpaint: "Inpaint", extras: "Extras" };

/** Ask the page to fill its controls; see restore.py for what a wish may hold. */
export async function restore(wish) {
  type(inputOf("gesso_wish"), JSON.stringify(wish));
  await settled();
  document.getElementById("gesso_wish_apply").click();
}

/** A picture of ours as the source of a tab. */
export function sendTo(mode, picture) {
  return restore({ picture: picture.id, source_of: mode });
}

/** A picture that an extension wants to send on, as the page's answer to its button. */
export function sent(text) {
  const wish = JSON.parse(text);
  if (wish.fault) return notify(wish.fault, { tone: "bad" });
  restore(wish);
}

/** The page's answer to a wish. */
export function restored(text) {
  const said = JSON.parse(text);
  if (said.fault) return notify(said.fault, { tone: "bad" });
  if (said.job) return follow(said.tab, said.job);
  if (!said.tab) return;
  const missing = said.missing.length ? ` Not found here: ${said.missing.join(", ")}.` : "";
  notify(`Placed in ${TAB_NAMES[said.tab]}.${missing}`, { tone: missing ? "bad" : "plain" });
  window.scrollTo({ top: 0 });
}

/** Show a job that this window asked for. */
function follow(mode, jobId) {
  store.claim(jobId);
  document.querySelector(`gesso-results[mode="${mode}"]`)?.follow();
}

/** Take pictures that are dropped or pasted on a prompt. */
export function watchPrompts() {
  document.addEventListener("dragover", onDragOver, true);
  document.addEventListener("drop", onDrop, true);
  document.addEventListener("paste", onPaste, true);
}

const promptAt = (target) =>
  target instanceof Element ? target.closest(".gesso-prompt-row textarea") : null;

function onDragOver(event) {
  if (!promptAt(event.target)) return;
  event.preventDefault();
  event.dataTransfer.dropEffect = "copy";
}

function onDrop(event) {
  const file = picture(event.dataTransfer);
  const dragged = event.dataTransfer.getData("text/uri-list");
  if (!promptAt(event.target) || !(file || ours(dragged))) return;
  event.preventDefault();
  event.stopPropagation();
  if (file) restoreFrom(readPicture(file));
  else restore({ picture: ours(dragged) });
}

function onPaste(event) {
  const text = event.clipboardData?.getData("text/plain") ?? "";
  if (promptAt(event.target) && INFOTEXT.test(text)) {
    event.preventDefault();
    event.stopPropagation();
    return restoreFrom(readText(text));
  }
  const file = picture(event.clipboardData);
  const place = file && !promptAt(event.target) && sourcePlace();
  if (!file || !(promptAt(event.target) || place)) return;
  event.preventDefault();
  event.stopPropagation();
  if (place) chooseFile(place, event.clipboardData.files);
  else restoreFrom(readPicture(file));
}

/** The file input of the open tab's source picture. */
const sourcePlace = () =>
  [...document.querySelectorAll(":is(#img2img_image, #img2maskimg, #extras_image) input[type=file]")].find(
    (input) => isShown(input.closest(".block")),
  );

/** As if the files had been chosen in the browser's own dialog. */
function chooseFile(input, files) {
  input.files = files;
  input.dispatchEvent(new Event("change", { bubbles: true }));
}

const picture = (transfer) =>
  [...(transfer?.files ?? [])].find((file) => file.type.startsWith("image/"));

/** The id of a picture of this server, when that is what was dragged. */
function ours(url) {
  if (!url) return null;
  const parsed = URL.parse?.(url) ?? new URL(url);
  if (parsed?.origin !== location.origin) return null;
  return /^\/pictures\/([^/]+)/.exec(parsed.pathname)?.[1] ?? null;
}

async function restoreFrom(reading) {
  try {
    const { request, missing = [] } = await reading;
    await restore({ request, missing });
  } catch (error) {
    notify(error.message, { tone: "bad" });
  }
}
