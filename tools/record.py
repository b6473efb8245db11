"""Records what a benchmark found in benchmarks/results, from where the documents take it.

    python tools/record.py engines -- python benchmarks/engines.py --model srgan-psnr-x4
    python tools/record.py scores-x4 --evaluation evaluation/evaluation.json
    python tools/tables.py

The first line runs the command, shows what it prints, and keeps the cells of its table, with the
command, the machine and the commit. The second keeps the means of an `srgan evaluate`.
"""

import argparse
import json
import os
import platform
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tables


def take_evaluation(results: dict[str, Any], measured: Mapping[str, Any]) -> None:
    """Puts the means of an evaluation into results, where they replace those of the same models.

    Raises:
        ValueError: If the protocols differ.
    """
    if measured["protocol"] != results["protocol"]:
        raise ValueError(f"{measured['protocol']} is not the protocol {results['protocol']}.")
    for dataset, summary in measured["summaries"].items():
        for method, means in summary["means"].items():
            kept = {
                key: round(means[key], digits)
                for key, (_, digits, _) in tables.MEASURES.items()
                if isinstance(means.get(key), float)
            }
            results["methods"].setdefault(method, {})[dataset] = kept


def take_output(results: dict[str, Any], output: str) -> None:
    """Puts the first table that a command printed into results, in place of what they had.

    Raises:
        ValueError: If there is no table with as many columns.
    """
    lines = [_cells(line) for line in output.splitlines() if re.fullmatch(r"\|.*\|", line.strip())]
    ruled = [index for index, line in enumerate(lines) if all(re.fullmatch("-+", c) for c in line)]
    heads = lines[ruled[0] - 1] if ruled else []
    first = ruled[0] + 1 if ruled else 0
    rows = lines[first : ruled[1] - 1 if len(ruled) > 1 else None]
    columns = [column["key"] for column in results.get("columns", [])]
    least = len(columns) if columns else 3
    if not rows or any(len(row) < least for row in rows):
        raise ValueError(f"The command printed no table of at least {least} columns.")
    if "methods" in results:
        (dataset,) = {name for sets in results["methods"].values() for name in sets}
        results["methods"] = {
            name.replace("`", ""): {dataset: {"psnr": float(psnr), "lpips": float(lpips)}}
            for name, psnr, lpips in rows
        }
        return
    results["rows"] = [
        dict(zip(columns, map(_value, row), strict=False))
        | {
            head.split()[0]: dict(
                zip(("psnr", "lpips"), map(float, cell.split(" / ")), strict=True)
            )
            for head, cell in zip(heads[len(columns) :], row[len(columns) :], strict=False)
        }
        for row in rows
    ]


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def _value(cell: str) -> Any:
    """Returns a number, a median with its range as a list, or the text of a cell."""
    number = r"[-+]?[\d,]*\.?\d+(?:e[+-]?\d+)?"
    found = re.fullmatch(rf"({number})(?: \(({number})-({number})\))?(?: %)?", cell)
    if not found:
        return cell or None
    values = [float(part.replace(",", "")) for part in found.groups() if part]
    values = [int(value) if value.is_integer() else value for value in values]
    return values if len(values) > 1 else values[0]


def _machine() -> str:
    name = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text("utf-8"))
        name = found[1] if found else name
    return f"{os.cpu_count()} cores, {name}, {platform.system()}"


def _commit() -> str:
    def git(*words: str) -> str:
        return subprocess.check_output(["git", *words], cwd=tables.ROOT, text=True).strip()

    changed = git("status", "--porcelain", "--untracked-files=no")
    return git("rev-parse", "--short", "HEAD") + (", with changes" if changed else "")


def _run(command: Sequence[str]) -> str:
    lines = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout or ():
            print(line, end="", flush=True)
            lines.append(line)
    if process.returncode:
        raise SystemExit(process.returncode)
    return "".join(lines)


def main() -> None:
    """Runs the command line."""
    words = sys.argv[1:]
    command = words[words.index("--") + 1 :] if "--" in words else []
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("name", help="of a file in benchmarks/results")
    parser.add_argument("--evaluation", type=Path, help="evaluation.json of `srgan evaluate`")
    arguments = parser.parse_args(words[: words.index("--")] if command else words)
    results = tables.load(arguments.name)
    if arguments.evaluation:
        take_evaluation(results, json.loads(arguments.evaluation.read_text(encoding="utf-8")))
    elif command:
        take_output(results, _run(command))
        results["command"] = shlex.join(command)
    else:
        parser.error("name an evaluation, or a command after --")
    results |= {"machine": _machine(), "commit": _commit()}
    tables.write(arguments.name, results)


if __name__ == "__main__":
    main()
