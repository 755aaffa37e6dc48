/** Small parts that the account and the team have in common: rows, fields, guarded actions. */

import { button, el, setText } from "./dom.js";

/** A text field in a label. */
export const field = (label, input) => el("label", {}, el("span", { text: label }), input);

/** A list to choose from; `options` are pairs of value and text. */
export const choice = (options, props = {}) =>
  el("select", props, ...options.map(([value, text]) => el("option", { value, text })));

/** A place for a fault, which a screen reader speaks. */
export const faultLine = () => el("p", { class: "fault", role: "alert" });

/** Run an action; what goes wrong is told in `fault`. Whether it went well. */
export async function guarded(fault, run) {
  setText(fault, "");
  try {
    await run();
    return true;
  } catch (error) {
    setText(fault, error.message);
    return false;
  }
}

/** A table with a heading for each column; cells are texts or elements. */
export function table(label, heads, rows) {
  const head = el("tr", {}, ...heads.map((text) => el("th", { scope: "col", text })));
  const body = rows.map((cells) => el("tr", {}, ...cells.map(cell)));
  const whole = el("table", { "aria-label": label }, el("thead", {}, head), el("tbody", {}, ...body));
  return el("div", { class: "scroll", role: "group", tabindex: "0", "aria-label": label }, whole);
}

const cell = (content) =>
  typeof content === "string" ? el("td", { text: content }) : el("td", {}, content);

/** A button of a row. */
export const act = (label, onClick, props = {}) =>
  button(label, onClick, { class: "gesso-button", ...props });

/** Something told only once, to be copied: an address or a key; `picture` is its QR code. */
export function onceLine(label, value, hint, picture = null) {
  const input = el("input", { readonly: true, value, "aria-label": label, class: "once" });
  input.addEventListener("focus", () => input.select());
  return el("div", { class: "told" }, el("strong", { text: label }), input, el("p", { text: hint }), picture);
}

/** A button that asks once more before it acts. */
export function actTwice(label, question, onClick, props = {}) {
  const element = act(label, () => {
    if (element.dataset.asked) {
      onClick();
      return;
    }
    element.dataset.asked = "yes";
    setText(element, question);
    element.addEventListener("blur", () => {
      delete element.dataset.asked;
      setText(element, label);
    }, { once: true });
  }, props);
  return element;
}
