"use strict";

// Helpers.

const byId = (id) => document.getElementById(id);
const data = JSON.parse(byId("data").textContent);
const LARGEST_PIXEL = 16; // of the screen, for one of the picture
const calm = matchMedia("(prefers-reduced-motion: reduce)");

// Texts only ever become text nodes, and never markup: names of files may hold anything.
function make(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

function draw(tag, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null));
  return element;
}

function clamp(value, low, high) {
  return Math.min(Math.max(value, low), high);
}

// JSON has neither NaN nor infinity: null and a text stand for them.
function number(value) {
  if (value === null || value === undefined) return NaN;
  return typeof value === "number" ? value : value === "-inf" ? -Infinity : Infinity;
}

function format(measure, value, signed = false) {
  if (Number.isNaN(value)) return "–";
  const text = Number.isFinite(value) ? Math.abs(value).toFixed(measure.digits) : "∞";
  const zero = Number(text) === 0;
  return (value < 0 && !zero ? "−" : signed && !zero ? "+" : "") + text;
}

const withUnit = (measure, text) => (measure.unit ? `${text} ${measure.unit}` : text);
const ARROWS = { higher: "↑", lower: "↓", zero: "→ 0", one: "→ 1", hr: "→ HR" };
const WAYS = {
  higher: "Higher is better.",
  lower: "Lower is better.",
  zero: "Closest to 0 is best.",
  one: "Closest to 1 is best.",
  hr: "Closest to the original's value is best.",
};
const meaning = (measure) => `${measure.meaning} ${WAYS[measure.better]}`;

function measureHeading(measure) {
  return [
    measure.label,
    make("span", { class: "way" }, ` ${ARROWS[measure.better]}`),
    measure.unit ? make("span", { class: "unit" }, ` ${measure.unit}`) : null,
  ];
}

// How far from the best a value is; NaN where nothing says what would be better.
function shortfall(measure, value, hr) {
  if (measure.better === "higher") return -value;
  if (measure.better === "lower") return value;
  return Math.abs(value - { zero: 0, one: 1, hr }[measure.better]);
}

// Which values read like the best one does.
function bests(measure, values, hr = NaN) {
  const known = values.filter((value) => !Number.isNaN(shortfall(measure, value, hr)));
  if (known.length < 2) return values.map(() => false);
  const best = known.reduce((a, b) =>
    shortfall(measure, b, hr) < shortfall(measure, a, hr) ? b : a,
  );
  return values.map((value) => format(measure, value) === format(measure, best));
}

function options(select, entries, chosen) {
  select.replaceChildren(
    ...entries.map(([value, text]) =>
      make("option", { value, selected: String(value) === String(chosen) }, text),
    ),
  );
}

const measureIndex = (key) => data.measures.findIndex((measure) => measure.key === key);
const methodIndex = (name) => data.methods.findIndex((method) => method.name === name);
const curves = [...new Set(data.methods.map((method) => method.curve))];
const series = (method) => `series-${curves.indexOf(data.methods[method].curve) % 7}`;
const caseTitle = (index) => `${data.cases[index].dataset} / ${data.cases[index].name}`;
const list = (texts) => texts.join(", ").replace(/, ([^,]*)$/, " and $1");
const plural = (count, thing) => `${count} ${thing}${count === 1 ? "" : "s"}`;

// Pictures.

const blobs = new Map();
const addresses = new Map();

// Decoded from the page when first shown, so that a hundred photos do not fill the memory.
function blob(picture) {
  if (!blobs.has(picture)) {
    const [head, body] = byId(`picture-${picture}`).textContent.split(",");
    const bytes = Uint8Array.from(atob(body), (character) => character.charCodeAt(0));
    blobs.set(picture, new Blob([bytes], { type: head.slice(5, head.indexOf(";")) }));
  }
  return blobs.get(picture);
}

function image(picture, attributes = {}) {
  if (!addresses.has(picture)) addresses.set(picture, URL.createObjectURL(blob(picture)));
  return make("img", { src: addresses.get(picture), alt: "", draggable: "false", ...attributes });
}

// Calls `show` once the element comes near to what is seen.
const waiting = new Map();
const nearby = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) continue;
      nearby.unobserve(target);
      waiting.get(target)?.();
      waiting.delete(target);
    }
  },
  { rootMargin: "300px" },
);
function whenNear(element, show) {
  waiting.set(element, show);
  nearby.observe(element);
}

// Summary.

function showLede() {
  const kinds = data.datasets.map(({ name }) => {
    const count = data.cases.filter((one) => one.dataset === name).length;
    return `${name} (${plural(count, "image")})`;
  });
  const models = curves.map((curve) => {
    const settings = data.methods.filter((method) => method.curve === curve).length;
    return settings > 1 ? `${curve} (${settings} settings)` : curve;
  });
  byId("lede").textContent =
    `${list(models)} on ${list(kinds)}, enlarged ${data.scale} times; protocol ${data.protocol}.`;
}

