"""The page of a diagnosis: what was found, and each column of the logs as a plot."""

import numpy as np

from srgan.train import plots
from srgan.train.diagnose import Diagnosis


def page(name: str, found: Diagnosis) -> str:
    """Returns the page as HTML, which needs no other file."""
    text = plots.text
    items = [
        f"<dt>{text(f.stage)}: {text(f.name)}</dt><dd>{text(f.seen)}. {text(f.advice)}</dd>"
        for f in found.findings
    ]
    parts = [f"<dl>{''.join(items)}</dl>" if items else "<p>Nothing is wrong.</p>"]
    for logs in found.logs:
        for title, columns in (("log", logs.log), ("validation", logs.validation)):
            parts.append(f"<h2>{text(logs.stage)}: {title}</h2>")
            steps = columns.get("step", np.array([]))
            parts += [
                plots.plot(key, {name: plots.Line(steps, values)})
                for key, values in columns.items()
                if key != "step"
            ]
    return plots.page(name, parts)
