"""Visits grow a little: no window shows it, but after five of them the evidence is an event."""

from conventions.scenarios.models import usual_samples
from conventions.scenarios.shown import show
from conventions.scenarios.telemetry import Telemetry
from conventions.scenarios.watched import watched_churn

VISITS = (18, 19, 21, 22, 24, 26, 28, 29, 31, 32)
"""How many samples of a window have 0, 10 to 90 visits, where usually there are 25 of each."""


def run(telemetry: Telemetry) -> None:
    """Predict two usual windows, then five in which people come a little more often."""
    visits = [10 * i for i, times in enumerate(VISITS) for _ in range(times)]
    more = [(age, often) for (age, _), often in zip(usual_samples(), visits, strict=True)]
    with watched_churn(telemetry, "mode=tee") as churn:
        for samples in [usual_samples()] * 2 + [more] * 5:
            churn.predict(samples)


if __name__ == "__main__":
    show(run)
