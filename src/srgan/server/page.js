// Sends a picture and what is wished of it to /v1/upscale, and shows the result beside what it came of.

const byId = (id) => document.getElementById(id);

const models = new Map();
let megabytes = 0; // that a picture may have
let photo = null; // what is enlarged: { file, name, original }, original being an address or ""
let result = null; // of the last answer: { file, query }
let running = new AbortController();

function say(text, isBad = false) {
  byId("status").textContent = text;
  byId("status").classList.toggle("bad", isBad);
}

const addresses = new Map(); // of files, by the element that each is for

/** The address of a file, in place of that of the one before. */
function address(element, file) {
  URL.revokeObjectURL(addresses.get(element));
  addresses.set(element, URL.createObjectURL(file));
  return addresses.get(element);
}

function show(image, file) {
  image.src = file instanceof Blob ? address(image, file) : file;
  return image.decode();
}

/** Posts the picture, and tells how far the server is. Raises what the server says is wrong. */
async function ask(what, query, file) {
  running.abort();
  running = new AbortController();
  const { signal } = running;
  const job = crypto.getRandomValues(new Uint32Array(4)).join("-");
  const progress = byId("progress");
  progress.hidden = false;
  progress.removeAttribute("value");
  const timer = setInterval(async () => {
    const answer = await fetch(`v1/jobs/${job}`, { signal }).catch(() => null);
    if (!answer?.ok || signal.aborted || progress.hidden) return;
    const { state, done, seconds_left } = await answer.json();
    if (state === "ended") return; // its result is on the way
    if (done) progress.value = done;
    const left = seconds_left === null ? "" : `, about ${Math.ceil(seconds_left)} s left`;
    say(state === "waiting" ? "Waiting for its turn …" : `Working${left} …`);
  }, 700);
  try {
    const wanted = `v1/${what}?${new URLSearchParams({ ...query, job })}`;
    const answer = await fetch(wanted, { method: "POST", body: file, signal });
    if (!answer.ok) {
      const { detail } = await answer.json().catch(() => ({ detail: answer.statusText }));
      throw new Error(detail);
    }
    return await answer.blob();
  } finally {
    clearInterval(timer);
    if (!signal.aborted) progress.hidden = true;
  }
}

function wishes() {
  const query = { model: byId("model").value, format: byId("format").value };
  if (byId("scale").value) query.scale = byId("scale").value;
  if (models.get(query.model).dial && byId("realism").value !== "1") query.realism = byId("realism").value;
  return query;
}

async function enlarge() {
  if (!photo) return;
  const { file } = photo;
  if (file.size > 1e6 * megabytes) {
    say(`The picture has ${(file.size / 1e6).toFixed(1)} megabytes; expected at most ${megabytes}.`, true);
    return;
  }
  say("Working …");
  const began = performance.now();
  const query = wishes();
  try {
    const sr = await ask("upscale", query, file);
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    result = { file: sr, query };
    await showResult();
    const { naturalWidth: width, naturalHeight: height } = byId("after");
    byId("facts").textContent = `${width} x ${height} pixels, ${(sr.size / 1e6).toFixed(2)} MB, in ${seconds} s`;
    say("");
  } catch (error) {
    if (error.name !== "AbortError") say(error.message, true);
  }
}

async function showResult() {
  const { file, query } = result;
  await show(byId("after"), file);
  const { naturalWidth: width, naturalHeight: height } = byId("after");
  byId("stage").style.setProperty("--ratio", `${width} / ${height}`);
  byId("stage").dataset.width = width;
  byId("result").hidden = false;
  press("show-result", "show-map");
  byId("legend").hidden = true;
  byId("show-map").disabled = !models.get(query.model).map;
  byId("show-map").title = byId("show-map").disabled ? "This model has no map: it invents nothing, or does not know how far it errs." : "";
  const download = byId("download");
  download.href = address(download, file);
  download.download = `${photo.name}-${query.model}.${query.format === "jpeg" ? "jpg" : query.format}`;
  byId("curl").textContent = `curl --data-binary @${/^[\w.-]+$/.test(photo.file.name) ? photo.file.name : "photo.jpg"} -o enlarged.${query.format} \\\n  "${location.origin}/v1/upscale?${new URLSearchParams(query)}"`;
  byId("licence").textContent = `${query.model}: ${models.get(query.model).licence}. ${models.get(query.model).scores}`;
  zoom();
}

