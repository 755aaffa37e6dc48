// Lets old scripts find parts of the page by the selectors that fitted A1111's page. Only what
// finds nothing as it is, and was asked by an old script, is looked for in another way.
(() => {
  "use strict";

  const OLD_CODE = /\/(a1111\/assets|file=)/;
  const RENAMED = [
    [/(button)?\.gr-button(-[\w-]+)?/g, "button"],
    [/\.gr-box|\.gr-block|\.gr-panel/g, ".block"],
    [/\.gr-text-input/g, "textarea"],
    [/\.gradio-dropdown\s+label\s+\.wrap/g, ".gradio-dropdown .wrap"],
    [/#script_list\b/g, "[id$=_script_of]"],
    [/#(mode_img2img|img2img_img2img_tab)\b/g, "#tab_img2img"],
    [/#img2img_inpaint_tab\b/g, "#tab_inpaint"],
    [/\.tab-nav\b/g, "[role=tablist]"],
    [/\.svelte-[a-z0-9]+/g, ""],
  ];

  const IDS = { script_list: "txt2img_script_of", mode_img2img: "tab_img2img" };

  const isOld = () => OLD_CODE.test(new Error().stack ?? "");

  /** Other ways to say a selector, the nearest first. */
  function others(selector) {
    const renamed = RENAMED.reduce((told, [old, now]) => told.replace(old, now), selector);
    const loose = (told) => told.replace(/\s*>\s*/g, " ").replace(/^\s+/, "");
    return [...new Set([renamed, loose(selector), loose(renamed)])].filter(
      (told) => told.trim() && told !== selector,
    );
  }

  function attempt(find, selector) {
    try {
      return find(selector);
    } catch {
      return null; // a selector that the renaming broke
    }
  }

  const byId = Document.prototype.getElementById;
  Document.prototype.getElementById = function getElementById(id) {
    const found = byId.call(this, id);
    return found === null && id in IDS && isOld() ? byId.call(this, IDS[id]) : found;
  };

  for (const kind of [Element, Document, DocumentFragment]) {
    const one = kind.prototype.querySelector;
    const all = kind.prototype.querySelectorAll;

    kind.prototype.querySelector = function querySelector(selector) {
      const found = one.call(this, selector);
      if (found !== null || !isOld()) return found;
      for (const other of others(String(selector))) {
        const also = attempt((told) => one.call(this, told), other);
        if (also) return also;
      }
      return null;
    };

    kind.prototype.querySelectorAll = function querySelectorAll(selector) {
      const found = all.call(this, selector);
      if (found.length > 0 || !isOld()) return found;
      for (const other of others(String(selector))) {
        const also = attempt((told) => all.call(this, told), other);
        if (also?.length) return also;
      }
      return found;
    };
  }
})();
