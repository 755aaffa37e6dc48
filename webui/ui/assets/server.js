/** Calls to our HTTP API. Every refusal becomes an Error whose message is fit to be shown. */

const API = "/api/v1";

/** The server said no; `field` names what was at fault, when it was a field. */
export class Refused extends Error {
  constructor(message, field, status) {
    super(message);
    this.field = field;
    this.status = status;
  }
}

/** The state of engines and queue. */
export const getState = () => call("GET", "/state");

/** One job. */
export const getJob = (id) => call("GET", `/jobs/${encodeURIComponent(id)}`);

/** The newest jobs of a tab, newest first. */
export const getJobs = (mode, limit = 12) =>
  call("GET", `/jobs?${new URLSearchParams({ mode, limit })}`);

/** Hand in a request; the job. */
export const postJob = (request) =>
  call("POST", "/jobs", JSON.stringify(request), "application/json");

/** End a job; the job. */
export const cancelJob = (id) => call("POST", `/jobs/${encodeURIComponent(id)}/cancel`);

/** Move, hold or put off one of one's own jobs that wait; the job. */
export const changeJob = (id, asked) =>
  call("PATCH", `/jobs/${encodeURIComponent(id)}`, JSON.stringify(asked), "application/json");

/** Hold all one's own jobs that wait, or let them go on. */
export const pauseMine = (isPaused) =>
  call("PATCH", "/queue", JSON.stringify({ is_paused: isPaused }), "application/json");

/** End all one's own jobs. */
export const cancelMine = () => call("POST", "/queue/cancel");

/** For the owner: whose jobs wait and run. */
export const getWholeQueue = () => call("GET", "/queue/all");

/** For the owner: begin nothing new, or go on. */
export const pauseQueue = (isPaused) =>
  call("PATCH", "/queue/all", JSON.stringify({ is_paused: isPaused }), "application/json");

/** For the owner: change a job of anybody. */
export const changeAnyJob = (id, asked) =>
  call("PATCH", `/queue/all/jobs/${encodeURIComponent(id)}`, JSON.stringify(asked), "application/json");

/** For the owner: end a job of anybody. */
export const cancelAnyJob = (id) => call("POST", `/queue/all/jobs/${encodeURIComponent(id)}/cancel`);

/** For the owner: hold somebody's jobs, or give them the next turn. */
export const changePersonInQueue = (person, asked) =>
  call("PATCH", `/queue/people/${encodeURIComponent(person)}`, JSON.stringify(asked), "application/json");

/** What would become of a request: `{verdict, reason, seconds, jobs_ahead}`. */
export const preflight = (request) =>
  call("POST", "/preflight", JSON.stringify(request), "application/json");

/** The newest plans, newest first. */
export const getPlans = () => call("GET", "/plans?limit=20");

/** "pause", "resume", "cancel" or "retry" a plan; the plan. */
export const changePlan = (id, verb) => call("POST", `/plans/${encodeURIComponent(id)}/${verb}`);

/** Where the table of a plan's pictures is. */
export const manifestUrl = (id) => `${API}/plans/${encodeURIComponent(id)}/manifest.csv`;

/** A page of the history: `{pictures, next}`. */
export const getPictures = (query) => {
  const given = Object.entries(query).filter(([, value]) => value !== "" && value != null);
  return call("GET", `/pictures?${new URLSearchParams(given)}`);
};

/** One picture with its recipe and infotext. */
export const getPicture = (id) => call("GET", `/pictures/${encodeURIComponent(id)}`);

/** Make a picture again from its recipe; the job. */
export const makeAgain = (id) => call("POST", `/pictures/${encodeURIComponent(id)}/again`);

/** Make a picture again and compare; the job, whose reason will say what was found. */
export const verifyPicture = (id) => call("POST", `/pictures/${encodeURIComponent(id)}/verify`);

/** One's own albums, then those of others for the team. */
export const getAlbums = () => call("GET", "/albums");

/** An album with some of its pictures: `{album, pictures, next}`. */
export const getAlbum = (id, query) => call("GET", `${albumPath(id)}?${given(query)}`);

/** A new album. */
export const postAlbum = (wish) => call("POST", "/albums", JSON.stringify(wish), "application/json");

/** Change an album. */
export const putAlbum = (id, wish) =>
  call("PUT", albumPath(id), JSON.stringify(wish), "application/json");

/** Forget an album. */
export const deleteAlbum = (id) => call("DELETE", albumPath(id));

/** Put a picture into an album. */
export const putIntoAlbum = (id, picture) =>
  call("PUT", `${albumPath(id)}/pictures/${encodeURIComponent(picture)}`);

/** Take a picture out of an album. */
export const takeFromAlbum = (id, picture) =>
  call("DELETE", `${albumPath(id)}/pictures/${encodeURIComponent(picture)}`);

/** The links to an album. */
export const getLinks = (id) => call("GET", `${albumPath(id)}/links`);

/** A new link to an album; its `path` is told only now. */
export const postLink = (id, days) =>
  call("POST", `${albumPath(id)}/links`, JSON.stringify({ days }), "application/json");

/** Make a link useless. */
export const deleteLink = (id, link) =>
  call("DELETE", `${albumPath(id)}/links/${encodeURIComponent(link)}`);

const albumPath = (id) => `/albums/${encodeURIComponent(id)}`;

/** Keep a picture file for jobs: `{id, width, height}`. */
export const addInput = (file) => call("POST", "/inputs", file, file.type);

/** Move a picture to the trash. */
export const trashPicture = (id) => call("DELETE", `/pictures/${encodeURIComponent(id)}`);

