"""A sampler keeps every unsure call and a quarter of the sure ones, and says so in the trace state: what came is called biased."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import TraceState

from conventions.scenarios.models import CHURN, EVERY_VALUE, churn_model, churn_profile, named
from conventions.scenarios.shown import show

if TYPE_CHECKING:
    from conventions.scenarios.telemetry import Telemetry

OPTIONS = ("mode=tee", "windows=[{name: quarter, rows: 250}]", "confidence.classes=null")


class Kept(Sampler):
    """Lets everything through that it is asked for, and says how much else was not, as a sampler that is consistent does."""

    def __init__(self, threshold: str) -> None:
        self._trace_state = TraceState([("ot", f"th:{threshold}")])

    def should_sample(self, *asked: Any, **__: Any) -> SamplingResult:
        """Return that the span is recorded with its attributes, and the threshold that it has passed."""
        attributes = asked[4]
        return SamplingResult(Decision.RECORD_AND_SAMPLE, attributes, self._trace_state)

    def get_description(self) -> str:
        """Return what it is."""
        return "kept"


def run(telemetry: Telemetry) -> None:
    """Predict 125 samples of age 0, of which the model is unsure, in a call like every other, and 125 of age 2 in one of four calls."""
    model = churn_model()
    with TemporaryDirectory() as folder:
        profiles = f"profiles=[{churn_profile(Path(folder))}]"
        with telemetry.processor(*OPTIONS, profiles, folder=Path(folder)) as processor:
            for age, threshold in ((0, "0"), (2, "c")):
                where: dict[str, Any] = {
                    "traces_to": processor.endpoint,
                    "sampler": Kept(threshold),
                }
                with telemetry.sdk(**where, **CHURN, **EVERY_VALUE):
                    model.predict_proba(named(*[(age, 5)] * 125))


if __name__ == "__main__":
    show(run)
