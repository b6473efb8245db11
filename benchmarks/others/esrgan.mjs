// Upscales a folder of PNG files x4 with an npm package of UpscalerJS, in its own runtime,
// TensorFlow.js (WebAssembly), with its own layer definitions.
//
//     npm install --ignore-scripts && node esrgan.mjs esrgan-thick LR_FOLDER OUT_FOLDER

import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

import * as tf from "@tensorflow/tfjs";
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import { PNG } from "pngjs";

const [name, from, to] = process.argv.slice(2);
const require = createRequire(import.meta.url);
setWasmPaths(path.dirname(require.resolve("@tensorflow/tfjs-backend-wasm")) + path.sep);
await tf.setBackend("wasm");

const exported = require(`@upscalerjs/${name}/4x`);
const definition = exported.default ?? exported;
definition.setup?.(tf); // its own layers, if there are any
const root = require.resolve(`@upscalerjs/${name}`).split(`${path.sep}dist${path.sep}`)[0];
const folder = path.join(root, "models", "x4");
const { modelTopology, weightsManifest } = JSON.parse(fs.readFileSync(`${folder}/model.json`));
const shards = weightsManifest.flatMap((group) => group.paths);
const bytes = Buffer.concat(shards.map((shard) => fs.readFileSync(`${folder}/${shard}`)));
const model = await tf.loadLayersModel({
  load: async () => ({
    modelTopology,
    weightSpecs: weightsManifest.flatMap((group) => group.weights),
    weightData: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length),
  }),
});

fs.mkdirSync(to, { recursive: true });
let seconds = 0;
let megapixels = 0;
for (const file of fs.readdirSync(from).filter((entry) => entry.endsWith(".png")).sort()) {
  const { data, width, height } = PNG.sync.read(fs.readFileSync(path.join(from, file)));
  const began = performance.now();
  const sr = tf.tidy(() => {
    const lr = tf.tensor(data, [1, height, width, 4], "float32").slice([0, 0, 0, 0], [1, -1, -1, 3]);
    const result = model.predict(lr.div(255));  // its inputRange and outputRange are [0, 1]
    return result.mul(255).add(0.5).floor().clipByValue(0, 255).squeeze();
  });
  const [rows, columns] = sr.shape;
  const rgb = await sr.data();
  seconds += (performance.now() - began) / 1000;
  megapixels += (rows * columns) / 1e6;
  sr.dispose();
  const png = new PNG({ width: columns, height: rows });
  for (let i = 0; i < rows * columns; i += 1) {
    png.data.set([rgb[3 * i], rgb[3 * i + 1], rgb[3 * i + 2], 255], 4 * i);
  }
  fs.writeFileSync(path.join(to, file), PNG.sync.write(png));
  console.log(file);
}
const peak = process.resourceUsage().maxRSS / 1024;
console.log(`${(megapixels / seconds).toFixed(4)} SR megapixels/s, peak ${peak.toFixed(0)} MiB`);