/** Take a picture back out of the trash. */
export const restorePicture = (id) => call("POST", `/pictures/${encodeURIComponent(id)}/restore`);

/** Delete a picture of the trash for good. */
export const deleteForGood = (id) => call("DELETE", `/trash/${encodeURIComponent(id)}`);

/** Delete all of one's own that is in the trash for good: `{deleted}`. */
export const emptyTrash = () => call("DELETE", "/trash");

/** One's uploads that nothing needs: `{count, bytes}`. */
export const getUnusedInputs = () => call("GET", "/unused-inputs");

/** Delete those; what was deleted. */
export const deleteUnusedInputs = () => call("DELETE", "/unused-inputs");

/** What a picture file says about how it was made: `{request, infotext}`. */
export const readPicture = (file) => call("POST", "/read-picture", file, file.type);

/** What a text in A1111's words says of how a picture is made: `{request, missing}`. */
export const readText = (text) =>
  call("POST", "/read-text", JSON.stringify({ text }), "application/json");

/** The length of a prompt, and what is wrong or doubtful in it. */
export const readPrompt = (question) =>
  call("POST", "/prompt", JSON.stringify(question), "application/json");

/** All models of a kind. */
export const getModels = (kind) => call("GET", `/models?${new URLSearchParams({ kind })}`);

/** A page of cards: `{cards, total, folders}`. */
export const getCards = (query) => {
  const given = Object.entries(query).filter(([, value]) => value !== "" && value !== false);
  return call("GET", `/cards?${new URLSearchParams(given)}`);
};

/** Change the notes of a card; the card as it is with a checkpoint. */
export const editCard = (id, edit, checkpoint) =>
  call("PUT", cardPath(id, "", checkpoint), JSON.stringify(edit), "application/json");

/** Make a picture of the gallery that of a card; the card as it is with a checkpoint. */
export const setCardPicture = (id, picture, checkpoint) =>
  call("POST", cardPath(id, "/preview", checkpoint), JSON.stringify({ picture }), "application/json");

/** Look again at what lies in the models folder. */
export const refreshModels = () => call("POST", "/models/refresh");

/** Free the memory that models take: `{is_released}`. */
export const releaseModels = () => call("POST", "/models/release");

/** A page of all models: `{rows, total, total_bytes, kinds, families}`. */
export const getModelTable = (query) => call("GET", `/models/table?${given(query)}`);

/** One row of that table. */
export const getModelRow = (id) => call("GET", `/models/row?${given({ id })}`);

/** Files that can't be used: `{problems, total}`. */
export const getModelProblems = (query) => call("GET", `/models/problems?${given(query)}`);

/** What is being done with model files: `{looking, hashing, hashed, models, version}`. */
export const getModelWork = () => call("GET", "/models/work");

/** Compute hashes in the background; what is being done then. */
export const computeHashes = (isOnlyAlike) =>
  call("POST", "/models/hashes", JSON.stringify({ only_alike: isOnlyAlike }), "application/json");

/** Compute no more of them. */
export const cancelHashes = () => call("DELETE", "/models/hashes");

/** What lies at an address or id: `{title, licence, files}`. */
export const lookUpModel = (question) =>
  call("POST", "/downloads/look-up", JSON.stringify(question), "application/json");

/** All downloads. */
export const getDownloads = () => call("GET", "/downloads");

/** Fetch a model; the download. */
export const addDownload = (wish) =>
  call("POST", "/downloads", JSON.stringify(wish), "application/json");

/** "pause" or "resume" a download; the download. */
export const changeDownload = (id, verb) => call("POST", `/downloads/${encodeURIComponent(id)}/${verb}`);

/** Cancel a download, or clear one that is over. */
export const removeDownload = (id) => call("DELETE", `/downloads/${encodeURIComponent(id)}`);

/** For which services a token is kept. */
export const getTokens = () => call("GET", "/downloads/tokens");

/** Keep a token, or forget it when it is empty. */
export const putToken = (service, token) =>
  call("PUT", `/downloads/tokens/${encodeURIComponent(service)}`, JSON.stringify({ token }), "application/json");

/** The address of a card; the id of a model holds its folders. */
const cardPath = (id, what, checkpoint) =>
  `/cards/${id.split("/").map(encodeURIComponent).join("/")}${what}?${new URLSearchParams({ checkpoint })}`;

/** Where the newest preview of a running job is. */
export const previewUrl = (job) =>
  `${API}/jobs/${encodeURIComponent(job.id)}/preview?v=${job.preview_version}`;

/** Where a source picture of the input store is. */
export const inputUrl = (id) => `${API}/inputs/${encodeURIComponent(id)}`;

/** Where the event stream is. */
export const eventsUrl = `${API}/events`;

/** A query without what was left blank. */
export const given = (query) =>
  new URLSearchParams(Object.entries(query).filter(([, value]) => value !== "" && value != null));

/** The session is over: it was revoked, or not used for a week. */
function comeInAgain() {
  const next = location.pathname + location.search;
  location.assign(`/sign-in?${new URLSearchParams({ next })}`);
}

export async function call(method, path, body, type) {
  const headers = { "X-Gesso": "1" };
  if (type) headers["Content-Type"] = type;
  let response;
  try {
    response = await fetch(API + path, { method, headers, body });
  } catch {
    throw new Refused("The server can't be reached. It may be restarting.", null, 0);
  }
  if (response.status === 401) comeInAgain();
  const answer = await response.json().catch(() => null);
  if (response.ok) return answer;
  const error = answer?.error ?? {};
  throw new Refused(
    error.message ?? `The server answered ${response.status}.`,
    error.field ?? null,
    response.status,
  );
}
