"""Picture files to arrays and back, with care for hostile files.

`formats` is the list of file formats, what each can hold, and how a file is opened. `images` reads
whole files to RGB arrays; `stream` reads and writes rows, for pictures larger than memory, with
their `metadata`. `find` and `pairing` look for files in folders. Knows nothing of models.
"""
