/**
 * The sign-in page. First of all it asks whether this browser is signed in already: after a link
 * in a chat or mail the browser leaves the cookie out of the first request, and only of that.
 */

import { ask, onSubmit } from "./account.js";
import { nextAddress } from "./next.js";

const LATELY_MS = 10_000;
const MOST_TIMES = 3;
const WENT_ON = "gesso-went-on";
const form = document.querySelector("form");

async function begin() {
  onSubmit(form, async ({ name, password }) => {
    await ask("POST", "/session", { name, password });
    location.replace(nextAddress(location.search, location.origin));
  });
  try {
    await ask("GET", "/session");
  } catch (error) {
    if (error.status === 401 && "begin" in document.documentElement.dataset) {
      location.replace("/first-run");
      return;
    }
    showForm();
    return;
  }
  const lately = whenSentOn().filter((at) => Date.now() - at < LATELY_MS);
  if (lately.length >= MOST_TIMES) {
    showStay();
    return;
  }
  sessionStorage.setItem(WENT_ON, JSON.stringify([...lately, Date.now()]));
  location.replace(nextAddress(location.search, location.origin));
}

/** When this page sent the browser on by itself: if it is sent back each time, there is no end. */
function whenSentOn() {
  try {
    return JSON.parse(sessionStorage.getItem(WENT_ON) ?? "[]");
  } catch {
    return [];
  }
}

function showForm() {
  document.querySelector("main").hidden = false;
  if (matchMedia("(hover: hover)").matches) form.elements.name.focus(); // no keyboard over a phone's page
}

/** Somebody is signed in, and yet was sent here: a link that they follow themselves ends the loop. */
function showStay() {
  const link = document.querySelector("#go_on");
  link.href = nextAddress(location.search, location.origin);
  document.querySelector("#stay").hidden = false;
  document.querySelector("#door").hidden = true;
  document.querySelector("main").hidden = false;
}

begin();
