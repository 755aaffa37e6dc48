/** What a card does to the prompts. Texts in, texts out: `prompts` are `{prompt, negative}`. */

const TAG = /<(?:lora|lyco):([^:<>]+)[^<>]*>/gi;

/** Whether the prompts use what a card stands for. */
export function isUsed(card, prompts) {
  if (card.kind === "lora") return tagsOf(card, prompts.prompt).length > 0;
  if (card.kind !== "embedding") return false;
  return [prompts.prompt, prompts.negative].some((text) => placeOf(card.prompt_name, text, "i"));
}

/** The prompts with a card in them; embeddings go where the person writes. */
export function withCard(card, prompts, isInNegative) {
  if (card.kind === "embedding") {
    const part = isInNegative ? "negative" : "prompt";
    return { ...prompts, [part]: listed(prompts[part], card.prompt_name) };
  }
  const tag = `<lora:${card.prompt_name}:${weightOf(card)}>`;
  const prompt = listed(prompts.prompt, card.activation_text);
  return {
    prompt: prompt.trim() ? `${prompt.trimEnd()} ${tag}` : tag,
    negative: listed(prompts.negative, card.negative_text),
  };
}

/** The prompts without a card, whatever weight it has in them. */
export function withoutCard(card, prompts) {
  let { prompt, negative } = prompts;
  if (card.kind === "embedding") {
    return { prompt: withoutWord(prompt, card), negative: withoutWord(negative, card) };
  }
  for (const { index, 0: tag } of tagsOf(card, prompt).reverse()) {
    prompt = cut(prompt, index, index + tag.length);
  }
  prompt = withoutText(prompt, card.activation_text);
  negative = withoutText(negative, card.negative_text);
  return { prompt, negative };
}

const weightOf = (card) => String(Math.round((card.preferred_weight || 1) * 100) / 100);

const fold = (text) => text.trim().toLowerCase();

function tagsOf(card, text) {
  const names = new Set([card.prompt_name, withoutEnding(card.id), card.id].map(fold));
  return [...text.matchAll(TAG)].filter((found) => names.has(fold(found[1])));
}

const withoutEnding = (id) => id.replace(/\.[^./]*$/, "");

/** A text with one more item at its end, unless it is in it already. */
function listed(text, item) {
  item = item.trim();
  if (!item || placeOf(item, text)) return text;
  const before = text.trimEnd();
  if (!before) return item;
  return `${before}${before.endsWith(",") ? "" : ","} ${item}`;
}

function withoutText(text, item) {
  const found = item.trim() && placeOf(item.trim(), text);
  return found ? cut(text, found.index, found.index + found[0].length) : text;
}

function withoutWord(text, card) {
  const found = placeOf(card.prompt_name, text, "i");
  return found ? withoutWord(cut(text, found.index, found.index + found[0].length), card) : text;
}

/** The last place where words stand by themselves, not as part of longer ones; else undefined. */
function placeOf(words, text, flags = "") {
  const escaped = words.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const alone = `(?<![\\p{L}\\p{N}_])${escaped}(?![\\p{L}\\p{N}_])`;
  return [...text.matchAll(new RegExp(alone, `gu${flags}`))].at(-1);
}

/** A text without a part of it, and without the comma that this leaves alone. */
function cut(text, start, end) {
  const before = text.slice(0, start).replace(/[ \t]+$/, "");
  const after = text.slice(end).replace(/^[ \t]+/, "");
  if (!after) return before.replace(/,$/, "");
  if (after.startsWith(",") && (!before || before.endsWith(","))) {
    return join(before, after.replace(/^,[ \t]*/, ""));
  }
  return join(before, after);
}

const join = (before, after) =>
  before && after && !/^[,\n]/.test(after) && !before.endsWith("\n")
    ? `${before} ${after}`
    : before + after;
