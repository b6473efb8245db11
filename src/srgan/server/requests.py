"""What may be asked of a service, what it tells of itself, and what it may cost."""

from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, create_model

from srgan.server.queue import State
from srgan.upscaling.options import UpscaleOptions

JOB = r"^[A-Za-z0-9_-]{1,64}$"


LARGEST_PREVIEW = 256
"""Side of what is enlarged for a preview, in pixels of the picture."""


class Limits(NamedTuple):
    """What requests may cost.

    Attributes:
        megabytes: Of the picture that is sent.
        megapixels: That the model makes of it, before they are scaled to the size asked for.
        frames: Of an animation, or pages of a document.
        seconds: Of the work, waiting for its turn included.
        concurrency: Pictures that are worked on; they share the processor's cores. While one is
            read or written, or waits for the interpreter, the others keep the cores busy.
        queue_size: Pictures that wait.
        tile: Side of the tiles, in pixels of the picture; by default as memory allows. What is
            given up ends after the tiles that run: smaller ones are sooner done, but overlap more.
        body_timeout: Seconds for which a client may send or read nothing.
        jobs: That wait; these have all the time that they need.
        quota: Gigabytes that jobs may take on the disk; the oldest results make room.
        keep: Seconds for which the result of a job is kept.
    """

    megabytes: float = 32.0
    megapixels: float = 64.0
    frames: int = 1000
    seconds: float = 300.0
    concurrency: int = 3
    queue_size: int = 16
    tile: int | None = None
    body_timeout: float = 30.0
    jobs: int = 1000
    quota: float = 10.0
    keep: float = 86400.0


DEFAULT_LIMITS = Limits()


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid")

    model: str = Field(
        default="", description="The name of a model; by default the first of /v1/models."
    )


class ErrorMapRequest(_Asked):
    """What is asked of an error map."""

    job: str = Field(
        default="", pattern=r"^$|" + JOB, description="Makes the request known at /v1/jobs/JOB."
    )


class _UpscaleRequest(_Asked):
    """What is asked of an enlargement; of several sizes, the smallest counts."""

    model: str = Field(
        default="",
        description="The name of a model; by default the first of /v1/models, or, where all "
        "shipped ones are served, the one that fits the picture, which the header Srgan-Model "
        "names.",
    )
    metadata: bool = Field(
        default=True,
        description="Now called strip_metadata, and inverted.",
        json_schema_extra={"deprecated": True},
    )


class _JobRequest(BaseModel):
    """What is asked of a job."""

    work: Literal["upscale", "error-map"] = Field(
        default="upscale", description="What is to be done; an error map takes the model alone."
    )


class PreviewRequest(ErrorMapRequest):
    """What is asked of a preview, of the middle of a picture alone."""

    model: str = Field(default="", description="As of an enlargement.")
    realism: float | None = Field(default=None, ge=0, le=1, description="As of an enlargement.")
    scale: float | None = Field(
        default=None,
        gt=0,
        le=1000,
        description="Of the enlargement that is previewed, where it decides which model is taken.",
    )
    side: int = Field(
        default=128,
        ge=1,
        le=16_384,
        description="Of the square in the middle of the picture, in its pixels; if it is to be "
        f"enlarged, at most {LARGEST_PREVIEW} count.",
    )
    enlarge: bool = Field(
        default=True, description="Otherwise, the square itself is sent, as browsers can show it."
    )


# Whoever runs the service sets these, not whoever asks: memory depends on them.
_SET_BY_SERVICE = ("tile", "overlap", "max_megapixels", "max_frames")
_ASKED = {name: f for name, f in UpscaleOptions.model_fields.items() if name not in _SET_BY_SERVICE}
if TYPE_CHECKING:

    class UpscaleRequest(_UpscaleRequest, ErrorMapRequest, UpscaleOptions):
        """What is asked of an enlargement."""

    class JobRequest(_JobRequest, _UpscaleRequest, UpscaleOptions):
        """What is asked of a job."""

else:
    _FIELDS = {name: (field.annotation, field) for name, field in _ASKED.items()}
    UpscaleRequest = create_model(
        "UpscaleRequest", __base__=(_UpscaleRequest, ErrorMapRequest), **_FIELDS
    )
    JobRequest = create_model("JobRequest", __base__=(_JobRequest, _UpscaleRequest), **_FIELDS)


class Health(BaseModel):
    """Whether the service is there."""

    status: str = Field(description="ok")
    jobs: int = Field(description="How many pictures it works on or has waiting.")


class JobStatus(BaseModel):
    """How far a job is, or a request that named itself."""

    id: str = Field(description="By which it is asked for.")
    state: State = Field(
        description="waiting, running, done, failed, cancelled or expired; of a request, ended."
    )
    done: float = Field(description="Share of the work, from 0 to 1.")
    seconds_left: float | None = Field(description="About; null if that is not known yet.")
    place: int | None = Field(description="How many of its kind are before it, while it waits.")
    created: datetime | None = Field(description="When it was accepted.")
    expires: datetime | None = Field(description="When its result is removed.")
    bytes: int | None = Field(description="Of the result.")
    model: str = Field(description="That made the result.")
    notes: str = Field(description="What is to be said of the result.")
    detail: str = Field(description="Why it failed.")


class Listing(BaseModel):
    """What is served."""

    models: list[dict[str, Any]] = Field(
        description="The default one first, each with its licence and scores."
    )
    auto: bool = Field(description="Whether a request without a model gets the one that fits.")
    reads: str = Field(description="The formats of pictures, for people.")
    formats: list[str] = Field(description="Of results.")
    limits: dict[str, float | None] = Field(description="What requests may cost.")


def options_of(asked: UpscaleRequest | JobRequest, limits: Limits) -> UpscaleOptions:
    """What a request asks for, within what the service sets."""
    values = {name: getattr(asked, name) for name in _ASKED}
    if asked.realism is not None:
        values["realism"] = round(asked.realism, 2)  # few points, so that models stay open
    if not asked.metadata:
        values["strip_metadata"] = True
    return UpscaleOptions.parse(
        **values,
        tile=limits.tile,
        max_megapixels=limits.megapixels,
        max_frames=limits.frames,
    )
