"""The paths that tell how things are."""

from fastapi import FastAPI, HTTPException
from fastapi.responses import Response

from srgan.io import kinds
from srgan.server.errors import documented
from srgan.server.metrics import CONTENT_TYPE
from srgan.server.requests import Health, Listing
from srgan.server.service import Service
from srgan.upscaling.options import SUFFIXES


def add(app: FastAPI, service: Service) -> None:
    """Adds them."""

    @app.get("/health")
    @app.get("/livez")
    async def health() -> Health:
        """Whether the service is there, and how many pictures it works on or has waiting."""
        return Health(status="ok", jobs=len(service.queue))

    @app.get("/readyz", responses=documented(503))
    async def ready() -> Health:
        """Whether new pictures should be sent here: each model has run once, and no end is near."""
        if service.is_ending:
            raise HTTPException(503, "The service is about to end.")
        if not service.is_warm:
            raise HTTPException(503, "The models are being made ready; ask again in a second.")
        return Health(status="ok", jobs=len(service.queue))

    @app.get("/v1/models", responses=documented(401))
    async def list_models() -> Listing:
        """The models, the default one first, with their licence and scores; and the limits."""
        return Listing(
            models=list(service.catalogue.described.values()),
            auto=service.catalogue.chooses,
            reads=kinds.EXPECTED,
            formats=list(SUFFIXES),
            limits=service.limits._asdict(),
        )

    @app.get(
        "/metrics",
        response_class=Response,
        responses={200: {"content": {CONTENT_TYPE: {}}, "description": "OpenMetrics."}}
        | documented(401),
    )
    def tell_metrics() -> Response:
        """Requests, seconds, megapixels, the queue, memory: for Prometheus."""
        return Response(service.metrics.text(), media_type=CONTENT_TYPE)
