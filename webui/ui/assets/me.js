/** Who uses this page. The body carries the role, so that the look can leave out what is not for
 *  them; the server refuses it in any case. */

import { getMe } from "./server_team.js";

let asked = null;

/** Whether whoever uses this page may only look; false until it is known. */
export const isViewer = () => document.body.dataset.role === "viewer";

/** `{id, name, role, via, has_password}`; "local" stands for nobody in particular in `via`. */
export function me() {
  asked ??= getMe().then((found) => {
    document.body.dataset.role = found.role;
    document.body.dataset.via = found.via;
    return found;
  });
  return asked;
}
