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
    await Promise.all(page.scripts.map(load));
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

  /** Gradio draws what lies in a tab when it is first opened; old scripts expect it to be there. */
  async function visitTabs() {
    for (const list of [...document.querySelectorAll("[role=tablist]")]) {
      const tabs = [...list.querySelectorAll("button[role=tab]")];
      const chosen = tabs.find((tab) => tab.getAttribute("aria-selected") === "true");
      for (const tab of tabs.filter((each) => each !== chosen && !each.disabled)) {
        tab.click();
        await frame();
      }
      if (tabs.length > 1) chosen?.click();
      await frame();
    }
  }

  const frame = () => new Promise((resolve) => setTimeout(resolve, 0));

  function watch(heard) {
    let waiting;
    let tab = window.get_uiCurrentTab();
    new MutationObserver((changes) => {
      heard.run(heard.update, changes);
      clearTimeout(waiting);
      waiting = setTimeout(() => heard.run(heard.after), AFTER_MS);
      const now = window.get_uiCurrentTab();
      if (now && now !== tab) {
        tab = now;
        heard.run(heard.tab);
      }
    }).observe(window.gradioApp(), { childList: true, subtree: true });
    // The first update: scripts of before onUiLoaded begin with it.
    heard.run(heard.update, []);
    heard.run(heard.after);
  }

  async function refreshOptions() {
    const page = await told();
    if (page === null) return;
    Object.assign(window.opts, page.opts);
    window.gessoOldHeard.run(window.gessoOldHeard.options);
  }

  /** Open a tab by the name that A1111 has for it. */
  function show(name) {
    const panel = document.getElementById(`tab_${name}`);
    const id = panel?.getAttribute("aria-labelledby");
    const button =
      (id && document.getElementById(id)) ||
      [...document.querySelectorAll("#tabs button[role=tab]")].find(
        (each) => each.textContent.trim().toLowerCase() === name,
      );
    button?.click();
  }

  begin().catch((error) => console.error("Old scripts could not be started.", error));
})();
