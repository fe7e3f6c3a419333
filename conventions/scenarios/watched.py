"""A model beside a processor that knows how it was: what most scenarios of drift begin with."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

from conventions.scenarios.models import CHURN, EVERY_VALUE, churn_model, churn_profile, named

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from conventions.scenarios.telemetry import Telemetry

__all__ = ["Watched", "watched_churn"]


class Watched(NamedTuple):
    """The model that is watched, and how the processor is told that its window may be full."""

    model: Any
    tick: Callable[[], None]

    def predict(self, samples: Iterable[tuple[float, float]]) -> None:
        """Ask the model for the probabilities of *samples*, all in one call."""
        self.model.predict_proba(named(*samples))


@contextmanager
def watched_churn(telemetry: Telemetry, *options: str, **settings: Any) -> Iterator[Watched]:
    """
    Serve model churn 3 beside a processor that has its profile and windows of 250 rows, until the block ends.

    *options* are further ones of the processor, *settings* those of the service, which captures every value by default.
    """
    with TemporaryDirectory() as folder:
        place = Path(folder)
        own = f"profiles=[{churn_profile(place)}]", "windows=[{name: quarter, rows: 250}]"
        with (
            telemetry.processor(*own, *options, folder=place) as processor,
            telemetry.sdk(
                traces_to=processor.endpoint, **{**CHURN, **EVERY_VALUE, **settings}
            ) as provider,
        ):

            def tick() -> None:
                provider.force_flush()
                processor.tick()

            yield Watched(churn_model(), tick)
