"""A sampler of the user's fails: the call goes on, and what went wrong is counted by its cause."""

from typing import Any

from opentelemetry.sdk.trace.sampling import Sampler, SamplingResult

from conventions.scenarios.models import churn_model, named
from conventions.scenarios.shown import show
from conventions.scenarios.telemetry import Telemetry


class Broken(Sampler):
    """A sampler with a mistake."""

    def should_sample(self, *_args: Any, **_kwargs: Any) -> SamplingResult:
        """Fail."""
        raise ZeroDivisionError

    def get_description(self) -> str:
        """Return what it is."""
        return "Broken"


def run(telemetry: Telemetry) -> None:
    """Predict twice."""
    model = churn_model()
    with telemetry.sdk(sampler=Broken()):
        model.predict_proba(named((1, 5)))
        model.predict_proba(named((1, 5)))


if __name__ == "__main__":
    show(run)
