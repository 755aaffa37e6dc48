/** The page behind an invitation: an account, a visit as a guest, or a new password. */

import { ask, onSubmit } from "./account.js";

const WORDS = {
  join: {
    title: "You are invited",
    lead: "Choose the name that others see and a password, and you are in.",
    button: "Make my account",
  },
  guest: {
    title: "You are invited as a guest",
    lead: "Tell us what to call you. A guest needs no password.",
    button: "Come in",
  },
  reset: {
    title: "Choose a new password",
    lead: "You will be signed out everywhere else.",
    button: "Set password",
  },
};
const ROLES = {
  viewer: "You can look at what is shared with you.",
  artist: "You can make pictures; they are yours alone until you share them.",
  owner: "You can make pictures and run this studio.",
};
const path = `/join/${location.pathname.split("/").pop()}`;
const form = document.querySelector("form");

async function begin() {
  let offer;
  try {
    offer = await ask("GET", path);
  } catch (error) {
    show("#gone");
    document.querySelector("#gone .fault").textContent = error.message;
    return;
  }
  present(offer);
  onSubmit(form, async ({ name, password }) => {
    await ask("POST", path, { name: name ?? "", password: password ?? "" });
    location.replace("/");
  });
}

function present({ kind, role, name, expires_at }) {
  const words = WORDS[kind];
  document.title = `${words.title} – Gesso`;
  document.querySelector("#title").textContent = words.title;
  document.querySelector("#lead").textContent = words.lead;
  document.querySelector("#role").textContent = kind === "reset" ? "" : ROLES[role];
  document.querySelector("[type=submit]").textContent = words.button;
  if (kind === "guest") {
    form.elements.name.autocomplete = "nickname";
    document.querySelector(".secret").remove();
    const until = new Date(expires_at * 1000).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
    document.querySelector("#role").textContent += ` Your visit ends on ${until}.`;
  }
  if (kind === "reset") {
    form.elements.name.value = name;
    form.elements.name.readOnly = true;
  }
  show("#door");
  const first = kind === "reset" ? form.elements.password : form.elements.name;
  if (matchMedia("(hover: hover)").matches) first.focus();
}

function show(part) {
  document.querySelector(part).hidden = false;
  document.querySelector("main").hidden = false;
}

begin();
