// What the page uses of onnxruntime-web, for the checker; its files lie here once they are published.
export const env: { wasm: { numThreads: number } };
export class Tensor {
  constructor(type: "float32", data: Float32Array, dims: number[]);
  data: Float32Array;
}
export class InferenceSession {
  static create(model: Uint8Array, options: { executionProviders: string[] }): Promise<InferenceSession>;
  run(feeds: Record<string, Tensor>): Promise<Record<string, Tensor>>;
}
