/** Making a picture again to see whether the same pixels come out. */

import { notify } from "./notices.js";
import { verifyPicture } from "./server.js";
import { isOver, store } from "./store.js";

/** Hand the comparison in, and say what it found when it is over. */
export async function verify(picture) {
  const { id } = await verifyPicture(picture.id);
  notify("The picture is made again and compared. Nothing is saved.");
  const stop = store.watch(() => {
    const job = store.jobs.get(id);
    if (job && !isOver(job)) return;
    stop();
    if (job) notify(found(job), { tone: isGood(job) ? "answer" : "bad" });
  });
  store.claim(id);
}

const isGood = (job) => job.state === "done" && job.reason.startsWith("Identical");

function found(job) {
  if (job.state === "cancelled") return "The comparison was cancelled.";
  return job.reason || "The comparison ended without an answer.";
}