async function showMap() {
  say("Working …");
  try {
    await show(byId("after"), await ask("map", { model: result.query.model }, photo.file));
    press("show-map", "show-result");
    byId("legend").hidden = false;
    say("Black is what the picture determines; the brighter, the farther from the truth a pixel may be.");
  } catch (error) {
    if (error.name !== "AbortError") say(error.message, true);
  }
}

function press(pressed, ...others) {
  byId(pressed).setAttribute("aria-pressed", "true");
  for (const other of others) byId(other).setAttribute("aria-pressed", "false");
}

async function open(file, name, original = "") {
  photo = { file, name, original };
  byId("left").value = "small";
  byId("left").closest("label").hidden = !original;
  byId("result").hidden = true;
  await Promise.all([compare(), enlarge()]);
}

/** Shows what is left of the divider. */
async function compare() {
  const wanted = byId("left").value === "original" ? photo.original : photo.file;
  await show(byId("before"), wanted).catch(() => {}); // a format that the browser does not know
}

function zoom() {
  const factor = Number(document.querySelector("#zoom [aria-pressed=true]").dataset.zoom);
  const stage = byId("stage");
  const width = Number(stage.dataset.width) / devicePixelRatio;
  stage.style.setProperty("--width", factor ? `${factor * width}px` : "100%");
  stage.classList.toggle("close", factor > 1);
}

function split(share) {
  byId("split").value = share;
  byId("stage").style.setProperty("--split", `${share}%`);
}

function changeModel() {
  const model = models.get(byId("model").value);
  byId("dial").hidden = !model.dial;
  byId("promise").textContent = model.consistency_rounds
    ? "Scaled down again, the result gives the picture back."
    : "The result need not give the picture back: a model for spoilt photos takes JPEG's blocks and some of the noise away.";
}

function turnDial() {
  byId("realism-value").value = Number(byId("realism").value).toFixed(2);
}

async function begin() {
  const [offered, examples] = await Promise.all(["v1/models", "examples"].map(async (path) => (await fetch(path)).json()));
  megabytes = offered.limits.megabytes;
  byId("most").textContent = `PNG, JPEG, WebP, TIFF, AVIF or GIF of at most ${megabytes} MB, of which the model makes at most ${offered.limits.megapixels} megapixels`;
  for (const model of offered.models) {
    models.set(model.name, model);
    byId("model").add(new Option(`${model.name} (${model.scale}×)`, model.name));
  }
  changeModel();
  turnDial();
  for (const name of examples) {
    const button = document.createElement("button");
    const image = new Image();
    image.src = `examples/${name}/lr`;
    image.alt = name;
    button.type = "button";
    button.append(image);
    button.addEventListener("click", async () => {
      const file = await (await fetch(image.src)).blob();
      await open(new File([file], `${name}.webp`, { type: file.type }), name, `examples/${name}/hr`);
    });
    byId("examples").append(button);
  }

  const take = (file) => file && open(file, file.name.replace(/\.[^.]*$/, "") || "picture");
  byId("file").addEventListener("change", () => take(byId("file").files[0]));
  addEventListener("paste", (event) => take(event.clipboardData.files[0]));
  const drop = byId("drop");
  for (const kind of ["dragover", "drop"]) addEventListener(kind, (event) => event.preventDefault());
  addEventListener("dragover", () => drop.classList.add("over"));
  addEventListener("dragleave", () => drop.classList.remove("over"));
  addEventListener("drop", (event) => {
    drop.classList.remove("over");
    take(event.dataTransfer.files[0]);
  });

  byId("model").addEventListener("change", () => { changeModel(); enlarge(); });
  byId("realism").addEventListener("input", turnDial);
  for (const id of ["realism", "scale", "format"]) byId(id).addEventListener("change", enlarge);
  byId("left").addEventListener("change", compare);
  byId("show-result").addEventListener("click", () => { say(""); running.abort(); byId("progress").hidden = true; showResult(); });
  byId("show-map").addEventListener("click", showMap);

  byId("split").addEventListener("input", () => split(byId("split").value));
  const follow = (event) => {
    if (event.type === "pointermove" && !event.buttons) return;
    const { left, width } = byId("stage").getBoundingClientRect();
    split(Math.min(100, Math.max(0, (100 * (event.clientX - left)) / width)));
  };
  for (const kind of ["pointerdown", "pointermove"]) byId("stage").addEventListener(kind, follow);
  byId("zoom").addEventListener("click", ({ target }) => {
    if (!target.dataset.zoom) return;
    for (const button of byId("zoom").children) button.setAttribute("aria-pressed", String(button === target));
    zoom();
  });
}

begin().catch((error) => say(`The server does not answer: ${error.message}`, true));
