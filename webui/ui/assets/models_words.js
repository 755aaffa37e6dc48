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
  if (row.lacking.length) return `Needs ${row.lacking.join(" and ")}`;
  if (row.better_home) return `Belongs in ${row.better_home}`;
  if (row.twins.length) return row.twins.length === 1 ? "Has a duplicate" : "Has duplicates";
  return "";
}

/** All that there is to say about a model, in sentences. */
export function* remarks(row) {
  for (const part of row.lacking) {
    const where = part === "VAE" ? "VAE" : "text_encoders";
    yield `It has no ${part} in it, and no file here brings one. Put one into models/${where} and press Refresh.`;
  }
  const brought = row.missing.filter((part) => !row.lacking.includes(part));
  if (brought.length) yield `Takes ${brought.join(" and ")} from other files.`;
  if (row.better_home) {
    yield `It works where it is, but lies in a folder for other files. It belongs in ${row.better_home}.`;
  }
  if (row.twins.length) yield `Same contents as ${row.twins.join(", ")}. One of them is enough.`;
}

/** "Used for 3 pictures". */
export function useWords(count) {
  if (!count) return "Not used yet";
  return `${count.toLocaleString()} picture${count === 1 ? "" : "s"}`;
}

/** "1,234 models". */
export const models = (count) => `${count.toLocaleString()} model${count === 1 ? "" : "s"}`;