function showSummary() {
  const dataset = data.datasets[byId("dataset").value];
  const means = new Map(
    Object.entries(dataset.means).map(([name, scores]) => [name, scores.map(number)]),
  );
  const hr = means.get("HR");
  const scored = data.methods.filter((method) => means.has(method.name));
  const failures = (method) =>
    data.cases.filter((one) => one.dataset === dataset.name && !one.scores[methodIndex(method.name)])
      .length;
  // The mean over fewer images is that of easier or harder ones, and cannot be called the best.
  const fair = scored.filter((method) => !failures(method));
  const best = data.measures.map((measure, column) => {
    const values = scored.map((method) =>
      fair.includes(method) ? means.get(method.name)[column] : NaN,
    );
    return bests(measure, values, hr ? hr[column] : NaN);
  });
  const row = (name, scores, strong, note) =>
    make(
      "tr",
      { class: note === "original" ? "reference" : null },
      make("th", { scope: "row" }, name, note ? make("span", { class: "unit" }, ` ${note}`) : null),
      scores.map((value, column) =>
        make("td", { class: strong(column) ? "best" : null }, format(data.measures[column], value)),
      ),
    );
  byId("means").replaceChildren(
    make("caption", {}, `Mean scores on ${dataset.name}`),
    make(
      "thead",
      {},
      make(
        "tr",
        {},
        make("th", { scope: "col" }, "Method"),
        data.measures.map((measure) =>
          make("th", { scope: "col", title: meaning(measure) }, measureHeading(measure)),
        ),
      ),
    ),
    make(
      "tbody",
      {},
      scored.map((method, position) => {
        const failed = failures(method);
        const note = failed ? `${failed} failed` : "";
        return row(method.name, means.get(method.name), (column) => best[column][position], note);
      }),
      hr ? row("HR", hr, () => false, "original") : null,
    ),
  );
  byId("in-short").replaceChildren(...inShort(fair, means));
}

// One sentence on who is closest to the original, in pixels and in looks.
function inShort(methods, means) {
  const winner = (key) => {
    const column = measureIndex(key);
    const known = methods.filter((method) => !Number.isNaN(means.get(method.name)[column] ?? NaN));
    if (known.length < 2) return null;
    const measure = data.measures[column];
    const value = (method) => means.get(method.name)[column];
    const first = known.reduce((a, b) =>
      shortfall(measure, value(b)) < shortfall(measure, value(a)) ? b : a,
    );
    const text = `${measure.label} ${withUnit(measure, format(measure, value(first)))}`;
    return [first.name, text];
  };
  const pixels = winner("psnr");
  const looks = winner("lpips");
  if (!pixels || !looks) return [];
  const strong = (text) => make("strong", {}, text);
  return pixels[0] === looks[0]
    ? [strong(pixels[0]), ` is closest to the originals, pixel by pixel (${pixels[1]}) and in looks (${looks[1]}).`]
    : [
        ...[strong(pixels[0]), ` is closest to the originals pixel by pixel (${pixels[1]}); `],
        ...[strong(looks[0]), ` looks most like them (${looks[1]}).`],
      ];
}

function showDifferences() {
  const { dataset, method, other } = pairs()[byId("pair").value];
  const rows = data.differences.filter(
    (row) => row.dataset === dataset && row.method === method && row.other === other,
  );
  byId("differences").replaceChildren(
    make("caption", {}, `${method} minus ${other} on ${dataset}`),
    make(
      "thead",
      {},
      make(
        "tr",
        {},
        ["Measure", "Verdict", "Difference", "95 % interval", ""].map((text, k) =>
          make("th", { scope: "col", class: k < 2 ? "text" : null }, text),
        ),
      ),
    ),
    make("tbody", {}, rows.map(differenceRow)),
  );
}

function pairs() {
  const found = new Map();
  for (const { dataset, method, other } of data.differences) {
    found.set(JSON.stringify([dataset, method, other]), { dataset, method, other });
  }
  return [...found.values()];
}

function differenceRow(row) {
  const measure = data.measures[measureIndex(row.measure)];
  const [mean, low, high] = [row.mean, row.low, row.high].map(number);
  const way = verdict(measure, low, high);
  return make(
    "tr",
    {},
    make("th", { scope: "row", title: meaning(measure) }, measureHeading(measure)),
    make("td", { class: `verdict ${way.split(" ")[0]}` }, way),
    make("td", {}, format(measure, mean, true)),
    make("td", {}, `${format(measure, low, true)} to ${format(measure, high, true)}`),
    make("td", { class: "plot" }, intervalPlot(mean, low, high, way)),
  );
}

function verdict(measure, low, high) {
  if (!(low > 0 || high < 0)) return Number.isNaN(low) ? "unknown" : "no difference shown";
  const up = low > 0;
  if (measure.better === "higher") return up ? "better" : "worse";
  if (measure.better === "lower") return up ? "worse" : "better";
  return up ? "higher" : "lower"; // which of the two is closer to the aim, a difference cannot say
}

function intervalPlot(mean, low, high, way) {
  const reach = Math.max(Math.abs(low), Math.abs(high)) * 1.1;
  if (!Number.isFinite(reach) || reach === 0) return null;
  const x = (value) => 60 + (value / reach) * 56;
  return draw(
    "svg",
    { viewBox: "0 0 120 16", width: 120, height: 16, class: way.split(" ")[0], "aria-hidden": "true" },
    draw("line", { class: "axis", x1: 60, x2: 60, y1: 1, y2: 15 }),
    draw("line", { class: "interval", x1: x(low), x2: x(high), y1: 8, y2: 8 }),
    draw("circle", { class: "mean", cx: x(mean), cy: 8, r: 3.5 }),
  );
}

