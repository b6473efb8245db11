"""Models of other projects become ONNX files: weights of PyTorch, safetensors, and ncnn networks.

`deliver.convert` does it. PyTorch runs in a process of its own (`torch_worker`), which ends before
the file is put in place; networks of ncnn are read here (`ncnn`, `ncnn_graph`), and need neither.
"""
