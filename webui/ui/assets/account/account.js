/** What the pages before the studio share: asking the server, forms, faults. */

const API = "/api/v1";

/** What the server refused: its words, the field they are about, and the status (0: no answer). */
export class Refused extends Error {
  constructor(message, field, status) {
    super(message);
    this.field = field;
    this.status = status;
  }
}

/** Ask the API; the answer. Throws Refused. */
export async function ask(method, path, body) {
  const headers = { "X-Gesso": "1", "Content-Type": "application/json" };
  let response;
  try {
    response = await fetch(API + path, { method, headers, body: body && JSON.stringify(body) });
  } catch {
    throw new Refused("The studio can't be reached. It may be restarting; try again.", null, 0);
  }
  const answer = await response.json().catch(() => null);
  if (response.ok) return answer;
  const error = answer?.error ?? {};
  const message = error.message ?? `The studio answered ${response.status}. Try again.`;
  throw new Refused(message, error.field ?? null, response.status);
}

/** Send a form with `send(values)` whenever it is submitted, and say why if that is refused. */
export function onSubmit(form, send) {
  for (const box of form.querySelectorAll(".secret .box")) addShowButton(box);
  for (const input of form.querySelectorAll("input")) {
    input.addEventListener("input", () => input.removeAttribute("aria-invalid"));
  }
  let isBusy = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (isBusy || !isFilled(form)) return;
    isBusy = true;
    const button = form.querySelector("[type=submit]");
    button.setAttribute("aria-disabled", "true"); // not `disabled`: that would take the focus away
    showFault(form, "");
    try {
      await send(Object.fromEntries(new FormData(form)));
    } catch (error) {
      showFault(form, error.message, error.field);
    } finally {
      isBusy = false;
      button.removeAttribute("aria-disabled");
    }
  });
}

/** Whether nothing is blank; says what is. A blank must not count as a wrong password. */
function isFilled(form) {
  const blank = [...form.querySelectorAll("[required]")].find((input) => input.value === "");
  if (blank) showFault(form, `${blank.labels[0].textContent} is missing. Type it.`, blank.name);
  return !blank;
}

/** Say what is wrong, at the field it is about; "" takes it away. */
export function showFault(form, message, field) {
  for (const input of form.querySelectorAll("input")) input.removeAttribute("aria-invalid");
  form.querySelector(".fault").textContent = message;
  const input = form.elements.namedItem(field ?? "");
  if (!message || !(input instanceof HTMLInputElement)) return;
  input.setAttribute("aria-invalid", "true");
  input.focus();
}

function addShowButton(box) {
  const input = box.querySelector("input");
  const button = document.createElement("button");
  button.type = "button";
  button.setAttribute("aria-controls", input.id);
  const name = box.parentElement.querySelector("label").textContent.toLowerCase();
  const tell = () => {
    const isShown = input.type === "text";
    button.textContent = isShown ? "Hide" : "Show";
    button.setAttribute("aria-label", `${button.textContent} ${name}`);
  };
  button.addEventListener("click", () => {
    input.type = input.type === "text" ? "password" : "text";
    tell();
    input.focus();
  });
  // A password manager saves what is in a field of type "password".
  input.form.addEventListener("submit", () => {
    input.type = "password";
    tell();
  }, { capture: true });
  tell();
  box.append(button);
}
