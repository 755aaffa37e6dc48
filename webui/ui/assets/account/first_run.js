/** The page on which the first owner makes their account. */

import { ask, onSubmit } from "./account.js";

const form = document.querySelector("form");

onSubmit(form, async ({ name, password }) => {
  await ask("POST", "/first-run", { name, password });
  location.replace("/");
});
form.elements.name.focus();
