"""What workers that train one network have in common, and how a batch is shared out."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from srgan.networks import workers
from srgan.train import config, preflight, record


def agree_on(
    settings: config.Config,
    computed_in: str,
    networks: preflight.Networks,
    described: Mapping[str, str],
) -> None:
    """Compares what has to be equal in all workers, before the photos are read.

    Raises:
        ValueError: If it is not, or batches cannot be shared out equally.
    """
    check_shares(settings, workers.count())
    workers.agree(
        versions=record.installed(),
        precision=computed_in,
        configuration=settings.model_dump(mode="json"),
        vgg_weights=networks.vgg.sha256[:16] if networks.vgg else "",
        own=described,
    )


def check_shares(settings: config.Config, count: int) -> None:
    """Raises if batches cannot be shared out equally.

    Raises:
        ValueError: If not, with what can.
    """
    for name, stage in (("pretrain", settings.pretrain), ("adversarial", settings.adversarial)):
        if not stage.steps:
            continue
        if stage.batch_size % count:
            raise ValueError(
                f"{name}.batch_size={stage.batch_size} cannot be shared by {count} workers; "
                f"expected a multiple, as {max(stage.batch_size // count, 1) * count}."
            )
        for share in ("pixel", "perceptual", "adversarial"):
            taught = settings.teacher.taught(getattr(settings.teacher, share), stage.batch_size)
            if taught % count:
                raise ValueError(
                    f"The {taught} crops of a batch of {name} that teacher.{share} asks for cannot "
                    f"be shared by {count} workers; expected a multiple."
                )


@contextmanager
def in_turn() -> Iterator[None]:
    """Lets the first worker go through a block before all others do."""
    if not workers.leads():
        workers.agree()
    yield
    if workers.leads():
        workers.agree()
