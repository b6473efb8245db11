"""What `srgan upscale` says of results, and of what it left out."""

from typing import TYPE_CHECKING

import typer

from srgan.cli import messages

if TYPE_CHECKING:
    from srgan.upscaling.batch import BatchPlan, FileResult

_NAMED = 5  # of files that are left out, so many are named; --json has all


def line(result: "FileResult") -> dict[str, object]:
    """What became of one photo, for machines."""
    said: dict[str, object] = {"input": str(result.source), "seconds": round(result.seconds, 3)}
    if result.error:
        return said | {"error": messages.explain(result.error)}
    notes = {"notes": result.notes} if result.notes else {}
    return said | {"output": str(result.destination)} | notes


def left_out(plan: "BatchPlan") -> dict[str, list[str]]:
    """The files in folders that were left out, for machines."""
    kinds = {"others": plan.others, "earlier_results": plan.earlier}
    return {name: [str(path) for path in paths] for name, paths in kinds.items() if paths}


def finish(plan: "BatchPlan", as_json: bool, failed: bool) -> None:
    """Names what was left out of folders; exit code 1 if it should have been read, or failed."""
    for paths, why in (
        (plan.others, "not read, by the suffix"),
        (plan.earlier, "left out, as results of earlier runs"),
    ):
        if paths and not as_json:
            names = ", ".join(str(path) for path in paths[:_NAMED])
            more = f" and {len(paths) - _NAMED} more" if paths[_NAMED:] else ""
            messages.notice(f"{messages.counted(len(paths), 'file')} {why}: {names}{more}.")
    for error in plan.unreadable:
        messages.fail(f"left out: {messages.explain(error)}")
    if failed or plan.unreadable:
        raise typer.Exit(1)
