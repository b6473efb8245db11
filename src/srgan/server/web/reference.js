// The reference of the service: each path of openapi.json, with a form that asks it.

import { byId, make } from "../../web/dom.js";

/**
 * @typedef {{ type?: string, enum?: (string | null)[], anyOf?: Schema[], default?: unknown }} Schema
 * @typedef {{ name: string, in: string, required?: boolean, description?: string, schema: Schema & { deprecated?: boolean } }} Parameter
 * @typedef {object} Operation
 * @property {string} [description]
 * @property {boolean} [deprecated]
 * @property {unknown[]} [security] Empty where no token is needed.
 * @property {Parameter[]} [parameters]
 * @property {{ content: Record<string, unknown> }} [requestBody]
 * @property {Record<string, { description: string }>} responses
 *
 * @typedef {{ parameter: Parameter, input: HTMLInputElement | HTMLSelectElement }} Field
 */

/** @param {Parameter} parameter */
function inputOf({ name, in: where, schema }) {
  const isPath = where === "path";
  const choices = schema.enum ?? schema.anyOf?.find((one) => one.enum)?.enum;
  const label = { "aria-label": name };
  if (!choices) return make("input", { ...label, required: isPath, placeholder: String(schema.default ?? "") });
  if (isPath) return make("select", label, ...choices.map((choice) => make("option", { value: choice }, choice)));
  const options = [...new Set(["", ...choices.filter((choice) => choice !== null)])];
  return make("select", label, ...options.map((choice) => make("option", { value: choice }, choice || "-")));
}

/**
 * A sentence with `code` in it.
 *
 * @param {string} text
 * @param {boolean} needsToken
 */
function prose(text, needsToken) {
  const curl = needsToken ? 'curl -H "Authorization: Bearer TOKEN"' : "curl";
  return text.split("\n\n").map((part) =>
    part.startsWith("`")
      ? make("pre", { tabindex: 0 }, make("code", {}, part.slice(1, -1).replaceAll("http://127.0.0.1:8000", location.origin).replace(/\bcurl\b/, curl)))
      : make("p", {}, ...part.split("`").map((piece, number) => (number % 2 ? make("code", {}, piece) : piece))),
  );
}

/** @param {Response} answer */
async function shownAs(answer) {
  const kind = answer.headers.get("Content-Type") ?? "";
  const facts = ["Srgan-Model", "Srgan-Notes", "Location", "Retry-After", "X-Request-ID"]
    .filter((name) => answer.headers.get(name))
    .map((name) => `${name}: ${answer.headers.get(name)}`);
  const head = make("pre", { tabindex: 0 }, [`${answer.status} ${answer.statusText}`, `Content-Type: ${kind}`, ...facts].join("\n"));
  if (kind.startsWith("image/")) {
    const address = URL.createObjectURL(await answer.blob());
    return [head, make("a", { href: address, download: "result" }, make("img", { src: address, alt: "The result" }))];
  }
  const text = await answer.text();
  return [head, make("pre", { tabindex: 0 }, kind.includes("json") ? JSON.stringify(JSON.parse(text), null, 2) : text)];
}

/**
 * @param {string} path
 * @param {Field[]} fields
 */
function addressOf(path, fields) {
  const query = new URLSearchParams();
  let address = path.replace(/^\//, "");
  for (const { parameter, input } of fields) {
    if (parameter.in === "path") address = address.replace(`{${parameter.name}}`, encodeURIComponent(input.value));
    else if (parameter.in === "query" && input.value) query.append(parameter.name, input.value);
  }
  return query.size ? `${address}?${query}` : address;
}

/**
 * @param {string} method
 * @param {string} path
 * @param {Operation} operation
 * @param {boolean} needsToken
 */
function entry(method, path, operation, needsToken) {
  const fields = (operation.parameters ?? [])
    .filter(({ schema }) => !schema.deprecated)
    .map((parameter) => ({ parameter, input: inputOf(parameter) }));
  const kinds = Object.keys(operation.requestBody?.content ?? {});
  const takesText = kinds.includes("application/json");
  const file = make("input", { type: "file", "aria-label": "Picture" });
  const text = make("textarea", { "aria-label": "JSON" });
  const answer = make("div", { class: "answer", "aria-live": "polite" });
  const run = async () => {
    if (!fields.every(({ input }) => input.reportValidity())) return;
    const token = byId("token", HTMLInputElement).value;
    /** @type {Record<string, string>} */
    const headers = token ? { Authorization: `Bearer ${token}` } : {};
    for (const { parameter, input } of fields) {
      if (parameter.in === "header" && input.value) headers[parameter.name] = input.value;
    }
    const body = !kinds.length ? undefined : takesText ? text.value : (file.files?.[0] ?? "");
    answer.replaceChildren("…");
    try {
      const asked = { method: method.toUpperCase(), headers, body };
      answer.replaceChildren(...(await shownAs(await fetch(addressOf(path, fields), asked))));
    } catch (error) {
      answer.replaceChildren(`The service does not answer: ${error instanceof Error ? error.message : error}`);
    }
  };
  const rows = fields.flatMap(({ parameter, input }) => [
    make("label", {}, parameter.name),
    input,
    make("span", { class: "note" }, parameter.description ?? ""),
  ]);
  const codes = Object.entries(operation.responses).map(([code, { description }]) => `${code}: ${description}`);
  return make(
    "details",
    {},
    make(
      "summary",
      {},
      make("span", { class: "method" }, method.toUpperCase()),
      make("code", { class: operation.deprecated ? "old" : "" }, path),
    ),
    make(
      "div",
      { class: "path" },
      ...prose(operation.description ?? "", needsToken),
      make("div", { class: "fields" }, ...rows),
      kinds.length ? make("p", {}, takesText ? text : file) : null,
      make("p", {}, make("button", { type: "button", onclick: run }, "Run")),
      answer,
      make("pre", { class: "note", tabindex: 0 }, codes.join("\n")),
    ),
  );
}

async function begin() {
  const { paths, security } = await (await fetch("openapi.json")).json();
  const needsToken = security.length === 1; // without any, it also has none as a choice
  const token = byId("token", HTMLInputElement);
  token.value = sessionStorage.getItem("token") ?? ""; // that of the page
  token.form?.addEventListener("submit", (event) => event.preventDefault()); // of going elsewhere
  for (const [path, methods] of Object.entries(paths)) {
    for (const [method, operation] of Object.entries(methods)) byId("paths").append(entry(method, path, operation, needsToken && !operation.security));
  }
}

begin().catch((error) => {
  byId("status").textContent = `The service does not answer: ${error.message}`;
});
