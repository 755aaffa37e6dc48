/** Editing a prompt by keys: weights with Ctrl+Up and Down, moving items with Alt+Left and Right. */

import { type } from "./dom.js";

const STEP = 0.1;
const NETWORK_STEP = 0.05;
const WORD_ENDS = /[\s.,\\/!?%^*;:{}=`~()[\]<>]/;
const UP_DOWN = { ArrowUp: 1, ArrowDown: -1 };
const LEFT_RIGHT = { ArrowLeft: -1, ArrowRight: 1 };

/** Take a key pressed in a prompt; whether it was one of ours. */
export function editPrompt(event) {
  const box = event.target;
  if (!(box instanceof HTMLTextAreaElement) || !box.closest('[id$="prompt"]')) return false;
  const isWeight = (event.ctrlKey || event.metaKey) && !event.altKey && event.key in UP_DOWN;
  const isMove = event.altKey && !event.ctrlKey && !event.metaKey && event.key in LEFT_RIGHT;
  if (!isWeight && !isMove) return false;
  const { value, selectionStart, selectionEnd } = box;
  const edit = isWeight
    ? weigh(value, selectionStart, selectionEnd, UP_DOWN[event.key])
    : moveItem(value, selectionStart, LEFT_RIGHT[event.key]);
  event.preventDefault();
  event.stopPropagation();
  if (edit) put(box, edit);
  return true;
}

/** More or less weight for what is marked or the word at the caret; null when there is none. */
export function weigh(text, start, end, direction) {
  return (
    weighNetwork(text, start, end, direction) ??
    weighBrackets(text, start, end, direction) ??
    addBrackets(text, start, end, direction)
  );
}

/** `<lora:name:0.8>`: its first weight. */
function weighNetwork(text, start, end, direction) {
  const open = text.lastIndexOf("<", start - (text[start] === "<" ? 0 : 1));
  const close = text.indexOf(">", open);
  if (open < 0 || close < 0 || close < end - 1) return null;
  const tag = /^<([^:<>]+:[^:<>]+)(?::(-?\d*\.?\d+))?(.*)>$/.exec(text.slice(open, close + 1));
  if (!tag) return null;
  const weight = step(tag[2] ?? "1", direction * NETWORK_STEP);
  return replaced(open, close + 1, `<${tag[1]}:${weight}${tag[3]}>`, tag[1].length + 1);
}

/** `(words:1.1)` around the caret or the selection; a weight of 1 takes the brackets away. */
function weighBrackets(text, start, end, direction) {
  const open = openingBefore(text, start);
  if (open < 0) return null;
  const close = closingAfter(text, open);
  if (close < end - (start === open ? 1 : 0)) return null;
  const found = /^\((.*?)(?::(-?\d*\.?\d+))?\)$/s.exec(text.slice(open, close + 1));
  if (!found || (found[2] === undefined && start !== end)) return null;
  const weight = step(found[2] ?? "1.1", direction * STEP);
  const inside = found[1];
  if (weight === "1") return marked(open, close + 1, inside, 0, inside.length);
  return marked(open, close + 1, `(${inside}:${weight})`, 1, inside.length);
}

function addBrackets(text, start, end, direction) {
  if (start === end) [start, end] = wordAt(text, start);
  while (end > start && /\s/.test(text[end - 1])) end -= 1;
  while (start < end && /\s/.test(text[start])) start += 1;
  if (start === end) return null;
  const inside = text.slice(start, end);
  return marked(start, end, `(${inside}:${step("1", direction * STEP)})`, 1, inside.length);
}

/** The comma item at the caret one place to the left or right; null at the end of the row. */
export function moveItem(text, caret, direction) {
  const items = text.split(",");
  let at = 0;
  let begin = 0;
  while (begin + items[at].length < caret) begin += items[at++].length + 1;
  const other = at + direction;
  if (other < 0 || other >= items.length) return null;
  const moved = items[at];
  const trimmed = items.map((item) => item.trim());
  [trimmed[at], trimmed[other]] = [trimmed[other], trimmed[at]];
  const result = trimmed.join(", ");
  const from = trimmed.slice(0, other).reduce((sum, item) => sum + item.length + 2, 0);
  return marked(0, text.length, result, from, moved.trim().length);
}

function wordAt(text, caret) {
  let start = caret;
  let end = caret;
  while (start > 0 && !WORD_ENDS.test(text[start - 1])) start -= 1;
  while (end < text.length && !WORD_ENDS.test(text[end])) end += 1;
  return [start, end];
}

/** The innermost round bracket that is open at a place, or -1. */
function openingBefore(text, place) {
  let depth = 0;
  for (let i = place - (text[place] === "(" ? 0 : 1); i >= 0; i -= 1) {
    if (text[i - 1] === "\\") continue;
    if (text[i] === ")") depth += 1;
    else if (text[i] === "(" && depth-- === 0) return i;
  }
  return -1;
}

function closingAfter(text, open) {
  let depth = 0;
  for (let i = open; i < text.length; i += 1) {
    if (text[i - 1] === "\\") continue;
    if (text[i] === "(") depth += 1;
    else if (text[i] === ")" && --depth === 0) return i;
  }
  return -1;
}

const step = (weight, by) => String(Math.round((Number(weight) + by) * 100) / 100);

const replaced = (from, to, text, caret) => ({ from, to, text, start: from + caret, end: from + caret });

const marked = (from, to, text, offset, length) => ({
  from,
  to,
  text,
  start: from + offset,
  end: from + offset + length,
});

/** As if it had been typed, so that the browser can undo it. */
function put(box, { from, to, text, start, end }) {
  box.setSelectionRange(from, to);
  if (!document.execCommand("insertText", false, text)) {
    type(box, box.value.slice(0, from) + text + box.value.slice(to));
  }
  box.setSelectionRange(start, end);
}
