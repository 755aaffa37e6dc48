/** How models are called and what is said of them. */

/** Of each kind: one, many, and a letter for those without a picture. */
export const KINDS = {
  checkpoint: ["Checkpoint", "Checkpoints"],
  lora: ["LoRA", "LoRAs"],
  embedding: ["Embedding", "Embeddings"],
  vae: ["VAE", "VAEs"],
  text_encoder: ["Text encoder", "Text encoders"],
  upscaler: ["Upscaler", "Upscalers"],
  preview: ["Preview decoder", "Preview decoders"],
};

export const ONLY = [
  ["", "All models"],
  ["lacking", "Needs another file"],
  ["duplicates", "Duplicates"],
  ["misplaced", "In the wrong folder"],
  ["unused", "Never used"],
];

export const ORDERS = [
  ["name", "By name"],
  ["kind", "By kind"],
  ["size", "Largest first"],
  ["modified", "Newest first"],
  ["used", "Most used first"],
];

/** "Checkpoint · SDXL · inpaint". */
export function kindWords({ card, family_label: family, variant }) {
  return [KINDS[card.kind]?.[0] ?? card.kind, family || card.made_for, variant].filter(Boolean).join(" · ");
}

/** The one thing about a model that wants attention, short; "" for most. */
export function hint(row) {
  if (row.lacking.length) return `Needs ${listed(row.lacking)}`;
  if (row.better_home) return `Belongs in ${row.better_home}`;
  if (row.twin_count) return row.twin_count === 1 ? "Has a duplicate" : "Has duplicates";
  return "";
}

/** What there is to do about a model, in sentences. */
export function* remarks(row) {
  for (const part of row.lacking) {
    const where = part === "VAE" ? "VAE" : "text_encoders";
    yield `It has no ${part} in it, and no file here brings one. Put one into models/${where} and press Refresh.`;
  }
  if (row.better_home) {
    yield `It works where it is, but lies in a folder for other files. It belongs in ${row.better_home}.`;
  }
  if (row.twin_count) {
    const more = row.twin_count - row.twins.length;
    const others = more ? [...row.twins, `${more.toLocaleString()} more`] : row.twins;
    yield `Has the same contents as ${listed(others)}.`;
  }
}

/** The parts that a checkpoint takes from other files: "CLIP-L, T5-XXL and VAE". */
export const borrowed = (row) => listed(row.missing.filter((part) => !row.lacking.includes(part)));

/** "a, b and c". */
const listed = (words) => {
  const [last, ...before] = [...words].reverse();
  return before.length ? `${before.reverse().join(", ")} and ${last}` : (last ?? "");
};

/** "Used for 3 pictures". */
export function useWords(count) {
  if (!count) return "Not used yet";
  return `${count.toLocaleString()} picture${count === 1 ? "" : "s"}`;
}

/** "1,234 models". */
export const models = (count) => `${count.toLocaleString()} model${count === 1 ? "" : "s"}`;
