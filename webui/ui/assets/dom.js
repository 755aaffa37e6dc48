/** Making and finding elements. Text goes in as text nodes only, so nothing can become HTML. */

/**
 * A new element. Props are attributes, except `text` (its content), `on` (listeners by event
 * name) and values of true and false (present or absent attribute).
 */
export function el(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name === "text") element.textContent = value;
    else if (name === "on") listen(element, value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child != null));
  return element;
}

function listen(element, listeners) {
  for (const [event, listener] of Object.entries(listeners)) {
    element.addEventListener(event, listener);
  }
}

/** A plain button. */
export function button(label, onClick, props = {}) {
  return el("button", { type: "button", text: label, on: { click: onClick }, ...props });
}

/** Set text only when it differs, so that live regions speak once. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Set an attribute only when it differs, so that a picture isn't loaded twice. */
export function setAttribute(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

/** The control inside a Gradio component that a person types into. */
export function inputOf(id) {
  return document.querySelector(`#${CSS.escape(id)} :is(textarea, input)`);
}

/** Put a value into a Gradio control as if it had been typed. */
export function type(input, value) {
  const owner = input instanceof HTMLTextAreaElement ? HTMLTextAreaElement : HTMLInputElement;
  Object.getOwnPropertyDescriptor(owner.prototype, "value").set.call(input, value);
  input.dispatchEvent(new Event("input", { bubbles: true }));
}

/** Resolves when Gradio has taken over what was typed. */
export function settled() {
  return new Promise((resolve) => setTimeout(resolve, 60));
}

/** Whether an element can be seen, that is, stands in the open tab. */
export function isShown(element) {
  return element != null && element.getClientRects().length > 0;
}
