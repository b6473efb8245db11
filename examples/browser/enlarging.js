// Gives a picture to the worker, and what comes back to the page.

/** @import { Task, Tile } from "./worker.js" */

const state = { worker: /** @type {Worker | null} */ (null) };

/**
 * Enlarges a picture.
 *
 * @param {Task} task
 * @param {AbortSignal} signal Ends it, within the moment.
 * @param {() => void} opened Called when the model is there.
 * @param {(tile: Tile) => void} took Called with each part of the result.
 * @returns {Promise<string>} What computed it, in words.
 * @throws {DOMException} If it is aborted.
 * @throws {Error} If it cannot be done.
 */
export async function enlarge(task, signal, opened, took) {
  signal.throwIfAborted();
  const worker = state.worker ?? new Worker(new URL("worker.js", import.meta.url), { type: "module" });
  state.worker = worker; // kept, with its model, for the next one
  const settled = new AbortController();
  let words = "";
  try {
    return await new Promise((resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { signal: settled.signal });
      worker.onerror = ({ message }) => reject(new Error(explain(message ?? "")));
      worker.onmessage = ({ data }) => {
        if (data.words) {
          ({ words } = data);
          opened();
        } else if (data.failed) reject(new Error(explain(data.failed)));
        else if (data.ended) resolve(words);
        else took(data);
      };
      worker.postMessage(task);
    });
  } catch (error) {
    worker.terminate(); // at once, and what it holds may be damaged
    state.worker = null;
    throw error;
  } finally {
    settled.abort();
  }
}

/** @param {string} message Of an engine. */
function explain(message) {
  if (/alloc|memory|out of bounds/i.test(message)) {
    return "The browser has not enough memory for that. Close other pages, or take a smaller picture or a faster model.";
  }
  if (/fetch|load failed|networkerror|dynamically imported|importing a module/i.test(message)) {
    return "What enlarges cannot be loaded: is this device online? Once it is, choose the picture again.";
  }
  return message || "The page's worker could not start. This browser may be too old for it: update it, or take another one.";
}
