/** The page that a link to an album opens: its pictures, each a link to the whole file. */

import { button, el, setText } from "./dom.js";

const main = document.getElementById("album");
const list = el("ul");
const more = button("Show more", () => show());
let next = 0;

async function show() {
  more.disabled = true;
  const page = await read(next);
  if (!page) return;
  if (next === 0) begin(page);
  list.append(...page.pictures.map(tile));
  next = page.next;
  more.disabled = false;
  more.hidden = next == null;
}

async function read(offset) {
  try {
    const response = await fetch(`${location.pathname}/album?${new URLSearchParams({ offset })}`);
    if (response.ok) return await response.json();
    fail("This link shows nothing any more. It has expired or was taken back. Ask for a new one.");
  } catch {
    fail("The studio can't be reached just now. Load the page again in a moment.");
  }
  return null;
}

function begin({ album }) {
  document.title = album.title;
  const count = album.pictures === 1 ? "1 picture" : `${album.pictures} pictures`;
  main.replaceChildren(el("h1", { text: album.title }), el("p", { text: count }), list, more);
}

function tile(picture, index) {
  const words = picture.prompt || `Picture ${list.children.length + index + 1}`;
  const image = el("img", { src: picture.thumbnail, alt: words, loading: "lazy" });
  const link = el("a", { href: picture.url, target: "_blank", rel: "noopener" }, image);
  return el("li", {}, link, picture.prompt ? el("span", { text: picture.prompt }) : null);
}

function fail(message) {
  const place = main.querySelector("p");
  if (place) setText(place, message);
  more.hidden = true;
}

show();
