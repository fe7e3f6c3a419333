"""A call that does not come back: it is in no duration, but it is counted as under way, with its age."""

from contextlib import ExitStack

import otel_ml
from conventions.scenarios.shown import show
from conventions.scenarios.telemetry import Telemetry


def run(telemetry: Telemetry) -> None:
    """Shut down while one of two calls is still under way."""
    with ExitStack() as hanging, telemetry.sdk():  # the SDK's block ends first
        with otel_ml.inference("quick"):
            pass
        hanging.enter_context(otel_ml.inference("slow", version="3", task="regression"))


if __name__ == "__main__":
    show(run)
