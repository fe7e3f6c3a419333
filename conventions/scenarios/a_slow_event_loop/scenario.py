"""A model that is called in the thread of an event loop: the loop runs late, for everybody."""

import asyncio
import time

from conventions.scenarios.shown import show
from conventions.scenarios.telemetry import Telemetry
from otel_ml.event_loop import watch_event_loop


async def _serve() -> None:
    watch_event_loop()
    turns = asyncio.get_running_loop().time
    until = turns() + 0.25
    while turns() < until:
        await asyncio.sleep(0)
        time.sleep(0.02)  # noqa: ASYNC251 - which is what a slow model does


def run(telemetry: Telemetry) -> None:
    """Block a loop that is watched, for a quarter of a second."""
    with telemetry.sdk():
        asyncio.run(_serve())


if __name__ == "__main__":
    show(run)
