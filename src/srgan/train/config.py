"""What defines a training run. Everything else is a fact of the code.

A key that is misspelt, or a value out of range, is an error. The defaults are those of the recipe
residual-x4. `config_file` reads it from a TOML file.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    model_validator,
)

from srgan.numeric.projection import MAX_ROUNDS

Steps = Annotated[int, Field(ge=0)]
Rounds = Annotated[int, Field(ge=0, le=MAX_ROUNDS)]
Candidates = Annotated[int, Field(ge=1, le=16)]
Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]
Weight = Annotated[float, Field(ge=0)]
Decay = Annotated[float, Field(ge=0, lt=1)]
Share = Annotated[float, Field(ge=0, le=1)]


def _check_order(limits: tuple[float, float]) -> tuple[float, float]:
    if limits[0] > limits[1]:
        raise ValueError(f"expected the lower limit first, not {list(limits)}")
    return limits


Ordered = AfterValidator(_check_order)
Sigma = Annotated[float, Field(ge=0, le=16)]
Sigmas = Annotated[tuple[Sigma, Sigma], Ordered]
Level = Annotated[float, Field(ge=0, le=255)]
Levels = Annotated[tuple[Level, Level], Ordered]
Factor = Annotated[float, Field(ge=0.1, le=4)]
Factors = Annotated[tuple[Factor, Factor], Ordered]
Quality = Annotated[float, Field(ge=1, le=100)]
Qualities = Annotated[tuple[Quality, Quality], Ordered]

TEACHER_MARGIN = 8
"""lr pixels at each edge of a teacher's crop that are not used: it does not see beyond the edge."""


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Residual(_Settings):
    """A small residual network, computed nearly wholly at lr size: `generators.residual`."""

    architecture: Literal["residual"] = "residual"
    filters: Count = 64
    blocks: Count = 16
    hr_filters: Steps = 16  # channels at hr size, or 0


class SrResNet(_Settings):
    """The generator of the SRGAN paper: `generators.srresnet`."""

    architecture: Literal["srresnet"] = "srresnet"
    filters: Count = 64
    blocks: Count = 16
    normalisation: bool = False  # BatchNorm
    activation: Literal["prelu", "relu", "leaky_relu"] = "prelu"


class RrdbNet(_Settings):
    """The generator of the ESRGAN paper, which has 23 blocks: `generators.rrdbnet`."""

    architecture: Literal["rrdbnet"] = "rrdbnet"
    filters: Count = 64
    blocks: Count = 16
    growth: Count = 32  # channels that a convolution of a dense block adds


class SrVggNet(_Settings):
    """SRVGGNetCompact of Real-ESRGAN, which the field calls Compact: `efficient.srvggnet`."""

    architecture: Literal["srvggnet"] = "srvggnet"
    filters: Count = 64
    blocks: Count = 16


class Span(_Settings):
    """SPAN, of six blocks: `efficient.span`."""

    architecture: Literal["span"] = "span"
    filters: Count = 48
    centred: bool = True  # lr is first brought to 255 (lr - mean)


def _architecture(value: Any) -> Any:
    """Which generator a table describes; "residual" if it does not say."""
    if isinstance(value, dict):
        return value.get("architecture", "residual")
    return getattr(value, "architecture", None)


Generator = Annotated[
    Annotated[Residual, Tag("residual")]
    | Annotated[SrResNet, Tag("srresnet")]
    | Annotated[RrdbNet, Tag("rrdbnet")]
    | Annotated[SrVggNet, Tag("srvggnet")]
    | Annotated[Span, Tag("span")],
    Discriminator(_architecture),
]
"""The network: a field that the chosen architecture does not have is an error."""


