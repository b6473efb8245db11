// Requests to the service, of which one runs at a time.

import { hideProgress, say, showProgress } from "./status.js";

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
 * @typedef {{ job: string, signal: AbortSignal, ended: boolean }} Work
 * @typedef {{ state: string, done: number, seconds_left: number | null }} Job
 * @typedef {{ file: Blob, model: string, notes: string }} Answer
 * @typedef {{ models: Model[], auto: boolean, reads: string, limits: { megabytes: number, megapixels: number } }} Offer
 */

const GONE = "The service does not answer. Is it still running? Start it again by srgan serve.";

let running = new AbortController();
let token = "";

/** @param {string} secret That the service asks for. */
export function useToken(secret) {
  token = secret;
}

/** What the service says is wrong. */
export class Refusal extends Error {
  /**
   * @param {string} detail
   * @param {number} code
   */
  constructor(detail, code) {
    super(detail);
    this.code = code;
  }
}

/**
 * Asks the service, which knows whose browser this is.
 *
 * @param {string} address
 * @param {RequestInit} [asked]
 * @throws {Error} With what is wrong; an AbortError if something else is asked for.
 */
export async function request(address, asked = {}) {
  /** @type {Record<string, string>} */
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const answer = await fetch(address, { ...asked, headers }).catch((error) => {
    throw error.name === "AbortError" ? error : new Error(GONE);
  });
  if (!answer.ok) {
    const { detail } = await answer.json().catch(() => ({ detail: answer.statusText }));
    throw new Refusal(detail, answer.status);
  }
  return answer;
}

/** Gives up what is asked for. */
export function giveUp() {
  running.abort();
  hideProgress();
}

/**
 * @param {string} address
 * @returns {Promise<any>} What the JSON there says.
 */
export async function read(address) {
  return (await request(address)).json();
}

/**
 * Posts a picture, and tells how far the service is.
 *
 * @param {string} what
 * @param {Record<string, string>} query
 * @param {Blob} file
 * @returns {Promise<Answer>} The picture, who made it, and what is to be said of it.
 * @throws {Error} With what the service says is wrong; an AbortError if something else is asked for.
 */
export async function ask(what, query, file) {
  running.abort();
  running = new AbortController();
  const { signal } = running;
  const job = crypto.getRandomValues(new Uint32Array(4)).join("-");
  const work = { job, signal, ended: false };
  showProgress(0);
  const timer = setInterval(() => follow(work), 700);
  try {
    const wanted = `v1/${what}?${new URLSearchParams({ ...query, job })}`;
    const answer = await request(wanted, { method: "POST", body: file, signal });
    const [model, notes] = ["Srgan-Model", "Srgan-Notes"].map((name) => answer.headers.get(name) ?? "");
    return { file: await answer.blob(), model, notes };
  } finally {
    clearInterval(timer);
    work.ended = true;
    if (!signal.aborted) hideProgress();
  }
}

/** @param {Work} work */
async function follow(work) {
  const answer = await request(`v1/jobs/${work.job}`, { signal: work.signal }).catch(() => null);
  if (!answer) return; // it is not known yet
  /** @type {Job} */
  const { state, done, seconds_left: left } = await answer.json();
  if (work.ended || work.signal.aborted || state === "ended") return; // its result is on the way
  if (done) showProgress(done);
  const rest = left === null ? "" : `, about ${Math.ceil(left)} s left`;
  say(state === "waiting" ? "Waiting for its turn …" : `Working${rest} …`);
}
