// Brings old scripts into the page: loads them in order, shows them a page as A1111 draws it, and
// tells them what happens on it. What they call by name is in names.js.
(() => {
  "use strict";

  const PREFIX = "/a1111";
  const PARTS = ["selectors.js", "names.js", "handlers.js", "accordions.js"];
  const PATIENCE_MS = 30_000;
  const AFTER_MS = 200;

  const bridge = {
    ready: false,
    role: "",
    /** Globals that the old scripts made: only these may be called by markup. */
    made: new Set(),
    starts: [],
    refreshOptions,
    show,
    visitTabs,
  };
  window.gessoOld = bridge;

  function load(address) {
    return new Promise((resolve) => {
      const script = document.createElement("script");
      script.src = address;
      script.async = false;
      if (address.split("?")[0].endsWith(".mjs")) script.type = "module";
      script.onload = script.onerror = resolve;
      document.head.append(script);
    });
  }

  async function begin() {
    const page = await told();
    if (page === null) return;
    await Promise.all(PARTS.map((name) => load(`${PREFIX}/${name}`)));
    window.opts = page.opts;
    bridge.role = page.role;
    const before = new Set(Object.getOwnPropertyNames(window));
    const missed = hearMissed();
    await Promise.all(page.scripts.map(load));
    missed();
    for (const name of Object.getOwnPropertyNames(window)) {
      if (!before.has(name)) bridge.made.add(name);
    }
    await drawn();
    await visitTabs();
    for (const start of bridge.starts) start();
    bridge.ready = true;
    const heard = window.gessoOldHeard;
    heard.run(heard.options);
    heard.run(heard.loaded);
    watch(heard);
    document.body.dataset.gessoOld = "ready";
  }

  /** Old scripts are loaded when the page is there, and wait for events that are over. The function
   * that is given back calls them. */
  function hearMissed() {
    const events = [
      [document, "DOMContentLoaded"],
      [window, "load"],
    ];
    const waiting = [];
    for (const [target, type] of events) {
      target.addEventListener = function addEventListener(kind, listener, ...more) {
        if (kind === type) waiting.push([target, type, listener]);
        else EventTarget.prototype.addEventListener.call(this, kind, listener, ...more);
      };
    }
    return () => {
      for (const [target] of events) delete target.addEventListener;
      for (const [target, type, listener] of waiting) {
        try {
          if (typeof listener === "function") listener.call(target, new Event(type));
          else listener?.handleEvent?.(new Event(type));
        } catch (error) {
          console.error("An old script failed:", error);
        }
      }
    };
  }

  async function told() {
    const answer = await fetch(`${PREFIX}/page.json`, { cache: "no-store" });
    return answer.ok ? answer.json() : null;
  }

  /** When the page's tabs are there. */
  function drawn() {
    const isThere = () => document.querySelectorAll("#tabs button[role=tab]").length > 0;
    return new Promise((resolve) => {
      const end = performance.now() + PATIENCE_MS;
      const look = () =>
        isThere() || performance.now() > end ? resolve() : requestAnimationFrame(look);
      look();
    });
  }

  /** Gradio draws what lies in a tab when it is first opened; old scripts expect it to be there.
   * Tabs for which there is no room are in a menu, each for as long as it isn't chosen. */
  async function visitTabs() {
    for (const bar of [...document.querySelectorAll(".tab-wrapper")]) {
      const names = [...tabsOf(bar), ...furtherTabs(bar)].map((tab) => tab.textContent);
      const chosen = tabsOf(bar).find((tab) => tab.getAttribute("aria-selected") === "true");
      const others = names.filter((name) => name !== chosen?.textContent);
      for (const name of others) {
        named(bar, name)?.click();
        await frame();
      }
      if (others.length > 0 && chosen) named(bar, chosen.textContent)?.click();
      await frame();
    }
  }

  const tabsOf = (bar) => [...bar.querySelectorAll("[role=tablist] button[role=tab]")];
  const furtherTabs = (bar) => [...bar.querySelectorAll(".overflow-dropdown button")];
  const named = (bar, name) =>
    [...tabsOf(bar), ...furtherTabs(bar)].find((tab) => tab.textContent === name && !tab.disabled);

  const frame = () => new Promise((resolve) => setTimeout(resolve, 0));

  function watch(heard) {
    let waiting;
    new MutationObserver((changes) => {
      heard.run(heard.update, changes);
      clearTimeout(waiting);
      waiting = setTimeout(() => heard.run(heard.after), AFTER_MS);
    }).observe(window.gradioApp(), { childList: true, subtree: true });
    watchTabs(heard);
    // The first update: scripts of before onUiLoaded begin with it.
    heard.run(heard.update, []);
    heard.run(heard.after);
  }

  function watchTabs(heard) {
    const name = () => window.get_uiCurrentTab()?.textContent;
    let tab = name();
    new MutationObserver(() => {
      const now = name();
      if (!now || now === tab) return;
      tab = now;
      heard.run(heard.tab);
    }).observe(document.querySelector("#tabs .tab-wrapper"), {
      attributes: true,
      attributeFilter: ["aria-selected", "class"],
      childList: true,
      subtree: true,
    });
  }

  async function refreshOptions() {
    const page = await told();
    if (page === null) return;
    Object.assign(window.opts, page.opts);
    window.gessoOldHeard.run(window.gessoOldHeard.options);
  }

  /** Open a tab by the name that A1111 has for it. */
  function show(name) {
    const bar = document.querySelector("#tabs .tab-wrapper");
    const button = document.getElementById(`tab_${name}-button`);
    const title = [...tabsOf(bar), ...furtherTabs(bar)].find(
      (each) => each.textContent.trim().toLowerCase() === name,
    );
    (button ?? title)?.click();
  }

  begin().catch((error) => console.error("Old scripts could not be started.", error));
})();
