"""What Prometheus reads."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.openmetrics.exposition import generate_latest

from srgan.server.queue import Queue

_SECONDS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300)

CONTENT_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"


class Metrics:
    """Counts what a service does; memory and processor time come from the system.

    Args:
        queue: Whose length is told.
    """

    def __init__(self, queue: Queue) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._requests = Counter(
            "srgan_requests",
            "Requests that were answered.",
            ("method", "path", "code", "model"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "srgan_request_seconds",
            "Time from the headers of a request to the last byte of its answer.",
            ("path",),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._megapixels = Counter(
            "srgan_megapixels", "That models have made.", ("model",), registry=self._registry
        )
        for name, help, value in (
            ("working", "Pictures that are worked on.", lambda: queue.working),
            ("waiting", "Pictures that wait for their turn.", lambda: len(queue) - queue.working),
        ):
            gauge = Gauge(f"srgan_{name}", help, registry=self._registry)
            gauge.set_function(value)

    def count_request(self, method: str, path: str, code: int, model: str, seconds: float) -> None:
        """Counts an answer.

        Args:
            method: Of the request.
            path: As the description has it: `/v1/jobs/{job}`; what a client may choose would make
                ever more counters.
            code: HTTP status.
            model: That made the answer, or "".
            seconds: That it took.
        """
        self._requests.labels(method, path, str(code), model).inc()
        self._seconds.labels(path).observe(seconds)

    def count_pixels(self, model: str, pixels: int) -> None:
        """Counts what a model has made."""
        self._megapixels.labels(model).inc(pixels / 1e6)

    def text(self) -> bytes:
        """Returns all of it, as OpenMetrics."""
        return generate_latest(self._registry)
