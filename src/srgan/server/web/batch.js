// Several pictures, one after the other, and a ZIP file of what came of them.

import { byId, make } from "../../web/dom.js";
import { ask } from "./requests.js";
import { nameOf, openResult, resultName, tooLarge, wishes } from "./result.js";
import { say } from "./status.js";
import { zip } from "./zip.js";

/** @typedef {{ file: File, said: HTMLElement, show: HTMLButtonElement }} Row */

let address = ""; // of the last ZIP file
let last = 0; // pictures, the ones that are meant by the page now

/** @param {File} file */
function row(file) {
  const said = make("span", { class: "note" }, "Waiting");
  const show = make("button", { type: "button", hidden: true }, "Show");
  byId("files").append(make("li", {}, make("span", {}, file.name), said, show));
  return { file, said, show };
}

/**
 * Enlarges one.
 *
 * @param {Row} row
 * @param {Record<string, string>} query
 * @returns {Promise<{ name: string, file: Blob } | null>} The result, if there is one.
 */
async function enlargeOne({ file, said, show }, query) {
  const refused = tooLarge(file);
  said.textContent = refused || "Working …";
  said.classList.toggle("bad", refused !== "");
  if (refused) return null;
  try {
    const answer = await ask("upscale", query, file);
    said.textContent = answer.notes ? `Done; ${answer.notes}` : "Done";
    show.hidden = false;
    show.addEventListener("click", () => openResult(file, answer, query));
    return { name: resultName(nameOf(file), { ...query, model: answer.model }), file: answer.file };
  } catch (error) {
    if (error instanceof Error && error.name === "AbortError") throw error;
    said.textContent = error instanceof Error ? error.message : String(error);
    said.classList.add("bad");
    return null;
  }
}

/**
 * Makes names differ.
 *
 * @param {string} name
 * @param {Set<string>} taken
 */
function free(name, taken) {
  let found = name;
  for (let number = 2; taken.has(found); number++) found = name.replace(/(\.[^.]*)$/, `-${number}$1`);
  taken.add(found);
  return found;
}

/** @param {File[]} files */
export async function enlargeAll(files) {
  const turn = ++last;
  byId("result").hidden = true;
  byId("batch").hidden = false;
  byId("zip").hidden = true;
  byId("files").replaceChildren();
  const rows = files.map(row);
  const query = wishes();
  const taken = new Set();
  const results = [];
  try {
    for (const one of rows) {
      const made = await enlargeOne(one, query);
      if (made) results.push({ ...made, name: free(made.name, taken) });
    }
  } catch {
    // It was cancelled, or something else is asked for.
  }
  if (turn !== last) return;
  for (const { said } of rows) {
    if (/^(Waiting|Working)/.test(said.textContent ?? "")) said.textContent = "Cancelled";
  }
  say(`${results.length} of ${files.length} pictures are enlarged.`);
  if (!results.length) return;
  URL.revokeObjectURL(address);
  address = URL.createObjectURL(await zip(results));
  const link = byId("zip", HTMLAnchorElement);
  link.href = address;
  link.download = "enlarged.zip";
  link.hidden = false;
}
