/** What the owner should see of an extension before anything of it runs. */

import { el } from "./dom.js";
import { GRAVITY, KINDS, permissionList, permissionWords, smallSize } from "./extensions_words.js";

const MOST_PLACES = 6;

/** The parts of a review, one below the other. */
export function* review(found) {
  if (found.description) yield el("p", { text: found.description });
  if (found.changes) yield changes(found.changes);
  for (const warning of found.warnings) yield el("p", { class: "conflict", text: warning });
  yield el("dl", { class: "facts" }, ...[...facts(found)].flatMap(([name, value]) => fact(name, value)));
  yield* findings(found.findings);
  yield folded("Its files", found.files.map((file) => `${smallSize(file.bytes).padStart(9)}  ${file.name}`).join("\n"));
  if (found.install_script) yield folded("Its install.py", found.install_script);
}

function* facts(found) {
  yield ["Version", `${found.version} · ${KINDS[found.kind] ?? found.kind}`];
  yield ["Files", `${found.file_count} · ${smallSize(found.bytes)}`];
  yield ["Licence", found.licence || "Not told"];
  if (found.authors.length) yield ["By", found.authors.join(", ")];
  if (found.homepage) yield ["Home", found.homepage];
  const permissions = permissionList(found.permissions);
  if (!permissions.length) yield ["May", found.kind === "native" ? "Nothing beyond pictures" : "Not told by its author"];
  for (const permission of permissions) yield ["May", permissionWords(permission)];
  if (found.requirements.length) yield ["Packages", found.requirements.join(", ")];
  if (found.unread.length) yield ["Not understood", found.unread.join(", ")];
}

function* findings(all) {
  if (!all.length) yield el("p", { class: "quiet", text: "Nothing in its code strikes the eye." });
  for (const [title, signs] of GRAVITY) {
    const here = all.filter((each) => signs.includes(each.sign));
    if (!here.length) continue;
    yield el("h4", { text: title });
    const isGrave = title === GRAVITY[0][0];
    yield el("ul", { class: "findings" }, ...here.map((each) => finding(each, isGrave)));
  }
}

function finding({ meaning, count, places }, isOpen) {
  const shown = places.slice(0, MOST_PLACES).map((place) =>
    el("li", {}, el("code", { text: place.line ? `${place.file}:${place.line}` : place.file }), el("span", { class: "quiet", text: place.text })),
  );
  const more = count - shown.length;
  if (more > 0) shown.push(el("li", { class: "quiet", text: `and ${more} more` }));
  return el(
    "li",
    {},
    el("details", { open: isOpen }, el("summary", { text: `It ${meaning}${count > 1 ? ` (${count} places)` : ""}` }), el("ul", {}, ...shown)),
  );
}

function changes({ added, removed, changed, reasons }) {
  const files = [
    ["new", added],
    ["changed", changed],
    ["gone", removed],
  ].filter(([, names]) => names.length);
  return el(
    "div",
    { class: "changes" },
    ...reasons.map((text) => el("p", { class: "conflict", text })),
    folded(
      files.map(([word, names]) => `${names.length} files ${word}`).join(", ") || "No file differs",
      files.flatMap(([word, names]) => names.map((name) => `${word}  ${name}`)).join("\n"),
    ),
  );
}

const fact = (name, value) => [el("dt", { text: name }), el("dd", { text: value })];

const folded = (words, text) =>
  el("details", { class: "traceback" }, el("summary", { text: words }), el("pre", { text, tabindex: "0" }));
