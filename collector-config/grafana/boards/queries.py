"""Whom the panels ask about, in PromQL, and how they draw what all of them draw alike."""

from __future__ import annotations

from typing import Final

from boards.panels import variable

__all__ = [
    "ANY_FEATURE",
    "BINS",
    "CALLS",
    "CHOOSE_FLEET",
    "CHOOSE_MODEL",
    "COLORED",
    "DATASOURCE",
    "EACH_FEATURE",
    "FEATURE",
    "FLEET",
    "LOGARITHMIC",
    "MODEL",
    "SHARE",
    "STALE",
    "STATES",
    "STEPS",
    "STREAM",
    "WHICH",
    "WHO",
    "WINDOW",
    "state",
    "worst",
]

# Who a number is about, and the same as a filter by the variables at the top of a dashboard.
STREAM: Final = "service_name, deployment_environment_name, ml_model_name, ml_model_version"
FLEET: Final = 'service_name=~"$service", deployment_environment_name=~"$environment"'
MODEL: Final = f'{FLEET}, ml_model_name="$model", ml_model_version=~"$version"'
CALLS: Final = f'{FLEET}, ml_model_name="$model"'
# Of a model as a whole: its segments and classes have series of their own.
WINDOW: Final = f'{MODEL}, ml_window_name="$window", ml_segment_name="", ml_prediction_label=""'
FEATURE: Final = f'{WINDOW}, ml_feature_name=~"$feature"'
WHO: Final = "{{ml_model_name}} {{ml_model_version}} {{deployment_environment_name}}"
WHICH: Final = "{{ml_model_version}} {{deployment_environment_name}}"
ANY_FEATURE: Final = f'{MODEL}, ml_feature_name=~"$feature"'
STALE: Final = f'{MODEL}, ml_feature_name=~"$feature|"'  # the stream itself is no feature
BINS: Final = f"{STREAM}, ml_feature_name, ml_feature_bin"
EACH_FEATURE: Final = "ml_feature_name, ml_model_version, deployment_environment_name"

DATASOURCE: Final = {
    "type": "datasource",
    "name": "datasource",
    "label": "Prometheus",
    "query": "prometheus",
    "current": {"text": "Prometheus (otel-ml)", "value": "otel-ml-prometheus"},
}
CHOOSE_FLEET: Final = (
    DATASOURCE,
    variable("service", "Service", "label_values(ml_drift_window_samples, service_name)"),
    variable(
        "environment",
        "Environment",
        "label_values(ml_drift_window_samples, deployment_environment_name)",
    ),
)
CHOOSE_MODEL: Final = (
    *CHOOSE_FLEET,
    variable(
        "model",
        "Model",
        f"label_values(ml_drift_window_samples{{{FLEET}}}, ml_model_name)",
        takes_many=False,
    ),
    variable(
        "version",
        "Version",
        f'label_values(ml_drift_window_samples{{{FLEET}, ml_model_name="$model"}}, ml_model_version)',
    ),
    variable(
        "window",
        "Window",
        f"label_values(ml_drift_window_samples{{{MODEL}}}, ml_window_name)",
        takes_many=False,
    ),
    variable("feature", "Feature", f"label_values(ml_drift_score{{{WINDOW}}}, ml_feature_name)"),
)

STATES: Final = (
    {
        "type": "value",
        "options": {
            "-1": {"text": "insufficient", "color": "gray"},
            "0": {"text": "steady", "color": "green"},
            "1": {"text": "warning", "color": "yellow"},
            "2": {"text": "drifting", "color": "red"},
        },
    },
)
COLORED: Final = (("fillOpacity", 80), ("lineWidth", 0))
LOGARITHMIC: Final = (("scaleDistribution", {"type": "log", "log": 10}),)
STEPS: Final = (("lineInterpolation", "stepAfter"),)  # a window's number holds until the next one
SHARE: Final = "percentunit"


def state(matchers: str, by: str) -> str:
    """Return the expression of the worst state as a number: -1 insufficient, 0 steady, 1 warning, 2 drifting."""

    def holds(name: str) -> str:
        return f'max by ({by}) (ml_drift_status{{{matchers}, ml_drift_state="{name}"}})'

    # The first that holds for anything; `== 1` drops what does not, `* 0 +` makes a number of it.
    return (
        f"({holds('drifting')} == 1) * 0 + 2"
        f" or ({holds('warning')} == 1) * 0 + 1"
        f" or ({holds('steady')} == 1) * 0"
        f" or ({holds('insufficient')} == 1) * 0 - 1"
    )


def worst(metric: str, matchers: str, by: str) -> str:
    """Return the largest value of a gauge over replicas and ways in."""
    return f"max by ({by}) ({metric}{{{matchers}}})"