// The perception-distortion plane.

function showPlane() {
  const host = byId("plane");
  const dataset = data.datasets[byId("plane-dataset").value];
  const [across, up] = [measureIndex("psnr"), measureIndex("lpips")];
  const points = data.methods
    .map((method, index) => {
      const scores = (dataset.means[method.name] ?? []).map(number);
      return { method, index, psnr: scores[across] ?? NaN, lpips: scores[up] ?? NaN };
    })
    .filter((point) => Number.isFinite(point.psnr) && Number.isFinite(point.lpips));
  if (!points.length) {
    const text = `${dataset.name} has no originals to compare with, so there is nothing to plot.`;
    host.replaceChildren(make("p", { class: "note" }, text));
    return;
  }
  const width = Math.max(host.clientWidth, 280);
  const height = clamp(width * 0.6, 270, 480);
  const box = { left: 58, right: width - 18, top: 16, bottom: height - 46 };
  const x = axis(points.map((point) => point.psnr), box.left, box.right);
  const y = axis(points.map((point) => point.lpips), box.bottom, box.top);
  for (const point of points) Object.assign(point, { x: x.at(point.psnr), y: y.at(point.lpips) });

  const svg = draw("svg", {
    ...{ viewBox: `0 0 ${width} ${height}`, width, height, role: "img" },
    "aria-label": `LPIPS against PSNR on ${dataset.name}; the table above has the figures`,
  });
  for (const value of x.ticks) {
    svg.append(
      draw("line", { class: "grid", x1: x.at(value), x2: x.at(value), y1: box.top, y2: box.bottom }),
      draw("text", { x: x.at(value), y: box.bottom + 18, "text-anchor": "middle" }, x.text(value)),
    );
  }
  for (const value of y.ticks) {
    svg.append(
      draw("line", { class: "grid", x1: box.left, x2: box.right, y1: y.at(value), y2: y.at(value) }),
      draw("text", { x: box.left - 8, y: y.at(value) + 4, "text-anchor": "end" }, y.text(value)),
    );
  }
  const middle = (box.top + box.bottom) / 2;
  svg.append(
    draw("text", { class: "axis-name", x: (box.left + box.right) / 2, y: height - 8, "text-anchor": "middle" }, "PSNR, dB →"),
    draw("text", { class: "axis-name", "text-anchor": "middle", transform: `translate(14 ${middle}) rotate(-90)` }, "← LPIPS"),
    draw("text", { class: "hint", x: box.right - 8, y: box.bottom - 10, "text-anchor": "end" }, "better ↘"),
  );
  for (const curve of curves) {
    const own = points.filter((point) => point.method.curve === curve);
    if (own.length < 2) continue;
    const path = own.map((point) => `${point.x},${point.y}`).join(" ");
    svg.append(draw("polyline", { class: `curve ${series(own[0].index)}`, points: path }));
  }
  for (const point of points) {
    const { method, index, psnr, lpips } = point;
    const [distortion, perception] = [data.measures[across], data.measures[up]];
    const text = `${method.name}: ${format(distortion, psnr)} dB, LPIPS ${format(perception, lpips)}`;
    svg.append(
      draw("circle", { class: `point ${series(index)}`, cx: point.x, cy: point.y, r: 6 }, draw("title", {}, text)),
    );
  }
  host.replaceChildren(svg);
  placeLabels(svg, points, box);
}

// A linear axis with about five round ticks, and room around the values.
function axis(values, from, to) {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const margin = (most - least) * 0.15 || Math.abs(most) * 0.05 || 1;
  const [low, high] = [least - margin, most + margin];
  const rough = (high - low) / (Math.abs(to - from) < 400 ? 4 : 6);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
  const ticks = [];
  for (let k = Math.ceil(low / step); k * step <= high; k++) ticks.push(k * step);
  const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  return {
    ticks,
    at: (value) => from + ((value - low) / (high - low)) * (to - from),
    text: (value) => value.toFixed(decimals),
  };
}

