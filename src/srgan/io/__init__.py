"""Picture files to arrays and back, with care for hostile files.

`kinds` names the file formats; `formats` says what each can hold, and writes them. A file is looked
at (`looking`, and by format `contents`), then opened (`opening`, by libvips, or by `pillow`), and
its colours are understood (`samples`, `profiles`). `images` reads whole files to RGB arrays;
`stream` reads and writes rows, for pictures larger than memory, with their `metadata` and `xmp`.
`find` and `pairing` look for files in folders. Knows nothing of models.
"""
