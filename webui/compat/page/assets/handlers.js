// Handlers written into markup (onclick="f('x')"). The page's policy runs none of them. Here those
// are called that do nothing but call functions of old scripts with plain values: what slips into
// the page from elsewhere gets no more than that.
(() => {
  "use strict";

  const EVENTS = ["click", "change", "input", "mouseover", "mouseout", "keydown", "keyup", "submit"];
  const CALL = /^(?:return\s+)?(?:window\.)?([A-Za-z_$][\w$]*)\((.*)\)$/s;
  const VALUE =
    /\s*(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|(-?\d+(?:\.\d+)?)|(true|false|null|this|event|this\.value|this\.checked|this\.id))\s*(?:,|$)/gy;
  const WORDS = { true: true, false: false, null: null };

  function values(text, element, event) {
    const found = [];
    VALUE.lastIndex = 0;
    while (VALUE.lastIndex < text.length) {
      const value = VALUE.exec(text);
      if (value === null) return null;
      const [, single, double, number, word] = value;
      if (number !== undefined) found.push(Number(number));
      else if (word === undefined) found.push((single ?? double).replace(/\\(.)/g, "$1"));
      else if (word === "this") found.push(element);
      else if (word === "event") found.push(event);
      else if (word.startsWith("this.")) found.push(element[word.slice(5)]);
      else found.push(WORDS[word]);
    }
    return found;
  }

  function run(code, element, event) {
    for (const statement of code.split(/;(?=(?:[^'"]|'[^']*'|"[^"]*")*$)/)) {
      const told = statement.trim();
      if (told === "return false") event.preventDefault();
      if (told === "event.preventDefault()") event.preventDefault();
      if (told === "event.stopPropagation()") event.stopPropagation();
      const call = CALL.exec(told);
      if (call === null || !window.gessoOld.made.has(call[1])) continue;
      const given = values(call[2].trim(), element, event);
      const callee = window[call[1]];
      if (given === null || typeof callee !== "function") continue;
      if (callee.apply(element, given) === false) event.preventDefault();
    }
  }

  for (const type of EVENTS) {
    document.addEventListener(type, (event) => {
      for (const element of event.composedPath()) {
        const code = element instanceof Element ? element.getAttribute(`on${type}`) : null;
        if (code) run(code, element, event);
      }
    });
  }
})();
