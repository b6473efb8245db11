"""What the paths of a service share, and its life."""

import asyncio
import contextlib
import logging
import re
from collections.abc import AsyncIterator
from pathlib import Path

from fastapi import FastAPI

from srgan.server.catalogue import Catalogue
from srgan.server.jobs import Jobs, opened
from srgan.server.metrics import Metrics
from srgan.server.queue import Queue, Ticket
from srgan.server.requests import JobRequest, Limits
from srgan.server.store import Job, Store
from srgan.server.transfer import Result, Uploads
from srgan.server.work import Worker
from srgan.server.workspace import claimed, workspace

_log = logging.getLogger(__name__)


class Service:
    """A service, while it lives.

    Args:
        catalogue: The models.
        limits: What requests may cost.
        state: The folder where jobs survive; None if they need not.

    Attributes:
        folder: For results that are on their way.
        is_warm: Whether each model has run once.
        is_ending: Whether nothing new should come.
        jobs: Those that outlive their requests.

    Raises:
        OSError: If there is no way to make the folder.
        ValueError: If the jobs there cannot be read, or another service has them.
    """

    def __init__(self, catalogue: Catalogue, limits: Limits, state: Path | None) -> None:
        places = limits.concurrency + limits.queue_size
        self.catalogue, self.limits, self._state = catalogue, limits, state
        self._held = contextlib.ExitStack()  # until it ends
        if state:
            self._held.enter_context(claimed(state))
        self._store = Store(state / "jobs.sqlite" if state else None)
        self.queue = Queue(limits.concurrency, limits.queue_size, limits.seconds)
        self.metrics = Metrics(self.queue)
        self.uploads = Uploads(2 * places, limits.megabytes, limits.body_timeout)
        self.worker = Worker(catalogue, limits, self.metrics.count_pixels)
        self.folder: Path
        self.jobs: Jobs
        self.is_warm = self.is_ending = False

    @contextlib.asynccontextmanager
    async def life(self, app: FastAPI) -> AsyncIterator[None]:
        """Has the service work in a block; raises an OSError if there is no room for its folder."""
        with self._held, workspace() as self.folder:
            home = self._state or self.folder
            self.jobs = Jobs(self._store, home / "jobs", self.queue, self._make, self.limits)
            warming = asyncio.create_task(self._warm())
            async with opened(self.jobs):
                yield
            await warming

    def end(self) -> None:
        """Takes note that the end has begun."""
        self.is_ending = True
        self.jobs.end()

    def give_up(self) -> None:
        """Ends what is worked on."""
        self.queue.give_up()
        self.uploads.give_up("The service is about to end; try again later.")

    def without_folders(self, text: str) -> str:
        """Returns a message with names in place of paths."""
        homes = "|".join(re.escape(str(home)) for home in (self.folder, self._state) if home)
        text = re.sub(rf"(?:{homes})[\\/](?:jobs[\\/])?\w+[\\/]", "", text)
        return self.catalogue.without_folders(text)

    async def _warm(self) -> None:
        try:
            await asyncio.to_thread(self.worker.warm)
        except Exception:  # whatever a model or an engine raises
            _log.exception("The models could not be made ready.")
        else:
            self.is_warm = True

    def _make(self, job: Job, data: bytes, folder: Path, ticket: Ticket) -> Result:
        do = self.worker.upscale if job.kind == "upscale" else self.worker.draw_map
        result = do(JobRequest(**job.asked), data, folder, ticket)
        ticket.finish()
        return result
