"""A large picture in work: its strips, each of which is cut, upscaled by some worker, and joined.

Strips go from process to process by Ray's object store, and none through this one.
"""

from collections import deque
from dataclasses import dataclass
from typing import Any

import ray
from ray.exceptions import RayActorError, RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from srgan.cluster.joiner import Joiner
from srgan.cluster.sources import Item
from srgan.cluster.worker import Task
from srgan.upscaling.choice import Choice


@dataclass(eq=False)
class Piece:
    """A strip of a large picture.

    Attributes:
        large: The picture.
        number: Of the strip, from the top.
        strip: The promise of its pixels.
        choice: The picture's model.
        upscaled: The promise of what becomes of it, once a worker has it.
    """

    large: "Large"
    number: int
    strip: Any
    choice: Choice
    upscaled: Any = None

    @property
    def item(self) -> Item:
        return self.large.item

    @property
    def key(self) -> bytes:
        return self.item.key + self.number.to_bytes(8)


class Large:
    """A large picture, which a process of its own cuts and joins.

    Args:
        item: The picture.
        task: That of the batch.
        node: Of Ray, where the process runs; it has the packages that workers need.

    Attributes:
        item: The picture.
        node: Where the process runs.
        row: The promise of the picture's row.
        count: How many strips there are, once that is known.
        joined: How many of them are written.
    """

    def __init__(self, item: Item, task: Task, node: str) -> None:
        self.item, self.node = item, node
        # It waits for strips most of the time, so that it takes no worker's place.
        self._joiner: Any = (
            ray.remote(Joiner)
            .options(
                num_cpus=0,
                max_concurrency=Joiner.CALLS,
                max_restarts=0,
                scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False),
            )
            .remote(task)
        )
        self.row = self._joiner.upscale.remote(item, True)
        self._cutting: dict[Any, Any] = {}  # promises of strips, by those of what is told of them
        self._adding: dict[Any, int] = {}  # numbers of strips, by the promises of their end
        self._waiting: deque[Piece] = deque()
        self._made: dict[int, Piece] = {}  # by number: upscaled, and not joined
        self._cut = self.joined = self.count = 0
        self._is_cut = self._is_ended = False

    @property
    def pending(self) -> list[Any]:
        """The promises that are waited for."""
        return [self.row, *self._cutting, *self._adding]

    def go_on(self, most: int) -> None:
        """Has the next strip cut and the next result joined, if it is time.

        Args:
            most: So many strips are in memory, of all machines together.
        """
        if not self._is_cut and not self._cutting and self._cut - self.joined < most:
            told, strip = self._joiner.cut.options(num_returns=2).remote()
            self._cutting[told] = strip
        if self._adding or self._is_ended:
            return
        if self.joined in self._made:
            self._adding[self._joiner.add.remote(self._made[self.joined].upscaled)] = self.joined
        elif self._is_cut and self.joined == self._cut:
            self._is_ended = True
            self._joiner.add.remote(None)

    def take(self, promise: Any) -> None:
        """Takes what was cut or joined.

        Raises:
            RayTaskError: If that failed for another reason than the picture, whose row says it.
        """
        strip, number = self._cutting.pop(promise, None), self._adding.pop(promise, None)
        try:
            told: Any = ray.get(promise)
        except (RayActorError, RayTaskError) as error:
            if isinstance(error, RayTaskError):
                raise
            return  # the row says so
        except RayError:  # the result was lost with its machine
            if number is not None:
                self._waiting.append(self._made.pop(number))
            return
        if number is not None:
            del self._made[number]
            self.joined += 1
        elif told is None:
            self._is_cut = True
        else:
            choice, self.count = told
            self._waiting.append(Piece(self, self._cut, strip, choice))
            self._cut += 1

    def next(self) -> Piece | None:
        """Returns a strip that is to be upscaled, if there is one."""
        return self._waiting.popleft() if self._waiting else None

    def put_back(self, piece: Piece) -> None:
        """Has a strip upscaled by another worker."""
        self._waiting.appendleft(piece)

    def made(self, piece: Piece) -> None:
        """Notes that a strip is upscaled."""
        self._made[piece.number] = piece

    def end(self) -> None:
        ray.kill(self._joiner)