// Each label takes the place around its point that covers least of what is there already.
function placeLabels(svg, points, box) {
  const taken = points.map((point) => ({ x: point.x - 8, y: point.y - 8, width: 16, height: 16 }));
  taken.push(svg.querySelector(".hint").getBBox());
  for (const curve of curves) {
    const own = points.filter((point) => point.method.curve === curve);
    for (let k = 1; k < own.length; k++) {
      for (let t = 0; t <= 1; t += 0.05) {
        const at = (key) => own[k - 1][key] + t * (own[k][key] - own[k - 1][key]);
        taken.push({ x: at("x") - 2, y: at("y") - 2, width: 4, height: 4 });
      }
    }
  }
  for (const point of points) {
    const { name, curve } = point.method;
    const own = points.filter((other) => other.method.curve === curve);
    const rest = name.startsWith(curve) ? name.slice(curve.length).replace(/^[\s@:=]+/, "") : name;
    const short = own.length > 1 && point !== own[own.length - 1] && rest ? rest : name;
    const label = draw("text", { class: `label ${series(point.index)}` }, short);
    svg.append(label);
    const { width, height } = label.getBBox();
    let best = null;
    for (const distance of [11, 22, 36, 54]) {
      for (let turn = 0; turn < 16; turn++) {
        const angle = (turn * Math.PI) / 8;
        const [dx, dy] = [Math.cos(angle), Math.sin(angle)];
        const place = {
          x: point.x + dx * distance + ((dx - 1) * width) / 2,
          y: point.y + dy * distance + ((dy - 1) * height) / 2,
          ...{ width, height },
        };
        const outside = place.x < box.left || place.x + width > box.right ||
          place.y < box.top || place.y + height > box.bottom;
        const cost = taken.reduce((sum, other) => sum + overlap(place, other), 0) +
          (outside ? 1e5 : 0) + distance / 4 + (Math.abs(dy) > 0.01 ? 1 : 0) + (dx < 0 ? 1 : 0);
        if (!best || cost < best.cost) best = { ...place, cost, distance };
      }
    }
    taken.push(best);
    label.setAttribute("x", best.x);
    label.setAttribute("y", best.y + height * 0.78); // the baseline of what getBBox measured
    if (best.distance > 22) {
      const end = {
        x2: clamp(point.x, best.x, best.x + width),
        y2: clamp(point.y, best.y, best.y + height),
      };
      svg.append(draw("line", { class: "leader", x1: point.x, y1: point.y, ...end }));
    }
  }
}

function overlap(a, b) {
  const across = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
  const down = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
  return Math.max(across, 0) * Math.max(down, 0);
}

// The viewer.

const view = { index: 0, mode: "picture", left: 0, top: 0, zoom: 1, split: 0.5, before: "0", after: "" };

// What there is to see of one image. Keys: "lr", "hr", or the number of a method.
function sources(one) {
  const methods = data.methods.map((method, m) => ({
    ...{ key: String(m), label: method.name, picture: one.sr[m], map: one.maps[m] },
    ...{ scores: one.scores[m], error: one.errors[m] },
  }));
  const plain = { map: null, scores: null, error: "" };
  return [
    { key: "lr", label: "LR", picture: one.lr, ...plain },
    ...methods,
    ...(one.hr === null ? [] : [{ key: "hr", label: "HR", picture: one.hr, ...plain }]),
  ];
}

function showCase(index) {
  view.index = index;
  const one = data.cases[index];
  const all = sources(one);
  const visible = all.filter((source) => source.picture !== null);
  const keys = visible.map((source) => source.key);
  if (!keys.includes(view.before)) view.before = keys[0];
  if (!keys.includes(view.after)) view.after = keys[keys.length - 1];
  if (one.hr === null) view.mode = "picture";

  byId("case-name").textContent = caseTitle(index);
  byId("case-note").textContent = caseNote(one);
  const entries = visible.map((source) => [source.key, source.label]);
  options(byId("before"), entries, view.before);
  options(byId("after"), entries, view.after);
  for (const button of byId("modes").children) {
    button.disabled = button.dataset.mode !== "picture" && one.hr === null;
    button.title = button.disabled ? "This image has no original to compare with." : "";
  }
  for (const button of byId("strip").querySelectorAll("button")) {
    const chosen = Number(button.dataset.index) === index;
    button.setAttribute("aria-current", chosen);
    button.tabIndex = chosen ? 0 : -1; // one stop for the tab key; the arrows do the rest
    if (chosen) centre(byId("strip"), button);
  }
  byId("previous").disabled = index === 0;
  byId("next").disabled = index === data.cases.length - 1;
  const [, , height, width] = one.region;
  byId("viewer").style.setProperty("--ratio", width / height);
  showOverview(one);
  showPictures();
  look(0, 0, 1);
}

function caseNote(one) {
  const [, , height, width] = one.region;
  const part = width < one.width || height < one.height;
  const how = one.quality === null ? "Pictures without loss." : `Pictures compressed, WebP quality ${one.quality}, all alike: scores are those of the uncompressed ones.`;
  return (
    `${one.width} × ${one.height} pixels from ${one.width / data.scale} × ${one.height / data.scale}. ` +
    (part ? `Shown is the part of ${width} × ${height} where the methods differ most. ` : "") +
    how +
    (one.hr === null ? " There is no original." : "")
  );
}

function showOverview(one) {
  const [top, left, height, width] = one.region;
  const whole = width === one.width && height === one.height;
  byId("overview").hidden = whole;
  if (whole) return byId("overview").replaceChildren();
  const mark = make("span", { class: "mark" });
  mark.style.left = `${(100 * left) / one.width}%`;
  mark.style.top = `${(100 * top) / one.height}%`;
  mark.style.width = `${(100 * width) / one.width}%`;
  mark.style.height = `${(100 * height) / one.height}%`;
  byId("overview").replaceChildren(
    image(one.thumbnail, { alt: "The whole photo, with a frame around the part shown" }),
    mark,
  );
}

