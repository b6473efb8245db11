"""Many pictures on many machines: what `srgan batch` does, on Ray.

`places` are files and folders on any file system, `sources` finds pictures in them, and `lease`
keeps a destination to one batch. `rows` are what a manifest says of a picture, and `manifest`
keeps them; `worker` makes one picture on whatever machine, where there is `room` to write,
`shards` packs results, and `batch` hands out the work. Ray runs the processes; nothing of a picture
goes through it.
"""
