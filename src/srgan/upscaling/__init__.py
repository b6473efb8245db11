"""A picture file in, a picture file out: of any size, one or a folder of them.

`options` says what may be asked for, `pipeline` does it for one file, `batch` for many; `error_map`
draws its expected error. Knows nothing of Keras, of the command line, or of the service.
"""