function showPictures() {
  const one = data.cases[view.index];
  const all = sources(one);
  const find = (key) => all.find((source) => source.key === key);
  const [before, after] = [find(view.before), find(view.after)];
  byId("under").replaceChildren(stage(before, one));
  byId("over").replaceChildren(stage(after, one));
  byId("before-label").textContent = before.label;
  byId("after-label").textContent = after.label;

  const scores = data.methods.map((_, m) => one.scores[m]?.map(number));
  const best = data.measures.map((measure, column) =>
    bests(measure, scores.map((values) => (values ? values[column] : NaN))),
  );
  byId("panes").replaceChildren(...all.map((source) => pane(source, one, best)));
  for (const button of byId("modes").children) {
    button.setAttribute("aria-pressed", button.dataset.mode === view.mode);
  }
  byId("viewer").dataset.mode = view.mode;
  byId("gain-choice").hidden = view.mode !== "difference";
  byId("legend").hidden = view.mode !== "overshoot";
  byId("legend-end").textContent = `${data.overshoot_peak} grey levels or more`;
  setSplit(view.split);
  sizeFrames();
  apply();
}

function pane(source, one, best) {
  const frame = make("div", { class: "frame", tabindex: "-1" });
  if (source.picture === null) frame.append(make("p", { class: "error" }, source.error));
  else frame.append(make("div", { class: "layer" }, stage(source, one)));
  listen(frame);
  const m = Number(source.key);
  const scores = (source.scores ?? []).map((value, column) => {
    const measure = data.measures[column];
    return Number.isNaN(number(value))
      ? null
      : make(
          "div",
          { title: meaning(measure), class: best[column][m] ? "best" : null },
          make("dt", {}, measure.label),
          make("dd", {}, withUnit(measure, format(measure, number(value)))),
        );
  });
  return make(
    "figure",
    { "data-key": source.key },
    frame,
    make("figcaption", {}, source.label),
    scores.length ? make("dl", { class: "scores" }, scores) : null,
  );
}

// The picture itself, which zooms and moves, with what the mode lays over it.
function stage(source, one) {
  const pixels = image(source.picture, {
    class: source.key === "lr" ? "lr" : null,
    alt: `${source.label} of ${caseTitle(view.index)}`,
  });
  const host = make("div", { class: "stage" }, pixels);
  if (view.mode === "difference") host.append(image(one.hr, { class: "subtracted" }));
  if (view.mode === "overshoot" && source.map !== null) host.append(overlay(source.map));
  return host;
}

// A map of overshoot as yellow to red light: the more, the less transparent.
function overlay(picture) {
  const canvas = make("canvas", { class: "map" });
  createImageBitmap(blob(picture)).then((bitmap) => {
    canvas.width = bitmap.width;
    canvas.height = bitmap.height;
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(bitmap, 0, 0);
    const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
    for (let k = 0; k < pixels.data.length; k += 4) {
      const strength = pixels.data[k] / 255;
      pixels.data[k] = 255;
      pixels.data[k + 1] = 210 - 170 * strength;
      pixels.data[k + 2] = 40;
      pixels.data[k + 3] = 255 * Math.min(1, 2 * strength);
    }
    context.putImageData(pixels, 0, 0);
    canvas.dataset.drawn = "true";
  });
  return canvas;
}

// `left` and `top` are shares of the picture: what lies left of and above the frame.
function look(left, top, zoom) {
  view.zoom = clamp(zoom, 1, mostZoom());
  view.left = clamp(left, 0, 1 - 1 / view.zoom);
  view.top = clamp(top, 0, 1 - 1 / view.zoom);
  apply();
}

// Enlarges about a point of the frame, both coordinates from 0 to 1.
function zoomAt(x, y, factor) {
  const zoom = clamp(view.zoom * factor, 1, mostZoom());
  look(view.left + x / view.zoom - x / zoom, view.top + y / view.zoom - y / zoom, zoom);
}

// Pixels of the screen for one of the picture, at zoom 1.
function fitScale(frame) {
  const [, , , width] = data.cases[view.index].region;
  return ((frame.clientWidth || 1) * devicePixelRatio) / width;
}

const mostZoom = () => Math.max(8, LARGEST_PIXEL / fitScale(byId("compare")));

// A picture that nearly fills its frame is shown at a whole number of screen pixels for each of its
// own, which is crisp; where pixels are hardly seen, size counts for more.
function sizeFrames() {
  const [, , , width] = data.cases[view.index].region;
  const frames = [...byId("viewer").querySelectorAll(".frame")];
  for (const frame of frames) frame.parentElement.style.width = "";
  const least = devicePixelRatio < 2 ? 0.66 : 0.85;
  const available = frames.map((frame) => frame.clientWidth * devicePixelRatio);
  frames.forEach((frame, k) => {
    const crisp = Math.floor(available[k] / width) * width;
    if (crisp < least * available[k]) return;
    frame.parentElement.style.width = `${crisp / devicePixelRatio}px`;
  });
}

// One change of three properties moves all frames.
function apply() {
  const viewer = byId("viewer");
  for (const key of ["left", "top", "zoom"]) viewer.style.setProperty(`--${key}`, view[key]);
  viewer.classList.toggle("zoomed", view.zoom > 1);
  const fit = fitScale(byId("compare"));
  byId("zoom-label").textContent = `${Math.round(100 * fit * view.zoom)} %`;
  byId("zoom-out").disabled = byId("zoom-fit").disabled = view.zoom <= 1;
  byId("zoom-in").disabled = view.zoom >= mostZoom();
  byId("zoom-one").disabled = fit > 1;
  for (const frame of viewer.querySelectorAll(".frame")) {
    frame.classList.toggle("pixelated", fitScale(frame) * view.zoom > 1);
  }
}

