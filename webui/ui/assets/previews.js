/**
 * Previews of running jobs as object URLs. Fetched one at a time for each job, so that a slow line
 * skips some rather than falling behind, and never asked for while nobody looks.
 */

import { previewUrl } from "./server.js";

const urls = new Map(); // job id -> {url, version, isLoading}

/** The address of the newest preview of a job that is here; "" before the first. */
export const previewOf = (job) => urls.get(job.id)?.url ?? "";

/** See that the newest preview of a job gets here; calls `onReady` when it has. */
export async function fetchPreview(job, onReady) {
  const held = urls.get(job.id) ?? { url: "", version: 0, isLoading: false };
  urls.set(job.id, held);
  if (held.isLoading || held.version >= job.preview_version || document.hidden) return;
  held.isLoading = true;
  held.version = job.preview_version;
  try {
    const answer = await fetch(previewUrl(job));
    if (answer.status === 200) replace(held, await answer.blob());
  } catch {
    // offline: the next preview is asked for when there is one
  } finally {
    held.isLoading = false;
  }
  onReady();
  if (held.version < job.preview_version) fetchPreview(job, onReady);
}

/** Let go of the preview of a job that is over. */
export function dropPreview(jobId) {
  const held = urls.get(jobId);
  if (held?.url) URL.revokeObjectURL(held.url);
  urls.delete(jobId);
}

function replace(held, blob) {
  if (held.url) URL.revokeObjectURL(held.url);
  held.url = URL.createObjectURL(blob);
}
