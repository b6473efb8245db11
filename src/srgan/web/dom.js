// Finding and making elements.

/**
 * @typedef {string | Node | null} Child
 * @typedef {string | number | boolean | null | undefined | ((event: any) => void)} Attribute
 * @typedef {Record<string, Attribute>} Attributes
 */

/**
 * The element of an id, of the kind that the page is known to have.
 *
 * @template {Element} [T=HTMLElement]
 * @param {string} id
 * @param {new () => T} [kind]
 * @returns {T}
 */
export function byId(id, kind) {
  const element = /** @type {T | null} */ (/** @type {Element | null} */ (document.getElementById(id)));
  if (!element || (kind && !(element instanceof kind))) throw new TypeError(`The page has no such ${id}.`);
  return element;
}

/**
 * @param {string} id
 * @returns {HTMLButtonElement[]}
 */
export function buttonsOf(id) {
  return [...byId(id).querySelectorAll("button")];
}

/**
 * Makes an element. Texts only ever become text nodes, never markup: names of files may hold anything.
 *
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Attributes} attributes Those that begin with "on" are listeners; null and false are left out.
 * @param {...(Child | Child[])} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function make(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/**
 * Makes an element of a drawing, as `make`.
 *
 * @template {keyof SVGElementTagNameMap} K
 * @param {K} tag
 * @param {Attributes} attributes
 * @param {...(Child | Child[])} children
 * @returns {SVGElementTagNameMap[K]}
 */
export function draw(tag, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

/**
 * @template {Element} T
 * @param {T} element
 * @param {Attributes} attributes
 * @param {(Child | Child[])[]} children
 * @returns {T}
 */
function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) {
      element.setAttribute(name, String(value));
    }
  }
  element.append(...children.flat().filter((child) => child !== null));
  return element;
}

/**
 * Fills a select.
 *
 * @param {HTMLSelectElement} select
 * @param {[string | number, string][]} entries Values and texts.
 * @param {string | number} chosen
 */
export function offer(select, entries, chosen) {
  select.replaceChildren(
    ...entries.map(([value, text]) =>
      make("option", { value, selected: String(value) === String(chosen) }, text),
    ),
  );
}

/**
 * Presses those of a group of buttons that fulfil a condition, and releases the others.
 *
 * @param {string} group
 * @param {(button: HTMLButtonElement) => boolean} isPressed
 */
export function press(group, isPressed) {
  for (const button of buttonsOf(group)) button.setAttribute("aria-pressed", String(isPressed(button)));
}

/**
 * @param {number} value
 * @param {number} low
 * @param {number} high
 */
export function clamp(value, low, high) {
  return Math.min(Math.max(value, low), high);
}
