// The functions that old scripts call by name, as A1111's page has them.
/* exported gradioApp, onUiUpdate, onAfterUiUpdate, onUiLoaded, onUiTabChange, onOptionsChanged,
   get_uiCurrentTab, get_uiCurrentTabContent, uiCurrentTab, updateInput, randomId, args_to_array,
   switch_to_txt2img, switch_to_img2img, switch_to_inpaint, switch_to_extras, create_tab_index_args,
   get_tab_index, localGet, localSet, localRemove, hasLocalization, getTranslation, popup, closePopup,
   selected_gallery_index, selected_gallery_button, all_gallery_buttons, requestGet, setRandomSeed,
   restart_reload, create_submit_args, executeCallbacks, requestProgress, update_token_counter */

var opts = window.opts ?? {};
var uiCurrentTab = null;
var localization = window.localization ?? {};

window.gessoOldHeard = (() => {
  const run = (callbacks, given) => {
    for (const each of callbacks) {
      try {
        each(given);
      } catch (error) {
        console.error("An old script failed:", error);
      }
    }
  };
  return { run, update: [], after: [], loaded: [], tab: [], options: [] };
})();

function gradioApp() {
  const app = document.querySelector("gradio-app") ?? document.body;
  app.getElementById ??= (id) => document.getElementById(id);
  return app;
}

function executeCallbacks(queue, given) {
  window.gessoOldHeard.run(queue, given);
}

function onUiUpdate(callback) {
  window.gessoOldHeard.update.push(callback);
}

function onAfterUiUpdate(callback) {
  window.gessoOldHeard.after.push(callback);
}

function onUiLoaded(callback) {
  if (window.gessoOld.ready) callback();
  else window.gessoOldHeard.loaded.push(callback);
}

function onUiTabChange(callback) {
  window.gessoOldHeard.tab.push(callback);
}

function onOptionsChanged(callback) {
  window.gessoOldHeard.options.push(callback);
}

function get_uiCurrentTab() {
  const bar = document.querySelector("#tabs .tab-wrapper");
  const chosen = bar?.querySelector("[role=tablist] button[role=tab][aria-selected=true]");
  return chosen ?? bar?.querySelector(".overflow-dropdown button.selected") ?? null;
}

function get_uiCurrentTabContent() {
  const panels = document.querySelectorAll("#tabs > .tabitem, #tabs > * > .tabitem");
  return [...panels].find((panel) => panel.offsetParent !== null) ?? null;
}

function updateInput(target) {
  const event = new Event("input", { bubbles: true });
  Object.defineProperty(event, "target", { value: target });
  target.dispatchEvent(event);
}

function randomId() {
  return `task(${Math.random().toString(36).slice(2, 9)}${Math.random().toString(36).slice(2, 9)})`;
}

function args_to_array(args) {
  return [...args];
}

function create_submit_args(args) {
  return [...args];
}

function switched(name, values) {
  window.gessoOld.show(name);
  return [...values];
}

function switch_to_txt2img() {
  return switched("txt2img", arguments);
}

function switch_to_img2img_tab() {
  window.gessoOld.show("img2img");
}

function switch_to_img2img() {
  return switched("img2img", arguments);
}

function switch_to_inpaint() {
  return switched("inpaint", arguments);
}

function switch_to_extras() {
  return switched("extras", arguments);
}

function get_tab_index(id) {
  const tabs = [...document.querySelectorAll(`#${id} button[role=tab]`)];
  return Math.max(0, tabs.findIndex((tab) => tab.getAttribute("aria-selected") === "true"));
}

function create_tab_index_args(id, values) {
  const args = [...values];
  args[0] = get_tab_index(id);
  return args;
}

function get_img2img_tab_index() {
  return [0, 0];
}

function localSet(key, value) {
  try {
    localStorage.setItem(key, value);
  } catch (error) {
    console.warn("Nothing can be kept in this browser:", error);
  }
}

function localGet(key, fallback) {
  try {
    return localStorage.getItem(key) ?? fallback;
  } catch {
    return fallback;
  }
}

function localRemove(key) {
  try {
    localStorage.removeItem(key);
  } catch (error) {
    console.warn("Nothing can be kept in this browser:", error);
  }
}

function hasLocalization() {
  return Object.keys(localization).length > 0;
}

function getTranslation(text) {
  return localization[text];
}

function all_gallery_buttons() {
  const shown = document.querySelectorAll("gesso-results .gesso-thumb, .thumbnail-item");
  return [...shown].filter((each) => each.offsetParent !== null);
}

function selected_gallery_button() {
  return (
    all_gallery_buttons().find(
      (each) =>
        each.classList.contains("selected") || each.getAttribute("aria-current") === "true",
    ) ?? null
  );
}

function selected_gallery_index() {
  return all_gallery_buttons().indexOf(selected_gallery_button());
}

function setRandomSeed(id) {
  const input = document.querySelector(`#${id} input`);
  if (input) {
    input.value = "-1";
    updateInput(input);
  }
  return [];
}

function requestGet(url, data, handler, errorHandler) {
  fetch(`${url}?${new URLSearchParams(data)}`)
    .then((answer) => (answer.ok ? answer.json() : Promise.reject(answer)))
    .then(handler, errorHandler);
}

function requestProgress(id, container, gallery, atEnd) {
  atEnd?.();
}

function update_token_counter() {}

function restart_reload() {
  location.reload();
}

function popup(contents) {
  closePopup();
  const frame = document.createElement("div");
  frame.className = "global-popup";
  frame.setAttribute("role", "dialog");
  frame.style.display = "flex";
  const close = document.createElement("button");
  close.className = "global-popup-close";
  close.textContent = "Close";
  close.addEventListener("click", closePopup);
  const inner = document.createElement("div");
  inner.className = "global-popup-inner";
  inner.append(contents);
  frame.append(close, inner);
  gradioApp().append(frame);
}

function popupId(id) {
  popup(document.getElementById(id));
}

function closePopup() {
  document.querySelector(".global-popup")?.remove();
}
