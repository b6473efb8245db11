// Requests to the service.

/**
 * @typedef {object} Model
 * @property {string} name
 * @property {number} scale
 * @property {boolean} realism Whether it takes one between 0 and 1.
 * @property {boolean} error_map Whether it has one.
 * @property {number} consistency_rounds
 * @property {string} licence
 * @property {string} scores
 *
 * @typedef {{ state: string, done: number, seconds_left: number | null }} Job
 * @typedef {{ waits: boolean, done: number, left: number | null }} Progress
 * @typedef {{ file: Blob, model: string, notes: string, width: number, height: number }} Answer
 * @typedef {{ megabytes: number, megapixels: number }} Limits
 * @typedef {{ models: Model[], auto: boolean, reads: string, formats: string[], limits: Limits }} Offer
 */

const TOKEN = "token"; // in the storage of this window, which ends with it
const DENIED = "This service asks for a token: whoever runs it gives you one.";
const UNKNOWN = "The service does not know this token. Is all of it there?";
export const GONE = "The service does not answer. Is it still running? Start it again (srgan serve), then try once more.";

/**
 * @param {string} address
 * @param {RequestInit} [how]
 * @returns {Promise<Response>}
 * @throws {Error} If the service does not answer, or lets nobody in, in words that help.
 */
async function reach(address, how) {
  const token = sessionStorage.getItem(TOKEN);
  if (token && !/^[\x21-\x7e]+$/.test(token)) throw denied(UNKNOWN); // no header can have it
  const headers = token ? { Authorization: `Bearer ${token}` } : undefined;
  try {
    const answer = await fetch(address, { ...how, headers });
    if (answer.status === 401) throw denied(token ? UNKNOWN : DENIED);
    return answer;
  } catch (error) {
    throw error instanceof TypeError ? new Error(GONE) : error;
  }
}

/**
 * The service asks for a token, or for another one. Tells the page, which shows a field for the token, whatever was asked for.
 *
 * @param {string} said
 */
function denied(said) {
  dispatchEvent(new Event("denied"));
  return new Error(said);
}

/** @param {string} token That is sent from now on. */
export function useToken(token) {
  sessionStorage.setItem(TOKEN, token.trim());
}

/**
 * @param {string} address
 * @returns {Promise<any>} What the JSON there says.
 */
export async function read(address) {
  const answer = await reach(address);
  if (!answer.ok) throw await refusal(answer);
  return answer.json();
}

/**
 * What the service says is wrong, or, without its words, what stands in front of it means.
 *
 * @param {Response} answer
 */
async function refusal(answer) {
  const { detail } = await answer.json().catch(() => ({ detail: "" }));
  const { status } = answer;
  if (detail) return status === 413 || status === 422 ? new Refusal(String(detail)) : new Error(String(detail));
  if (status === 413) return new Refusal("The file is larger than what is in front of the service lets through. Make it smaller, or ask whoever runs it.");
  return status >= 502 && status <= 504 ? new Error(GONE) : new Error(`The service answers with the code ${status}. Try again, or ask whoever runs it.`);
}

/** The service has looked at what was sent, and does not take it. */
export class Refusal extends Error {}

/**
 * Posts a picture, and tells how far the service is.
 *
 * @param {string} what
 * @param {Record<string, string>} query
 * @param {Blob} file
 * @param {AbortSignal} signal That cancels it, which the service notices.
 * @param {(progress: Progress) => void} [tell]
 * @returns {Promise<Answer>} The picture, who made it, and what is to be said of it.
 * @throws {Error} With what the service says is wrong.
 */
export async function post(what, query, file, signal, tell) {
  const job = crypto.getRandomValues(new Uint32Array(4)).join("-");
  const timer = tell && setInterval(() => follow(job, signal, tell), 700);
  try {
    const address = `v1/${what}?${new URLSearchParams({ ...query, job })}`;
    const answer = await reach(address, { method: "POST", body: file, signal });
    if (!answer.ok) throw await refusal(answer);
    const [model, notes, size] = ["Model", "Notes", "Size"].map((name) => answer.headers.get(`Srgan-${name}`) ?? "");
    const [width, height] = size.split("x").map(Number);
    return { file: await answer.blob(), model, notes, width, height };
  } finally {
    clearInterval(timer);
  }
}

/**
 * @param {string} job
 * @param {AbortSignal} signal
 * @param {(progress: Progress) => void} tell
 */
async function follow(job, signal, tell) {
  const answer = await reach(`v1/jobs/${job}`, { signal }).catch(() => null);
  if (!answer?.ok || signal.aborted) return;
  /** @type {Job} */
  const { state, done, seconds_left: left } = await answer.json();
  if (state !== "ended") tell({ waits: state === "waiting", done, left }); // else its result is on the way
}
