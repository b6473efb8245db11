export * from "./ort.wasm.min.mjs";