function setSplit(split) {
  view.split = clamp(split, 0, 1);
  byId("compare").style.setProperty("--split", `${100 * view.split}%`);
  const percent = Math.round(100 * view.split);
  byId("divider").setAttribute("aria-valuenow", percent);
  const label = byId("before-label").textContent;
  byId("divider").setAttribute("aria-valuetext", `${label} on the left ${percent} %`);
}

// Drags, pinches, wheels and keys of one frame.
function listen(frame) {
  const fingers = new Map();
  const position = (event) => {
    const box = frame.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  };
  const slides = (event) =>
    frame.id === "compare" && (event.target === byId("divider") || view.zoom === 1);
  let sliding = false;
  frame.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    sliding = fingers.size === 0 && slides(event);
    fingers.set(event.pointerId, position(event));
    frame.setPointerCapture(event.pointerId);
    frame.classList.add("held");
  });
  frame.addEventListener("pointermove", (event) => {
    const old = fingers.get(event.pointerId);
    if (!old) return;
    const now = position(event);
    fingers.set(event.pointerId, now);
    if (fingers.size === 1 && sliding) {
      setSplit(now[0]);
    } else if (fingers.size === 1) {
      const [dx, dy] = [now[0] - old[0], now[1] - old[1]];
      look(view.left - dx / view.zoom, view.top - dy / view.zoom, view.zoom);
    } else if (fingers.size === 2) {
      sliding = false;
      const [, still] = [...fingers].find(([id]) => id !== event.pointerId);
      const apart = (point) =>
        Math.hypot((point[0] - still[0]) * frame.clientWidth, (point[1] - still[1]) * frame.clientHeight);
      zoomAt(...still, Math.max(apart(now), 1) / Math.max(apart(old), 1));
    }
  });
  for (const end of ["pointerup", "pointercancel"]) {
    frame.addEventListener(end, (event) => {
      fingers.delete(event.pointerId);
      if (!fingers.size) frame.classList.remove("held");
    });
  }
  frame.addEventListener(
    "wheel",
    (event) => {
      // Whoever only scrolls past keeps scrolling.
      const meant = event.ctrlKey || event.metaKey || byId("viewer").contains(document.activeElement);
      if (!meant || (event.deltaY > 0 && view.zoom <= 1)) return;
      event.preventDefault();
      const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 30 : 1;
      zoomAt(...position(event), 2 ** ((-event.deltaY * lines) / 300));
    },
    { passive: false },
  );
  frame.addEventListener("dblclick", (event) => {
    if (event.target !== byId("divider")) zoomAt(...position(event), 2);
  });
  frame.addEventListener("keydown", (event) => {
    const step = 0.1 / view.zoom;
    const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
    if (event.target !== frame || event.ctrlKey || event.metaKey || event.altKey) return;
    if (moves[event.key] && view.zoom > 1) {
      look(view.left + moves[event.key][0], view.top + moves[event.key][1], view.zoom);
    } else if (event.key === "+" || event.key === "=") zoomAt(0.5, 0.5, 1.5);
    else if (event.key === "-") zoomAt(0.5, 0.5, 1 / 1.5);
    else if (event.key === "0") look(0, 0, 1);
    else return;
    event.preventDefault();
  });
}

function listenToDivider() {
  byId("divider").addEventListener("keydown", (event) => {
    const step = event.shiftKey ? 0.1 : 0.02;
    const targets = {
      ...{ ArrowLeft: view.split - step, ArrowDown: view.split - step },
      ...{ ArrowRight: view.split + step, ArrowUp: view.split + step },
      ...{ PageDown: view.split - 0.1, PageUp: view.split + 0.1, Home: 0, End: 1 },
    };
    if (!(event.key in targets)) return;
    event.preventDefault();
    setSplit(targets[event.key]);
  });
}

function centre(scroller, element) {
  const left = element.offsetLeft - (scroller.clientWidth - element.offsetWidth) / 2;
  scroller.scrollTo({ left, behavior: calm.matches ? "auto" : "smooth" });
}

function showStrip() {
  const strip = byId("strip");
  data.cases.forEach((one, index) => {
    if (index === 0 || one.dataset !== data.cases[index - 1].dataset) {
      strip.append(make("span", { class: "kicker" }, one.dataset));
    }
    const button = make("button", {
      ...{ type: "button", title: caseTitle(index), "aria-label": caseTitle(index) },
      ...{ "data-index": index, onclick: () => showCase(index) },
    });
    button.style.setProperty("--shape", one.width / one.height);
    strip.append(button);
    whenNear(button, () => button.append(image(one.thumbnail)));
  });
}

