/** What can be done with the picture on show. */

import { button, el, isShown } from "./dom.js";
import {
  inputUrl,
  getPicture,
  makeAgain,
  postJob,
  restorePicture,
  trashPicture,
} from "./server.js";
import { notify } from "./notices.js";
import { restore, sendTo } from "./restore.js";
import { store } from "./store.js";
import { verify } from "./verify.js";

const VARIATION = 0.15;

/** A row of actions; `current()` gives the picture, `stage` (may be null) can compare. */
export function actionsFor(mode, current, stage) {
  const act = (label, name, run) =>
    button(label, () => guarded(run, current()), { id: `${mode}_${name}`, class: "gesso-button" });
  const varied = act("Vary", "vary", vary);
  const hires = act("Hires fix", "hires_again", enlarge);
  hires.title = "Make it again at twice the size";
  const save = el("a", {
    class: "gesso-button",
    text: "Save as",
    id: `${mode}_save_as`,
    download: true,
  });
  const compare = stage && act("Compare", "compare", (picture) => openCompare(stage, picture));
  const element = el(
    "div",
    { class: "actions", role: "group", "aria-label": "With this picture" },
    act("Send to img2img", "send_to_img2img", (picture) => sendTo("img2img", picture)),
    act("Send to Inpaint", "send_to_inpaint", (picture) => sendTo("inpaint", picture)),
    act("Send to Extras", "send_to_extras", (picture) => sendTo("extras", picture)),
    act("Make again", "make_again", again),
    varied,
    hires,
    act("Use settings", "use_settings", (picture) => restore({ picture: picture.id })),
    act("Verify", "verify", verify),
    compare,
    save,
    act("Delete", "delete", remove),
  );
  return { element, show: (picture) => showFor({ element, save, compare, varied, hires }, picture) };
}

function showFor({ element, save, compare, varied, hires }, picture) {
  element.hidden = !picture;
  if (!picture) return;
  save.href = `${picture.url}?download=1`;
  save.download = picture.name;
  varied.hidden = picture.mode === "extras";
  hires.hidden = picture.mode !== "txt2img";
  if (compare) compare.hidden = picture.mode === "txt2img";
}

async function guarded(run, picture) {
  if (!picture) return;
  try {
    await run(picture);
  } catch (error) {
    notify(error.message, { tone: "bad" });
  }
}

async function again(picture) {
  took(await makeAgain(picture.id));
}

/** The same seed with a little of another one. */
async function vary(picture) {
  const { request } = await getPicture(picture.id);
  const variation_strength = request.noise.variation_strength || VARIATION;
  const noise = { ...request.noise, variation_seed: null, variation_strength };
  took(await postJob({ ...request, noise }));
}

async function enlarge(picture) {
  const { request } = await getPicture(picture.id);
  took(await postJob({ ...request, hires: {} }));
}

function took(job) {
  store.claim(job.id);
  store.takeJob(job);
  document.querySelector(`gesso-results[mode="${job.mode}"]`)?.follow();
  if (isShown(document.querySelector("gesso-history")))
    notify("It is being made and will be the newest of your pictures.");
}

/** Into the trash, with a way back. */
export async function remove(picture) {
  await trashPicture(picture.id);
  store.dropPicture(picture.id);
  document.dispatchEvent(new CustomEvent("gesso:trashed", { detail: picture }));
  notify("Picture deleted.", { action: { label: "Undo", run: () => guarded(unremove, picture) } });
}

/** Out of the trash. */
export async function unremove(picture) {
  await restorePicture(picture.id);
  store.keepPicture(picture);
  document.dispatchEvent(new CustomEvent("gesso:untrashed", { detail: picture }));
}

async function openCompare(stage, picture) {
  const { recipe } = await getPicture(picture.id);
  const before = recipe.extras ?? recipe.source;
  if (before) stage.toggleCompare(inputUrl(before.image));
}
