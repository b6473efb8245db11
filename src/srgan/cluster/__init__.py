"""Many pictures on many machines: what `srgan batch` does, on Ray.

`places` are files and folders on any file system, `local` those of this machine, `patience` is for
stores that refuse to be read, `sources` finds pictures, and `lease` keeps a destination to one
batch. `rows` are what a manifest says of a picture, and `manifest` keeps them; `owners` knows which
picture each result is of, and `todo` what is left. `worker` makes one picture on whatever
machine, where there is `room` to write, `crew` has all workers, and `shards` packs results. `batch`
hands out the work, `large` that on one large picture, and `blame` knows who ends workers. Ray runs
the processes; nothing of a picture goes through it, but for strips.
"""
