"""From a Keras generator to files of other runtimes: ONNX, SavedModel, TFLite, OpenVINO.

`exporters` holds one function a format, `deliver` checks what they wrote and adds its papers.
Imports Keras.
"""
