"""The workers of a batch on Ray: as many as the cluster has room for, and who has what in hand."""

import logging
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from srgan.cluster.large import Piece
from srgan.cluster.room import Unwritable, staying
from srgan.cluster.sources import Item
from srgan.cluster.worker import Task, Worker

AT_ONCE = 2  # calls to a worker: a picture is read or written while another one is enlarged
_STARTS = 3  # of workers, all of which die
_LOOK = 10.0  # seconds until it is seen that the cluster has grown
_WAITS = 30.0  # seconds without a worker until that is told
_FINISH = 3.0  # seconds for what workers have begun, before they are killed
_GATHER = 10.0  # seconds that the first worker waits for the others before there is work

_logger = logging.getLogger(__name__)

Work = Item | Piece


@dataclass
class Member:
    """A worker, and what is in its hands, by the promises of the results."""

    actor: Any
    node: str = ""  # of Ray, where it runs
    name: str = ""  # for people
    hands: dict[Any, list[Work]] = field(default_factory=dict)
    is_alone: bool = False  # with what is suspected of ending workers

    @property
    def has_strip(self) -> bool:
        return any(isinstance(works[0], Piece) for works in self.hands.values())


class Crew:
    """Starts workers and lets go of them.

    Args:
        start: Returns a new worker, and the promise of its start.
        cores: Of each.
        gpus: Of each, or its share of one.
        wanted: How many; None for as many as the cluster has cores and GPUs for.

    Attributes:
        members: Those that work.
        starting: Those that do not yet, by the promises of their start.
        owners: Who works for which promise.
    """

    def __init__(
        self,
        start: Callable[[], tuple[Any, Any]],
        cores: int,
        gpus: float = 0.0,
        wanted: int | None = None,
    ) -> None:
        self._start, self._wanted = start, wanted
        self._needs = {"CPU": cores, "GPU": gpus} if gpus else {"CPU": cores}
        self.members: list[Member] = []
        self.starting: dict[Any, Member] = {}
        self.owners: dict[Any, Member] = {}
        self._looked = -_LOOK
        self._waits_since: float | None = None  # without any worker
        self._failures = self._left_out = 0
        self._first: float | None = None  # when it was welcome
        self._has_begun = False
        self._reason: Exception | None = None  # why the last one was left out
        self._idle: list[Any] = []  # who are left out, and keep their places

    def staff(self) -> None:
        """Starts workers for what the cluster has, and in place of dead ones."""
        if time.monotonic() - self._looked < _LOOK:
            return
        self._looked = time.monotonic()
        wanted = self._wanted
        if wanted is None:
            found = ray.cluster_resources()
            counts = (int(found.get(name, 0) / need) for name, need in self._needs.items())
            wanted = max(min(counts), 1)
        while len(self.members) + len(self.starting) + self._left_out < wanted:
            actor, promise = self._start()
            self.starting[promise] = Member(actor)
        self._tell_of_waiting(wanted)
        if not self.members and not self.starting and self._reason:  # the cluster has shrunk
            raise self._reason

    def _tell_of_waiting(self, wanted: int) -> None:
        """Says why nothing happens where others have all of the cluster."""
        now = time.monotonic()
        self._waits_since = self._waits_since or now
        if self.members:
            self._waits_since = None
        elif now - self._waits_since > _WAITS:
            self._waits_since = now
            free, all_ = ray.available_resources(), ray.cluster_resources()
            _logger.warning(
                "No worker has started yet: %d wait for %s each, and %s are free. The batch begins "
                "when there are some.",
                wanted,
                " and ".join(
                    f"{need:g} {_thing(name, need)}" for name, need in self._needs.items()
                ),
                " and ".join(
                    f"{free.get(name, 0):g} of the cluster's {all_.get(name, 0):g} {name}s"
                    for name in self._needs
                ),
            )

    @property
    def is_ready(self) -> bool:
        """Whether there may be work: the first workers have started, or one has some time ago.

        So a machine with another version is seen before anything is done, and the batch refused.
        """
        if not self._has_begun and self._first is not None:
            self._has_begun = not self.starting or time.monotonic() - self._first > _GATHER
        return self._has_begun

    def welcome(self, promise: Any) -> None:
        """Has a worker that has started take part; who comes late and does not fit is left out.

        Raises:
            ValueError: If it has other versions, or no model, and nothing is done yet, or nobody
                is left.
            RuntimeError: If workers do not start.
        """
        member = self.starting.pop(promise)
        try:
            member.node, member.name = ray.get(promise)
        except RayTaskError as error:
            self._idle.append(member.actor)  # else the next one would start in its place
            if not self._has_begun:
                raise error.cause from None
            self._leave_out(error.cause, str(error.cause))
            return
        except RayError as error:
            self._failures += 1
            self._looked = -_LOOK
            if self._failures >= _STARTS:
                said = f"Workers do not start: {str(error).strip()}"
                reason = RuntimeError(f"{said} Is srgan[ray] installed on all machines?")
                self._leave_out(reason, said)
            return
        self._failures = 0
        self._first = self._first or time.monotonic()
        self.members.append(member)

    def hand(self, member: Member, works: list[Work], promise: Any) -> None:
        """Notes that a worker has something to do."""
        member.hands[promise], self.owners[promise] = works, member

    def works(self) -> list[Work]:
        """Returns all that is in somebody's hands."""
        hands = (works for member in self.members for works in member.hands.values())
        return [work for works in hands for work in works]

    def done(self, promise: Any) -> list[Work]:
        """Notes that it is done, and returns what it was."""
        member = self.owners.pop(promise)
        member.is_alone = False
        return member.hands.pop(promise)

    def bury(self, member: Member) -> list[Work]:
        """Lets go of a worker that is dead, and returns what was in its hands."""
        self._looked = -_LOOK
        return self._dismissed(member)

    def retire(self, member: Member, error: Unwritable) -> list[Work]:
        """Does without a worker that cannot write, and returns what was in its hands.

        Raises:
            OSError: The reason, if nobody is left.
        """
        _let_finish([member])
        lost = self._dismissed(member)
        said = f"{error.strerror}: {error.filename}" if error.filename else str(error)
        self._leave_out(
            staying(error, member.name),
            f"The worker {member.name} cannot write: {said.rstrip('.')}.",
        )
        return lost

    def end(self) -> None:
        _let_finish(self.members)
        for actor in (*(m.actor for m in (*self.members, *self.starting.values())), *self._idle):
            ray.kill(actor)

    def _leave_out(self, reason: Exception, said: str) -> None:
        """Does without a worker, and without another in its place."""
        self._left_out += 1
        self._reason = reason
        if not self.members and not self.starting:
            raise reason
        _logger.warning("%s It is left out; the others go on.", said)

    def _dismissed(self, member: Member) -> list[Work]:
        self.members.remove(member)
        for promise in member.hands:
            del self.owners[promise]
        ray.kill(member.actor)  # it may be only out of reach
        return [work for works in member.hands.values() for work in works]


def _let_finish(members: Iterable[Member]) -> None:
    """Lets workers write what they have begun, or remove it, before they are killed."""
    promises = [promise for member in members for promise in member.hands]
    if promises:
        with suppress(RayError):  # the cluster may be gone
            ray.wait(promises, num_returns=len(promises), timeout=_FINISH)


def _thing(name: str, count: float) -> str:
    """As people call what Ray calls CPU and GPU."""
    one = {"CPU": "core", "GPU": "GPU"}[name]
    return one + "s" * (count > 1) if count >= 1 else f"of a {one}"


def worker(task: Task) -> tuple[Any, Any]:
    """Starts a worker of Ray, and returns it and the promise of its start."""
    actor: Any = (
        ray.remote(Worker)
        .options(
            num_cpus=task.cores,
            num_gpus=task.gpus,
            max_concurrency=AT_ONCE,
            max_restarts=0,
        )
        .remote(task)
    )
    return actor, actor.start.remote()
