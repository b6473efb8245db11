"""A super-resolution model in an ONNX file: an array in, an array out.

`loading.load` opens one, by the name or path that `catalogue` knows. `model.Model` runs it, cut
into tiles by `tiling`, on one of the `engines`. `external` adapts files of other projects. Knows
nothing of picture files, of scores, or of Keras.
"""
