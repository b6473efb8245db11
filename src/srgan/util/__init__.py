"""What every other package may use: atomic files, a journal, threads, versions, bundled files.

Imports nothing of srgan, and knows nothing of pictures.
"""
