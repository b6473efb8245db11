"""A picture file in, a picture file out: of any size, one or a folder of them.

`options` says what may be asked for. `pipeline` opens one file and makes a job of it (`jobs`);
`batch` does many, which `inputs` finds and names. `error_map` draws the expected error.
Knows nothing of Keras, of the command line, or of the service.
"""
