"""Which picture ends workers: it is tried again, alone with a worker, before it is to blame."""

from collections import deque

from ray.exceptions import RayError

from srgan.cluster.crew import Work
from srgan.cluster.sources import Item

_TRIES = 2  # of a picture or strip that is alone with its worker, which dies


class Blame:
    """What was in the hands of workers that ended.

    Attributes:
        suspects: What is to be tried again, each alone with a worker.
    """

    def __init__(self) -> None:
        self.suspects: deque[Work] = deque()
        self._deaths: dict[bytes, int] = {}  # of workers that were alone with it

    def was_begun(self, work: Work) -> bool:
        """Whether somebody had it before, so that its result may be there."""
        return work.key in self._deaths

    def begun(self, work: Work) -> None:
        """Notes that somebody had it, and is not to blame it."""
        self._deaths.setdefault(work.key, 0)

    def suspect(self, work: Work) -> None:
        """Has it tried again, alone with a worker."""
        self.begun(work)
        self.suspects.append(work)

    def verdict(self, work: Work, error: RayError, was_alone: bool) -> str | None:
        """Returns why it is to be tried no more, or None if it is.

        Of two, nobody knows which one it was, and a worker may be killed from outside: only who was
        alone with its worker counts, and not once.

        Args:
            work: What was in the hands of who died.
            error: What Ray says of that.
            was_alone: Whether it had nothing else.
        """
        deaths = self._deaths[work.key] = self._deaths.get(work.key, 0) + was_alone
        if deaths < _TRIES:
            return None
        cause = str(error).strip().splitlines()[0].rstrip(".")
        return f"It was alone with its worker when that ended, {deaths} times: {cause}."

    def forget_strips(self) -> None:
        """Leaves out the strips of a picture on which work has ended."""
        self.suspects = deque(work for work in self.suspects if isinstance(work, Item))
