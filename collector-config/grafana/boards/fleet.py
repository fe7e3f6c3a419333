"""The dashboard of all models: which of them need a look."""

from __future__ import annotations

from typing import Any, Final

from boards.panels import WIDTH, Dashboard, Panel, Query
from boards.queries import (
    CHOOSE_FLEET,
    COLORED,
    FLEET,
    SHARE,
    STATES,
    STEPS,
    STREAM,
    WHO,
    state,
    worst,
)

__all__ = ["fleet"]


def column(name: str, unit: str, reference: str) -> dict[str, Any]:
    """Return how the column of query *reference* in the table of models is called and written."""
    return {
        "matcher": {"id": "byName", "options": f"Value #{reference}"},
        "properties": [{"id": "displayName", "value": name}, {"id": "unit", "value": unit}],
    }


TO_THE_MODEL: Final = {
    "matcher": {"id": "byName", "options": "ml_model_name"},
    "properties": [
        {"id": "displayName", "value": "Model"},
        {
            "id": "links",
            "value": [
                {
                    "title": "This model",
                    "url": "/d/otel-ml-model?var-service=${__data.fields.service_name}"
                    "&var-environment=${__data.fields.deployment_environment_name}"
                    "&var-model=${__data.fields.ml_model_name}"
                    "&var-version=${__data.fields.ml_model_version}&${__url_time_range}",
                }
            ],
        },
    ],
}

COLUMNS: Final = (
    ("Features that drift", "short", worst("ml_drift_features", FLEET, STREAM)),
    ("Predictions / s", "reqps", f"ml:predictions:rate5m{{{FLEET}}}"),
    ("Low confidence", SHARE, f"ml:confidence:low_share1h{{{FLEET}}}"),
    ("Calls that fail", SHARE, f"ml:inference:error_share5m{{{FLEET}}}"),
    ("95% of calls within", "s", f"ml:inference:duration_p95_1h{{{FLEET}}}"),
    ("Age of the reference", "s", worst("ml_reference_age_seconds", FLEET, STREAM)),
)
MODELS: Final = Panel(
    "Models",
    "One line per service, environment, model and version. A name leads to the dashboard of the model.",
    tuple(Query(expr) for _, _, expr in COLUMNS),
    kind="table",
    width=WIDTH,
    limits=(None, None),
    overrides=(
        TO_THE_MODEL,
        *(column(name, unit, chr(65 + i)) for i, (name, unit, _) in enumerate(COLUMNS)),
    ),
    transformations=(
        {"id": "merge", "options": {}},
        {"id": "organize", "options": {"excludeByName": {"Time": True}}},
    ),
)


def fleet() -> Dashboard:
    """Return the dashboard of all models."""
    return Dashboard(
        "otel-ml-fleet",
        "Models: fleet",
        "Which models need a look.",
        CHOOSE_FLEET,
        (
            (
                "Now",
                (
                    MODELS,
                    Panel(
                        "Alerts",
                        "Of collector-config/prometheus/alerts.yaml. A pending one holds, but not yet for long enough to be told.",
                        (
                            Query(
                                'count by (alertname, alertstate) (ALERTS{alertname=~"Ml.+"})',
                                "{{alertname}} {{alertstate}}",
                            ),
                        ),
                    ),
                    Panel(
                        "State",
                        "The worst state of anything that is compared, by window.",
                        (Query(state(FLEET, f"{STREAM}, ml_window_name"), WHO),),
                        kind="state-timeline",
                        mappings=STATES,
                        custom=COLORED,
                        limits=(None, None),
                    ),
                ),
            ),
            (
                "Over time",
                (
                    Panel(
                        "Features that drift",
                        "How many features differ from the reference by more than chance and by enough to matter.",
                        (
                            Query(
                                worst("ml_drift_features", FLEET, f"{STREAM}, ml_window_name"), WHO
                            ),
                        ),
                        custom=STEPS,
                    ),
                    Panel(
                        "Predictions",
                        "Per second; replicas are added up.",
                        (Query(f"ml:predictions:rate5m{{{FLEET}}}", WHO),),
                        unit="reqps",
                    ),
                    Panel(
                        "Low confidence",
                        "Share of the last hour's predictions; 5% of the reference lie below the same limit.",
                        (Query(f"ml:confidence:low_share1h{{{FLEET}}}", WHO),),
                        unit=SHARE,
                    ),
                    Panel(
                        "Calls that fail",
                        "Share of the calls of the model that end in an error.",
                        (Query(f"ml:inference:error_share5m{{{FLEET}}}", WHO),),
                        unit=SHARE,
                    ),
                ),
            ),
        ),
    )
