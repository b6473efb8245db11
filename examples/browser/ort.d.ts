// What the example uses of onnxruntime-web, for the checker.
declare module "*/ort.wasm.min.mjs" {
  export class Tensor {
    constructor(type: "float32", data: Float32Array, dims: number[]);
    data: Float32Array;
    dims: number[];
  }
  export class InferenceSession {
    static create(model: string): Promise<InferenceSession>;
    run(feeds: Record<string, Tensor>): Promise<Record<string, Tensor>>;
  }
}
