/** How extensions, their states and their sources are said. */

export const STATES = {
  on: "On",
  off: "Off",
  held: "Held back",
  unfit: "Can’t run here",
  failed: "Failed",
};

export const KINDS = { native: "Gesso", script: "Script", a1111: "A1111", unknown: "Unknown" };

export const ORIGINS = {
  shipped: "comes with Gesso",
  folder: "in the extensions folder",
  package: "a Python package",
};

const ADDED = {
  input: "Controls",
  hook: "Works at",
  sampler: "Samplers",
  schedule: "Schedules",
  upscaler: "Upscalers",
  family: "Model families",
  tab: "Tabs",
  route: "Addresses",
  axis: "Axes",
  preprocessor: "Preprocessors",
  token: "Prompt tags",
  text_token: "Prompt tags",
};

const PERMISSIONS = {
  network: "Talks to other computers",
  read: "Reads files",
  write: "Writes files",
  downloads: "Fetches files",
  subprocess: "Starts programs",
  gpu: "Uses the GPU by itself",
  javascript: "Adds scripts to the page",
  css: "Changes the look of the page",
};

export const OUTCOMES = {
  works: "Works",
  partly: "Works partly",
  cannot: "Can’t run here",
  unknown: "Not tried",
};

/** Kinds of findings, the gravest first. */
export const GRAVITY = [
  ["Look closely", ["pth", "binary", "blob", "process", "code", "unreadable"]],
  ["Worth knowing", ["network", "write", "pickle", "native", "install", "javascript"]],
  ["Harmless as a rule", ["preload", "css"]],
];

export const extensions = (count) => (count === 1 ? "1 extension" : `${count} extensions`);

/** "Controls: Grain, Vignette", for each kind of what it adds. */
export const addedWords = (added) => [ADDED[added.kind] ?? added.kind, added.names.join(", ")];

/** "Talks to other computers (example.org): to fetch styles". */
export function permissionWords({ name, reason, details }) {
  const what = PERMISSIONS[name] ?? name;
  const where = details.length ? ` (${details.join(", ")})` : "";
  return `${what}${where}: ${reason}`;
}

/** Permissions of a review: a mapping from name to reason, hosts and paths. */
export const permissionList = (permissions) =>
  Object.entries(permissions).map(([name, { reason, hosts = [], paths = [] }]) => ({
    name,
    reason,
    details: [...hosts, ...paths],
  }));

/** Sizes of small files too: "12 KB". */
export const smallSize = (bytes) =>
  bytes >= 1e6 ? `${(bytes / 1e6).toFixed(1)} MB` : `${Math.max(1, Math.round(bytes / 1e3))} KB`;

/** Where it comes from, with the commit. */
export function sourceWords(source) {
  if (!source) return "";
  const commit = source.commit ? ` at ${source.commit.slice(0, 12)}` : "";
  const ref = source.ref ? ` (${source.ref})` : "";
  return `${source.address}${ref}${commit}${source.is_linked ? ", used where it lies" : ""}`;
}
