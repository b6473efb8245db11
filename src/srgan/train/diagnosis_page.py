"""The page of a diagnosis: what was found, and each column of the logs as a plot."""

import numpy as np

from srgan.quality.measures import MEASURES
from srgan.train import config, plots
from srgan.train.diagnose import Diagnosis, Logs

_LOGGED = {
    "pixel": "Term of the loss: how far the results are from HR, pixel by pixel.",
    "chroma": "Term of the loss: how far their colours are.",
    "perceptual": "Term of the loss: how far they are in the features of VGG.",
    "adversarial": "Term of the loss: how easily the discriminator tells them from HR.",
    "grid": "Term of the loss: the grid artifact of the upscaling.",
    "artifact": "Term of the loss: errors where the moving average makes fewer (LDL).",
    "frequency": "Term of the loss: how far their spectra are.",
    "penalty": "Of the discriminator's gradient: R1 and R2.",
    "discriminator": "Loss of the discriminator. The dashed line is chance.",
    "accuracy": "How often the discriminator is right. The dashed line is chance.",
    "gradient": "Norm of the gradient of the generator's loss, before it is clipped.",
    "learning_rate": "Of the generator.",
    "step_seconds": "Seconds of a step, waiting for its batch included.",
    "data_seconds": "Seconds in which a batch is made.",
    "colour_drift": "How far mean colours of the results are from those of HR; 1 is white.",
    "grid_energy": "The grid artifact of the results in training.",
}
_OWN = "Term of the loss, of your own."
_LOGITS = {"real": "HR (real)", "fake": "SR (fake)"}
_LOGITS_MEAN = "Of the discriminator. The higher HR's are above SR's, the better it tells them."
_NORMS_MEAN = (
    "Of each term of the loss, with its weight. One that is a hundredth of another's has no effect."
)


def verdict(found: Diagnosis) -> str:
    """Returns what is said of a run without findings."""
    if not found.tells:
        return "Too little is logged to tell."
    return "Nothing is wrong, as far as the logs tell."


def page(name: str, found: Diagnosis) -> str:
    """Returns the page as HTML, which needs no other file."""
    text = plots.text
    items = [
        f'<dt><a href="#{f.stage}/{f.column}">{text(f.stage)}: {text(f.name)}</a></dt>'
        f"<dd>{text(f.seen)}. {text(f.advice)}</dd>"
        for f in found.findings
    ]
    parts = [f"<dl>{''.join(items)}</dl>" if items else f"<p>{verdict(found)}</p>"]
    for logs in found.logs:
        marked = {f.column for f in found.findings if f.stage == logs.stage}
        for title, drawn in (
            (f"{logs.stage}: in training", _training(logs, marked)),
            (f"{logs.stage}: in validation", _validation(logs, marked)),
        ):
            if drawn:
                parts += [f"<h2>{text(title)}</h2>", drawn]
    return plots.page(name, parts)


def _training(logs: Logs, marked: set[str]) -> str:
    levels = {"accuracy": 0.5}
    if isinstance(logs.settings, config.Adversarial):
        levels["discriminator"] = config.CHANCE[logs.settings.adversarial]
    lines = _lines(logs.log)
    logits = {said: lines.pop(name) for name, said in _LOGITS.items() if name in lines}
    norms = _lines(logs.norms)
    return plots.group(
        [
            *(
                plots.plot(
                    name,
                    {name: line},
                    meaning=_LOGGED.get(name, _OWN),
                    level=levels.get(name),
                    anchor=f"{logs.stage}/log/{name}",
                    is_marked=f"log/{name}" in marked,
                )
                for name, line in lines.items()
            ),
            plots.plot("mean logits", logits, meaning=_LOGITS_MEAN, is_named=True),
            plots.plot(
                "gradient norms", norms, meaning=_NORMS_MEAN, logarithmic=True, is_named=True
            ),
        ]
    )


def _validation(logs: Logs, marked: set[str]) -> str:
    return plots.group(
        plots.plot(
            MEASURES[name].label if name in MEASURES else name,
            {name: line},
            meaning=plots.measured(name),
            anchor=f"{logs.stage}/validation/{name}",
            is_marked=f"validation/{name}" in marked,
        )
        for name, line in _lines(logs.validation).items()
    )


def _lines(columns: dict[str, np.ndarray]) -> dict[str, plots.Line]:
    steps = columns.get("step", np.array([]))
    return {name: plots.Line(steps, x) for name, x in columns.items() if name != "step"}
