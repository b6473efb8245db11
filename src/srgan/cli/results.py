"""What `srgan upscale` says of results, and of what it left out."""

from collections import Counter
from collections.abc import Sequence
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
    model = {"model": result.choice.model, "why": result.choice.reason} if result.choice else {}
    return said | {"output": str(result.destination)} | model | notes


def tell(results: "Sequence[FileResult]") -> None:
    """What one should know of results, and which models were taken, if that was chosen here."""
    chosen = [result.choice for result in results if result.choice and result.choice.reason]
    if len(results) == 1 and chosen and not chosen[0].notes:
        messages.note(results[0].source, [chosen[0].sentence])
    for result in results:
        messages.note(result.source, result.notes)
    if len(results) > 1 and chosen:
        counts = Counter(choice.model for choice in chosen)
        models = (f"{messages.counted(n, 'photo')} by {name}" for name, n in counts.items())
        messages.notice(f"{', '.join(models)}.")


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
