/** A canvas shows nothing at all for a file that it can't read; here the reason is said. */

import { notify } from "./notices.js";

/** Look at the files that are chosen for a canvas or dropped on one. */
export function watchCanvases() {
  document.addEventListener("change", ({ target }) => look(target, target.files), true);
  document.addEventListener("drop", ({ target, dataTransfer }) => look(target, dataTransfer?.files), true);
}

async function look(target, files) {
  const [file] = files ?? [];
  if (!file || !target.closest?.(".gesso-canvas")) return;
  if (await isReadable(file)) return;
  notify(`${file.name} can't be opened as a picture, or it is damaged. Use a PNG, JPEG or WebP file.`, {
    tone: "bad",
  });
}

/** Whether the browser can show a file, told the way the canvas does it. */
async function isReadable(file) {
  const url = URL.createObjectURL(file);
  const image = new Image();
  image.src = url;
  try {
    await image.decode();
    return true;
  } catch {
    return false;
  } finally {
    URL.revokeObjectURL(url);
  }
}
