"""What the processor shows over HTTP: a page for people, the same as JSON, the scrape page, and two answers for orchestrators."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.applications import Starlette
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from otel_ml_processor.emit.page import CONTENT_SECURITY_POLICY, page_html
from otel_ml_processor.emit.prometheus import exposition
from otel_ml_processor.emit.readings import readings_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from otel_ml_processor.emit.metrics import MetricBook
    from otel_ml_processor.emit.page import ProcessorFacts

__all__ = ["pages"]

# Names of models and features come from whoever sends spans: nothing on the page may run, load or be framed.
_HEADERS: Final = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}


def pages(book: MetricBook, facts: ProcessorFacts, is_ready: Callable[[], bool]) -> Starlette:
    """Return the application with `/`, `/readings`, `/metrics`, `/healthz` and `/readyz` (503 until *is_ready*)."""

    # Plain functions, not coroutines: they run in worker threads, so a large page delays no health check.
    def for_people(_: Request) -> Response:
        return HTMLResponse(page_html(book.views(), facts, is_ready=is_ready()), headers=_HEADERS)

    def readings(_: Request) -> Response:
        body = readings_json(book.views())
        return Response(body, media_type="application/json", headers=_HEADERS)

    def metrics(request: Request) -> Response:
        body, content_type = exposition(book.collect, request.headers.get("accept", ""))
        return Response(body, headers={**_HEADERS, "content-type": content_type})

    def healthz(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    def readyz(_: Request) -> Response:
        if is_ready():
            return PlainTextResponse("ready\n")
        return PlainTextResponse("starting, or ending\n", status_code=503)

    return Starlette(
        routes=[
            Route("/", for_people),
            Route("/readings", readings),
            Route("/metrics", metrics),
            Route("/healthz", healthz),
            Route("/readyz", readyz),
        ]
    )
