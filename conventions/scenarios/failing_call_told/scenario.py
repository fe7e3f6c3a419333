"""With messages of exceptions switched on, the span of a failing call says what went wrong, in its status and as an event."""

from contextlib import suppress

from conventions.scenarios.models import price_model
from conventions.scenarios.shown import show
from conventions.scenarios.telemetry import Telemetry


def run(telemetry: Telemetry) -> None:
    """Ask about a sample with one feature too many."""
    model = price_model()
    with telemetry.sdk(capture_exception_messages=True), suppress(ValueError):
        model.predict([[1.0, 2.0, 3.0]])


if __name__ == "__main__":
    show(run)