// Opens the viewer at a rectangle of the pictures, with a method beside its original.
function visit(index, method, region) {
  const one = data.cases[index];
  if (method !== null && one.sr[method] !== null) view.before = String(method);
  view.after = one.hr === null ? "lr" : "hr";
  showCase(index);
  if (region) {
    const [top, left, height, width] = region;
    const [, , high, wide] = one.region;
    const zoom = Math.max(1, Math.min(wide / width, high / height) / 1.6);
    look((left + width / 2) / wide - 0.5 / zoom, (top + height / 2) / high - 0.5 / zoom, zoom);
    setSplit(0.5);
  }
  byId("viewer").scrollIntoView({ behavior: calm.matches ? "auto" : "smooth" });
  byId("compare").focus({ preventScroll: true });
}

function listenToStrip() {
  byId("strip").addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    showCase(clamp(view.index + step, 0, data.cases.length - 1));
    byId("strip").querySelector("[aria-current=true]").focus({ preventScroll: true });
  });
}

function listenToViewer() {
  listenToStrip();
  listen(byId("compare"));
  listenToDivider();
  byId("previous").addEventListener("click", () => showCase(view.index - 1));
  byId("next").addEventListener("click", () => showCase(view.index + 1));
  for (const button of byId("modes").children) {
    button.addEventListener("click", () => {
      view.mode = button.dataset.mode;
      showPictures();
    });
  }
  for (const side of ["before", "after"]) {
    byId(side).addEventListener("change", (event) => {
      view[side] = event.target.value;
      showPictures();
    });
  }
  const gain = () => byId("viewer").style.setProperty("--gain", byId("gain").value);
  byId("gain").addEventListener("change", gain);
  gain();
  byId("zoom-in").addEventListener("click", () => zoomAt(0.5, 0.5, 1.5));
  byId("zoom-out").addEventListener("click", () => zoomAt(0.5, 0.5, 1 / 1.5));
  byId("zoom-fit").addEventListener("click", () => look(0, 0, 1));
  byId("zoom-one").addEventListener("click", () =>
    zoomAt(0.5, 0.5, 1 / fitScale(byId("compare")) / view.zoom),
  );
  let width = 0;
  new ResizeObserver(() => {
    if (width === byId("viewer").clientWidth) return;
    width = byId("viewer").clientWidth;
    sizeFrames();
    look(view.left, view.top, view.zoom);
  }).observe(byId("viewer"));
}

// Best and worst crops.

function showCrops() {
  const key = byId("crop-measure").value;
  const method = Number(byId("crop-method").value);
  const measure = data.crops.measures.find((one) => one.key === key);
  byId("crop-note").textContent =
    `${meaning(measure)} Squares of photos, without the flat ones: left the method, right the original. Choose one to see it in its picture.`;
  const group = (kind, title) => {
    const own = data.crops.chosen.filter(
      (crop) => crop.kind === kind && crop.measure === key && crop.method === method,
    );
    return [
      make("h3", {}, title),
      make("div", { class: "crops" }, own.map((crop) => cropButton(crop, measure))),
    ];
  };
  byId("crop-list").replaceChildren(...group("worst", "Worst"), ...group("best", "Best"));
}

function cropButton(crop, measure) {
  const one = data.cases[crop.case];
  const [, , height, width] = crop.region;
  const canvases = [one.sr[crop.method], one.hr].map((picture) => {
    const canvas = make("canvas", { width, height });
    whenNear(canvas, () => cutOut(canvas, picture, crop.region));
    return canvas;
  });
  return make(
    "button",
    { type: "button", onclick: () => visit(crop.case, crop.method, crop.region) },
    make("span", { class: "couple" }, canvases),
    make("span", { class: "name" }, caseTitle(crop.case)),
    make("span", { class: "value" }, withUnit(measure, format(measure, number(crop.value)))),
  );
}

async function cutOut(canvas, picture, [top, left, height, width]) {
  const bitmap = await createImageBitmap(blob(picture), left, top, width, height);
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
  bitmap.close();
  canvas.dataset.drawn = "true";
}

// The table of every image.

const sorting = { column: -1, descending: false };

function tableRows() {
  const dataset = byId("filter-dataset").value;
  const method = byId("filter-method").value;
  const rows = [];
  data.cases.forEach((one, index) => {
    if (dataset && one.dataset !== dataset) return;
    data.methods.forEach(({ name }, m) => {
      if (method && Number(method) !== m) return;
      const scores = one.scores[m]?.map(number) ?? null;
      const cells = [caseTitle(index), name, ...(scores ?? data.measures.map(() => NaN))];
      rows.push({ index, m, scores, error: one.errors[m], cells });
    });
  });
  const { column, descending } = sorting;
  if (column < 0) return rows;
  const order = (a, b) =>
    typeof a === "string" ? a.localeCompare(b, "en", { numeric: true }) : a - b || 0;
  return rows.sort((one, two) => {
    const [a, b] = [one.cells[column], two.cells[column]];
    // What has no value comes last, either way.
    if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b);
    return descending ? order(b, a) : order(a, b);
  });
}

