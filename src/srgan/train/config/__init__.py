"""What defines a training run. Everything else is a fact of the code.

A key that is misspelt, or a value out of range, is an error. The defaults are those of the recipe
residual-x4. `config_file` reads it from a TOML file.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from srgan.train.config.data import TEACHER_MARGIN, Degradation, Teacher
from srgan.train.config.fields import Count, Rounds, Settings
from srgan.train.config.generators import (
    Generator,
    Residual,
    RrdbNet,
    Span,
    SrResNet,
    SrVggNet,
)
from srgan.train.config.stages import CHANCE, Adversarial, Pretrain, Schedule, is_at_chance

__all__ = [
    "CHANCE",
    "TEACHER_MARGIN",
    "Adversarial",
    "Config",
    "Degradation",
    "Generator",
    "Pretrain",
    "Residual",
    "RrdbNet",
    "Schedule",
    "Span",
    "SrResNet",
    "SrVggNet",
    "Teacher",
    "is_at_chance",
]


class Config(Settings):
    """One training run; `recipes.py` holds the named ones."""

    scale: Literal[2, 3, 4, 8] = 4
    seed: Annotated[int, Field(ge=0)] = 0
    # auto: what the machine is fast at
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    projection: Rounds = 4  # of the consistency projection; 0 for degraded photos
    validate_every: Count = 500  # steps
    degradation: Degradation = Degradation()
    teacher: Teacher = Teacher()
    generator: Generator = Residual()
    pretrain: Pretrain = Pretrain()
    adversarial: Adversarial = Adversarial()

    @model_validator(mode="after")
    def _fits(self) -> Self:
        for name, stage in (("pretrain", self.pretrain), ("adversarial", self.adversarial)):
            if stage.hr_patch % self.scale:
                raise ValueError(
                    f"{name}.hr_patch={stage.hr_patch} is not a multiple of scale={self.scale}; "
                    f"try {stage.hr_patch // self.scale * self.scale or self.scale}."
                )
            if stage.steps and stage.warmup >= stage.steps:
                raise ValueError(
                    f"{name}.warmup={stage.warmup} leaves nothing of {name}.steps={stage.steps}."
                )
        if self.degradation.versions and self.projection:
            raise ValueError(
                f"projection={self.projection} makes results reproduce lr, which "
                f"degradation.versions={self.degradation.versions} degrades; set projection to 0."
            )
        if not self.pretrain.steps and not self.adversarial.steps:
            raise ValueError("pretrain.steps and adversarial.steps are both 0: nothing to train.")
        if self.adversarial.window > self.adversarial.hr_patch:
            raise ValueError(
                f"adversarial.window={self.adversarial.window} is larger than "
                f"adversarial.hr_patch={self.adversarial.hr_patch}."
            )
        _check_mixing(self)
        _check_in_use(self.adversarial)
        _check_teacher(self)
        return self


def _check_mixing(settings: Config) -> None:
    """Raises if crops are mixed that cannot be, or to no effect."""
    for name, stage in (("pretrain", settings.pretrain), ("adversarial", settings.adversarial)):
        if stage.mixup and settings.teacher.model:
            raise ValueError(f"{name}.mixup blends crops that a teacher saw alone; set it to 0.")
        if stage.cutblur and not settings.degradation.versions:
            raise ValueError(
                f"{name}.cutblur has no effect on LR images that are not degraded; set "
                "degradation.versions, or leave it out."
            )


def _check_in_use(stage: Adversarial) -> None:
    """Raises if VGG is set up though neither the loss nor the discriminator looks through it."""
    if stage.looks_through_vgg:
        return
    fields = Adversarial.model_fields
    for name in ("vgg", "taps", "before_activation", "feature_scale", "feature_distance"):
        if getattr(stage, name) != fields[name].default:
            raise ValueError(
                f"adversarial.{name} has no effect: perceptual_weight is 0, and the discriminator "
                f"{stage.discriminator_head!r} has no features. Leave it out."
            )


def _check_teacher(settings: Config) -> None:
    """Raises if a teacher's crops are too small, or nobody learns from it."""
    teacher = settings.teacher
    if not teacher.model:
        for name, field in Teacher.model_fields.items():
            if getattr(teacher, name) != field.default:
                raise ValueError(
                    f"teacher.{name} has no effect without teacher.model; name the model, or "
                    "leave it out."
                )
        return
    usable = (teacher.side - 2 * TEACHER_MARGIN) * settings.scale
    taught = 0
    for name, stage in (("pretrain", settings.pretrain), ("adversarial", settings.adversarial)):
        if not stage.steps:
            continue
        if stage.hr_patch > usable:
            raise ValueError(
                f"{name}.hr_patch={stage.hr_patch} is larger than the {usable} pixels that "
                f"teacher.side={teacher.side} leaves; set that to "
                f"{stage.hr_patch // settings.scale + 2 * TEACHER_MARGIN} or more."
            )
        shares = [teacher.pixel]
        if name == "adversarial":
            shares += [teacher.perceptual, teacher.adversarial]
        taught += sum(teacher.taught(share, stage.batch_size) for share in shares)
    if not taught:
        raise ValueError(
            f"No crop of a batch learns from the teacher {teacher.model!r}: raise teacher.pixel, "
            "teacher.perceptual or teacher.adversarial, or leave the teacher out."
        )
