"""What `srgan upscale` would do, and what it would need."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from srgan.cli import messages, results

if TYPE_CHECKING:
    from srgan.upscaling.batch import BatchPlan
    from srgan.upscaling.choice import Models
    from srgan.upscaling.options import UpscaleOptions


def show(
    sources: Mapping[Path, Path | bytes],
    plan: "BatchPlan",
    models: "Models",
    options: "UpscaleOptions",
    as_json: bool,
) -> bool:
    """Prints tiles, memory and time of every photo; returns whether all can be upscaled.

    Args:
        sources: By the files that they become; bytes are what came from stdin.
        plan: That of a folder, which says what is there already.
        models: What upscales.
        options: What is asked of each result.
        as_json: A line of JSON for each photo.

    Raises:
        ValueError, OSError: If the only photo cannot be upscaled.
    """
    from srgan.upscaling import pipeline

    speed = cache(pipeline.speed)
    total, failed, skipped = 0.0, 0, len(plan.skipped)
    for destination, source in sources.items():
        name = "stdin" if isinstance(source, bytes) else str(source)
        try:
            job = pipeline.prepare(source, destination, models, options, workers=plan.workers)
        except (ValueError, OSError) as error:
            if len(sources) + skipped == 1:
                raise
            failed += 1
            if as_json:
                print(json.dumps({"input": name, "error": messages.explain(error)}))
            messages.fail(messages.about(name, error))
            continue
        seconds = job.work * (2 if job.picture.channels in (2, 4) else 1) / speed(job.model)
        total += seconds
        if as_json:
            files = {"input": name, "output": str(destination)}
            files |= {"model": job.choice.model, "why": job.choice.reason}
            result = {"width": job.width, "height": job.height, "frames": job.frames}
            needs = {"bytes": job.memory, "seconds": round(seconds, 1), "tiles": job.tiles}
            notes = {"notes": job.notes} if job.notes else {}
            print(json.dumps(files | result | needs | notes))
        else:
            frames = f" x {job.frames} frames" if job.frames > 1 else ""
            print(
                f"{name} {job.picture.width}x{job.picture.height} -> {destination} {job.width}x"
                f"{job.height}{frames}: {job.choice.model}, {messages.counted(job.tiles, 'tile')}, "
                f"about {_time(seconds)}, {job.memory / 2**20:,.0f} MiB"
            )
            messages.note(name, job.notes)
    if as_json and (left_out := results.left_out(plan)):
        print(json.dumps(left_out))
    elif not as_json:
        count = messages.counted(len(sources), "photo")
        print(f"{count}, {skipped} there already: {_time(total)}")
    if failed:
        messages.fail(f"{failed} of {messages.counted(len(sources), 'photo')} cannot be upscaled.")
    return not failed


def _time(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02} min" if minutes >= 60 else f"{minutes} min"
