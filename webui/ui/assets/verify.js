/** Making a picture again to see whether the same pixels come out. */

import { notify } from "./notices.js";
import { verifyPicture } from "./server.js";
import { isOver, store } from "./store.js";

/** Hand the comparison in, and say what it found when it is over. */
export async function verify(picture) {
  const accepted = await verifyPicture(picture.id);
  store.claim(accepted.id);
  store.takeJob(accepted);
  notify("The picture is made again and compared. Nothing is saved.");
  const stop = store.watch(() => {
    const job = store.jobs.get(accepted.id);
    if (!job || !isOver(job)) return;
    stop();
    notify(found(job), { tone: isGood(job) ? "answer" : "bad" });
  });
}

const isGood = (job) => job.state === "done" && job.reason.startsWith("Identical");

function found(job) {
  if (job.state === "cancelled") return "The comparison was cancelled.";
  return job.reason || "The comparison ended without an answer.";
}
