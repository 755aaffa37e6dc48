/** What is open in the page and closed by Esc, such as the queue and the networks: the last opened
 *  first, one with each press, wherever the focus is. */

import { isShown } from "./dom.js";

const layers = []; // `{element, close}`, the last opened at the end

/** Let Esc close `element` while it is seen. Gives back what is to be called once it is closed. */
export function openLayer(element, close) {
  const layer = { element, close };
  layers.push(layer);
  return () => {
    const at = layers.indexOf(layer);
    if (at >= 0) layers.splice(at, 1);
  };
}

/** Whether a list or a dialog is open, which closes itself with Esc. */
export const isEscTaken = ({ target }) =>
  document.querySelector("dialog[open]") !== null || Boolean(target.matches?.("input[aria-expanded=true]"));

/** At the window, before the keys of the page: with something open Esc does not cancel a job. */
export function watchLayers() {
  window.addEventListener("keydown", onKey, true);
}

function onKey(event) {
  if (event.key !== "Escape" || event.isComposing || isEscTaken(event)) return;
  const close = menuCloser() ?? layers.findLast(({ element }) => isShown(element))?.close;
  if (!close) return;
  event.stopPropagation();
  event.preventDefault();
  if (!event.repeat) close(event);
}

/** What closes the menu of tabs that find no room, while it is open: Gradio knows no key for it. */
function menuCloser() {
  const menu = document.querySelector("#tabs > .tab-wrapper .overflow-menu");
  if (!isShown(menu?.querySelector(".overflow-dropdown"))) return undefined;
  return () => {
    const opener = menu.querySelector("button");
    opener.click();
    opener.focus();
  };
}