function showTable() {
  const rows = tableRows();
  byId("row-count").textContent =
    `${plural(rows.length, "result")}. A heading sorts; an image's name opens it above.`;
  const body = rows.map((row) => {
    const name = make(
      "button",
      { type: "button", class: "link", onclick: () => visit(row.index, row.m, null) },
      caseTitle(row.index),
    );
    const cells = row.scores
      ? row.scores.map((value, column) => make("td", {}, format(data.measures[column], value)))
      : make("td", { colspan: data.measures.length, class: "error" }, row.error);
    return make(
      "tr",
      {},
      make("th", { scope: "row" }, name),
      make("td", { class: "text" }, data.methods[row.m].name),
      cells,
    );
  });
  byId("scores").querySelector("tbody").replaceChildren(...body);
  byId("scores")
    .querySelectorAll("thead th")
    .forEach((cell, column) => {
      const way = sorting.descending ? "descending" : "ascending";
      cell.setAttribute("aria-sort", column === sorting.column ? way : "none");
    });
}

function makeTable() {
  const headings = [
    { content: ["Image"], title: "Data set and name" },
    { content: ["Method"], title: "" },
    ...data.measures.map((one) => ({ content: measureHeading(one), title: meaning(one) })),
  ];
  const sort = (column) => {
    sorting.descending = sorting.column === column && !sorting.descending;
    sorting.column = column;
    showTable();
  };
  byId("scores").replaceChildren(
    make("caption", {}, "Scores of every image"),
    make(
      "thead",
      {},
      make(
        "tr",
        {},
        headings.map(({ content, title }, column) =>
          make(
            "th",
            { scope: "col", title, class: column < 2 ? "text" : null },
            make("button", { type: "button", onclick: () => sort(column) }, content),
          ),
        ),
      ),
    ),
    make("tbody"),
  );
  showTable();
}

// Protocol and provenance.

function showProtocol() {
  const usual = data.protocol === `y-crop${data.scale}`;
  byId("protocol-text").textContent =
    `Protocol ${data.protocol}. ` +
    (usual
      ? `The small images are MATLAB's bicubic reduction by ${data.scale}. PSNR and SSIM are of the luma (BT.601), with ${data.scale} pixels left out at each edge; LPIPS is version 0.1 with AlexNet, on the whole picture in colour. Results are rounded to 8 bits before they are scored.`
      : "");
  byId("measures").replaceChildren(
    ...data.measures.flatMap((measure) => [
      make("dt", {}, measureHeading(measure)),
      make("dd", {}, meaning(measure)),
    ]),
  );
  byId("provenance").replaceChildren(tree(data.provenance));
}

function tree(value) {
  if (typeof value === "string") return make("span", { class: "leaf" }, value);
  if (Array.isArray(value)) return make("ul", {}, value.map((one) => make("li", {}, tree(one))));
  return make(
    "dl",
    {},
    Object.entries(value).flatMap(([key, one]) => [make("dt", {}, key), make("dd", {}, tree(one))]),
  );
}

// All together.

function listenToTheme() {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const root = document.documentElement;
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const label = () => (byId("theme").textContent = isDark() ? "Light" : "Dark");
  byId("theme").addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    label();
  });
  system.addEventListener("change", label);
  label();
}

function start() {
  listenToTheme();
  showLede();
  const datasets = data.datasets.map(({ name }, index) => [index, name]);
  for (const id of ["dataset", "plane-dataset"]) {
    options(byId(id), datasets, 0);
    byId(id).parentElement.hidden = datasets.length < 2;
    byId(id).addEventListener("change", (event) => {
      byId("dataset").value = byId("plane-dataset").value = event.target.value;
      showSummary();
      showPlane();
    });
  }
  showSummary();
  byId("differences-part").hidden = !data.differences.length;
  if (data.differences.length) {
    const place = ({ dataset }) => (data.datasets.length > 1 ? ` on ${dataset}` : "");
    const names = pairs().map((pair) => `${pair.method} with ${pair.other}${place(pair)}`);
    options(byId("pair"), [...names.entries()], 0);
    byId("pair").addEventListener("change", showDifferences);
    showDifferences();
  }
  let drawn = 0;
  new ResizeObserver(() => {
    if (drawn === byId("plane").clientWidth) return;
    drawn = byId("plane").clientWidth;
    showPlane();
  }).observe(byId("plane"));

  const names = data.methods.map(({ name }, m) => [m, name]);
  options(byId("filter-dataset"), [["", "all"], ...data.datasets.map(({ name }) => [name, name])], "");
  options(byId("filter-method"), [["", "all"], ...names], "");
  for (const id of ["filter-dataset", "filter-method"]) byId(id).addEventListener("change", showTable);
  makeTable();
  showProtocol();
}

// The pictures come after this script in the file.
function startPictures() {
  view.after = String(data.methods.length - 1);
  showStrip();
  listenToViewer();
  showCase(0);
  byId("crops").hidden = !data.crops.chosen.length;
  if (!data.crops.chosen.length) return;
  options(byId("crop-measure"), data.crops.measures.map(({ key, label }) => [key, label]), "lpips");
  const shown = new Set(data.crops.chosen.map((crop) => crop.method));
  const last = Math.max(...shown);
  options(byId("crop-method"), [...shown].sort((a, b) => a - b).map((m) => [m, data.methods[m].name]), last);
  for (const id of ["crop-measure", "crop-method"]) byId(id).addEventListener("change", showCrops);
  showCrops();
}

start();
document.addEventListener("DOMContentLoaded", startPictures);
