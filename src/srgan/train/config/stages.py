"""The two stages: how long, on what, and by which losses each learns."""

import math
from typing import Literal, Self

from pydantic import model_validator

from srgan.train.config.fields import (
    Candidates,
    Count,
    Decay,
    Positive,
    Settings,
    Share,
    Steps,
    Weight,
)

CHANCE = {
    "vanilla": 2 * math.log(2),
    "hinge": 2.0,
    "least_squares": 0.25,
    "relativistic": 2 * math.log(2),
    "relativistic_paired": math.log(2),
}
"""The loss of a discriminator that cannot tell, by the kind of the adversarial loss."""


def is_at_chance(kind: str, loss: float, accuracy: float) -> bool:
    """Whether a discriminator teaches nothing, by its mean loss and by how often it is right.

    Both, since one that is sure of what it gets wrong has a loss above that of chance, too.
    """
    return loss > 0.97 * CHANCE[kind] and not accuracy > 0.55


_TAPS = {"conv2_2": 2.0, "conv3_3": 4.0, "conv4_3": 0.6, "conv5_3": 0.3}


class Schedule(Settings):
    """How long, on how much, and how fast a stage learns."""

    steps: Steps
    batch_size: Count
    hr_patch: Count = 128  # pixels; the lr patch is hr_patch / scale
    crop_candidates: Candidates = 1  # for each crop that is used, the most detailed of them
    accumulate: Count = 1  # batches whose mean gradient makes one update
    learning_rate: Positive  # the peak
    warmup: Steps  # steps of linear rise to the peak
    schedule: Literal["cosine", "step"] = "cosine"  # after that: to zero, or down in steps
    decay_every: Steps = 0  # steps, with schedule = "step": at every so many
    milestones: tuple[Count, ...] = ()  # or at these
    decay_factor: Decay = 0.5  # of the learning rate
    clip_norm: Positive  # of all gradients together
    ema: Decay = 0.999  # decay a step of the averaged weights, which are what is kept
    optimizer: Literal["adam", "muon"] = "muon"
    mixup: Share = 0.0  # of the batches are blended with themselves in another order
    cutblur: Share = 0.0  # of the crops are degraded in, or but for, a rectangle alone

    @model_validator(mode="after")
    def _is_scheduled(self) -> Self:
        for name in ("decay_every", "milestones", "decay_factor"):
            is_default = getattr(self, name) == type(self).model_fields[name].default
            if self.schedule != "step" and not is_default:
                raise ValueError(f'{name} has no effect; set schedule to "step".')
        if self.schedule == "step" and bool(self.decay_every) == bool(self.milestones):
            raise ValueError('schedule = "step" needs decay_every, or milestones.')
        if [*self.milestones] != sorted({*self.milestones}):
            raise ValueError(f"milestones={[*self.milestones]} do not rise from one to the next.")
        if self.steps and self.milestones[-1:] >= (self.steps,):
            raise ValueError(
                f"milestones={[*self.milestones]} are not all before steps={self.steps}."
            )
        if self.steps % self.accumulate:
            raise ValueError(
                f"steps={self.steps} is no multiple of accumulate={self.accumulate}; try "
                f"{self.steps // self.accumulate * self.accumulate or self.accumulate}."
            )
        return self


class Pretrain(Schedule):
    """Stage one: the generator alone, towards the lowest pixel error."""

    steps: Steps = 33_000
    batch_size: Count = 12
    crop_candidates: Candidates = (
        3  # with which crops have as much to teach as photos of the usual test sets
    )
    learning_rate: Positive = 8e-4
    warmup: Steps = 200
    clip_norm: Positive = 0.5
    pixel: Literal["charbonnier", "l1", "mse"] = "charbonnier"


class Adversarial(Schedule):
    """Stage two: the generator, from its averaged weights, against a discriminator."""

    steps: Steps = 5_000
    batch_size: Count = 8
    hr_patch: Count = 112
    learning_rate: Positive = 2e-4
    warmup: Steps = 0
    clip_norm: Positive = 1.0
    optimizer: Literal["adam", "muon"] = "adam"

    window: Count = 96  # side of the hr window, at a random place, that the losses see
    pixel: Literal["charbonnier", "l1", "mse"] = "mse"  # which weighs ragged edges most
    pixel_weight: Weight = 225.0  # each shows in `gradient_norms.csv`
    chroma_weight: Weight = 10.0
    perceptual_weight: Weight = 1.0
    adversarial_weight: Weight = 3.0
    grid_weight: Weight = 4.0
    artifact_weight: Weight = 0.0  # LDL's, about 1
    frequency_weight: Weight = 0.0  # focal frequency loss, about 1
    adversarial: Literal[
        "vanilla", "hinge", "least_squares", "relativistic", "relativistic_paired"
    ] = "vanilla"
    ramp: Steps = 200  # steps over which adversarial_weight rises from zero

    vgg: Literal["vgg16", "vgg19"] = "vgg16"
    taps: dict[str, Weight] = _TAPS  # layers of VGG, each with its weight
    before_activation: bool = False
    feature_scale: Positive = 1 / 128  # brings VGG's features to the size of pixels
    feature_distance: Literal["l1", "mse", "normalised"] = "normalised"

    discriminator_head: Literal["pooled", "dense", "features", "unet"] = "features"
    discriminator_normalised: bool = True  # by batches; gradient penalties need it off
    discriminator_filters: Count = 64
    discriminator_learning_rate: Positive = 4e-4
    discriminator_steps: Steps = 120  # that the discriminator learns alone, first
    generator_every: Count = 1  # updates of the discriminator for one of the generator
    r1_weight: Weight = 0.0  # of the penalty of the discriminator's gradient, at hr
    r2_weight: Weight = 0.0  # likewise, at sr
    pause_above: Share = 1.0  # mean accuracy of a discriminator that waits; 1 lets it go on

    @model_validator(mode="after")
    def _can_be_penalised(self) -> Self:
        mixes = self.discriminator_head != "unet" and self.discriminator_normalised
        if (self.r1_weight or self.r2_weight) and mixes:
            raise ValueError(
                "r1_weight and r2_weight need a discriminator that does not mix the images of a "
                'batch; set discriminator_normalised to false, or discriminator_head to "unet".'
            )
        if self.discriminator_head == "unet" and self.window % 8:
            raise ValueError(
                f'discriminator_head = "unet" halves its images three times; window={self.window} '
                "is no multiple of 8."
            )
        return self

    @property
    def total_steps(self) -> int:
        """Steps of the discriminator, those that it learns alone included."""
        return self.discriminator_steps + self.steps * self.generator_every

    @property
    def looks_through_vgg(self) -> bool:
        """Whether the loss or the discriminator needs VGG's features."""
        return bool(self.perceptual_weight) or self.discriminator_head == "features"
