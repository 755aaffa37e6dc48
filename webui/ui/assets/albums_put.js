/** "Add to album": in which of one's albums a picture is. */

import { button, el, isShown, setText } from "./dom.js";
import { notify } from "./notices.js";
import { getAlbums, postAlbum, putIntoAlbum } from "./server.js";

/** The button, with the list that it opens; `current()` gives the picture. */
export function albumPutter(current) {
  const list = el("select", { "aria-label": "Album", id: "history_put_album" });
  const title = el("input", { placeholder: "Name of the new album", maxlength: "100", "aria-label": "Name of the new album" });
  const fault = el("p", { class: "fault", role: "alert" });
  const put = el("button", { type: "submit", text: "Add", class: "gesso-button main" });
  const close = () => dialog.close();
  const form = el(
    "form",
    { method: "dialog" },
    el("h2", { text: "Add to an album" }),
    list,
    title,
    fault,
    el("div", { class: "buttons" }, button("Cancel", close, { class: "gesso-button" }), put),
  );
  const dialog = el("dialog", { class: "card-editor album" }, form);
  list.addEventListener("change", () => showTitle());
  dialog.addEventListener("click", (event) => event.target === dialog && close());
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    add().catch((error) => setText(fault, error.message));
  });

  function showTitle() {
    title.hidden = list.value !== "";
    title.required = !title.hidden;
  }

  async function open() {
    setText(fault, "");
    title.value = "";
    try {
      const mine = (await getAlbums()).filter((album) => album.is_mine);
      list.replaceChildren(
        ...mine.map((album) => el("option", { value: album.id, text: album.title })),
        el("option", { value: "", text: "New album…" }),
      );
    } catch (error) {
      notify(error.message, { tone: "bad" });
      return;
    }
    showTitle();
    // Closed while the albums were asked for: a dialog that nobody sees would hold the whole page.
    if (isShown(opener)) dialog.showModal();
  }

  async function add() {
    const album = list.value || (await postAlbum({ title: title.value.trim() })).id;
    await putIntoAlbum(album, current().id);
    dialog.close();
    document.dispatchEvent(new CustomEvent("gesso:albums"));
    notify("Added to the album.");
  }

  const opener = button("Add to album", open, { class: "gesso-button", id: "history_add_to_album" });
  return { opener, dialog };
}
