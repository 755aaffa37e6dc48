// Accordions of old scripts. They are drawn open, so that what lies in them is there for old
// JavaScript, and closed at once; those with a switch are open while it is on.
(() => {
  "use strict";

  const label = (accordion) => accordion?.querySelector(".label-wrap") ?? null;
  const isOpen = (accordion) => label(accordion)?.classList.contains("open") ?? false;

  function close() {
    for (const accordion of document.querySelectorAll(".gesso-old-closed")) {
      if (isOpen(accordion)) label(accordion).click();
    }
    for (const accordion of document.querySelectorAll(".input-accordion")) wire(accordion);
  }

  function wire(accordion) {
    const hidden = document.querySelector(`#${CSS.escape(`${accordion.id}-checkbox`)} input`);
    const wrap = label(accordion);
    if (!hidden || !wrap || accordion.dataset.wired) return;
    accordion.dataset.wired = "1";
    const seen = document.createElement("input");
    seen.type = "checkbox";
    seen.id = `${accordion.id}-visible-checkbox`;
    seen.className = "input-accordion-checkbox";
    seen.setAttribute("aria-label", wrap.textContent.trim());
    seen.checked = hidden.checked;
    accordion.visibleCheckbox = seen;
    wrap.prepend(seen);
    seen.addEventListener("click", (event) => {
      event.stopPropagation();
      set(hidden, seen.checked);
    });
    new MutationObserver(() => {
      seen.checked = isOpen(accordion);
      set(hidden, seen.checked);
    }).observe(wrap, { attributes: true, attributeFilter: ["class"] });
    const extra = document.getElementById(`${accordion.id}-extra`);
    if (extra) wrap.append(extra);
  }

  function set(hidden, isOn) {
    if (hidden.checked !== isOn) hidden.click();
  }

  window.inputAccordionChecked = (id, isOn) => {
    const accordion = document.getElementById(id);
    if (accordion && isOpen(accordion) !== isOn) label(accordion).click();
  };

  window.gessoOld.starts.push(close);
})();
