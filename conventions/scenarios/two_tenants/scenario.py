"""Two tenants ask models of the same name: each has a stream of its own."""

from typing import Any

from opentelemetry.sdk.resources import Resource

from conventions.scenarios.models import CHURN, EVERY_VALUE, churn_model, named
from conventions.scenarios.shown import show
from conventions.scenarios.telemetry import Telemetry

OPTIONS = (
    "mode=tee",
    "windows=[{name: quarter, rows: 250}]",
    "verdicts.low_confidence=0.4",
    "confidence.classes=null",
    "tenants={attribute: tenant.id}",
)
SETTINGS: dict[str, Any] = {**CHURN, **EVERY_VALUE}
AGES = {"acme": 1, "umbrella": 0}
"""Of all samples of a tenant."""


def run(telemetry: Telemetry) -> None:
    """Predict 250 samples for each tenant, with a confidence of .75 for the one and of .5 for the other."""
    with telemetry.processor(*OPTIONS) as processor:
        for tenant, age in AGES.items():
            where = Resource({"tenant.id": tenant})
            with telemetry.sdk(traces_to=processor.endpoint, detected=where, **SETTINGS):
                churn_model().predict_proba(named(*[(age, 5)] * 250))


if __name__ == "__main__":
    show(run)