class Degradation(_Settings):
    """What degrades the LR images of the photos, as it degrades photos; see `degradations.py`.

    Each version draws its own, evenly from these ranges.
    """

    versions: Steps = 0  # of each photo; with 0 there is one, which is scaled down and no more
    clean: Share = 0.1  # of the versions, likewise
    blur: Sigmas = (0.0, 0.7)  # in lr pixels, before they are scaled down
    noise: Levels = (0.0, 8.0)  # standard deviation, in grey levels of 0..255
    quality: Qualities = (30, 95)  # of JPEG
    order: Literal[1, 2] = 1  # passes: 2 is Real-ESRGAN's chain, whose keys follow
    resize: Factors = (0.5, 1.5)  # of each pass: of the photo's size, then of that of lr
    ringing: Share = 0.5  # of the versions end with a sinc filter
    screens: Share = 0.1  # of the versions are screen captures: no noise or JPEG in pass two

    @model_validator(mode="after")
    def _is_used(self) -> Self:
        for name in ("resize", "ringing", "screens"):
            if self.order == 1 and getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(f"{name} has no effect with order = 1; set order to 2.")
        return self


class Teacher(_Settings):
    """A model that teaches beside the photos; see `teaching.py`.

    It makes pictures of some crops of the LR images. In each batch, the share `pixel` of the crops
    is compared with these pictures by pixel and chroma losses, and the others with the photo;
    likewise for the other losses. Shares are rounded to whole crops.
    """

    model: str = ""  # name of a shipped one, or path of an ONNX file; "" trains without
    crops: Count = 200  # that it makes pictures of, once
    side: Annotated[int, Field(ge=32)] = 128  # of these crops, in lr pixels; 16 of them are margin
    crop_candidates: Candidates = 3  # for each of these crops, as in the stages
    pixel: Share = 1.0  # of the crops of a batch, in both stages
    perceptual: Share = 0.0
    adversarial: Share = 0.5  # of what the discriminator is to take for real

    def taught(self, share: float, batch_size: int) -> int:
        """Returns how many crops of a batch a share is."""
        return int(share * batch_size + 0.5) if self.model else 0


class Schedule(_Settings):
    """How long, on how much, and how fast a stage learns."""

    steps: Steps
    batch_size: Count
    hr_patch: Count = 128  # pixels; the lr patch is hr_patch / scale
    crop_candidates: Candidates = 1  # for each crop that is used, the most detailed of them
    learning_rate: Positive  # the peak of a cosine that ends at zero
    warmup: Steps  # steps of linear rise to the peak
    clip_norm: Positive  # of all gradients together
    ema: Decay = 0.999  # decay a step of the averaged weights, which are what is kept
    optimizer: Literal["adam", "muon"] = "muon"


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
    adversarial: Literal["vanilla", "relativistic"] = "vanilla"
    ramp: Steps = 200  # steps over which adversarial_weight rises from zero

    vgg: Literal["vgg16", "vgg19"] = "vgg16"
    taps: dict[str, Weight] = {
        "conv2_2": 2.0,
        "conv3_3": 4.0,
        "conv4_3": 0.6,
        "conv5_3": 0.3,
    }
    before_activation: bool = False
    feature_scale: Positive = 1 / 128  # brings VGG's features to the size of pixels
    feature_distance: Literal["l1", "mse", "normalised"] = "normalised"

    discriminator_head: Literal["pooled", "dense", "features"] = "features"
    discriminator_filters: Count = 64
    discriminator_learning_rate: Positive = 4e-4
    discriminator_steps: Steps = 120  # that the discriminator learns alone, first
    generator_every: Count = 1  # updates of the discriminator for one of the generator

    @property
    def total_steps(self) -> int:
        """Steps of the discriminator, those that it learns alone included."""
        return self.discriminator_steps + self.steps * self.generator_every

    @property
    def looks_through_vgg(self) -> bool:
        """Whether the loss or the discriminator needs VGG's features."""
        return bool(self.perceptual_weight) or self.discriminator_head == "features"


class Config(_Settings):
    """One training run; `recipes.py` holds the named ones."""

    scale: Literal[2, 3, 4, 8] = 4
    seed: Annotated[int, Field(ge=0)] = 0
    precision: Literal["auto", "float32", "bfloat16"] = "auto"  # auto: what the machine is fast at
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
        _check_in_use(self.adversarial)
        _check_teacher(self)
        return self


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
