"""Write the dashboards: `python collector-config/grafana/generate.py [write | check]`."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FOLDER: Final = Path(__file__).parent / "dashboards"
PROMETHEUS: Final = {"type": "prometheus", "uid": "${datasource}"}
WIDTH: Final = 24
HEIGHT: Final = 8

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


@dataclass(frozen=True, slots=True)
class Query:
    """One PromQL expression and how its series are called; `{{label}}` stands for a label."""

    expr: str
    legend: str = "__auto"
    has_exemplars: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """
    One panel: what it is called, what it is for, what it asks.

    `kind` is a panel type of Grafana, `unit` one of its units; `width` is in 24ths of the page, `limits` of the axis and
    `custom` how lines are drawn.
    """

    title: str
    about: str
    queries: tuple[Query, ...]
    unit: str = "short"
    kind: str = "timeseries"
    width: int = 12
    limits: tuple[float | None, float | None] = (0, None)
    options: tuple[tuple[str, Any], ...] = ()
    custom: tuple[tuple[str, Any], ...] = ()
    mappings: tuple[dict[str, Any], ...] = ()
    overrides: tuple[dict[str, Any], ...] = ()
    transformations: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Dashboard:
    """One dashboard: rows of panels under their titles, variables to choose by, marks in time."""

    uid: str
    title: str
    about: str
    variables: tuple[dict[str, Any], ...]
    rows: tuple[tuple[str, tuple[Panel, ...]], ...]
    annotations: tuple[dict[str, Any], ...] = ()


def variable(name: str, label: str, query: str, *, takes_many: bool = True) -> dict[str, Any]:
    """Return a variable whose values are those of a label; one that takes many begins with all of them."""
    every = {"text": "All", "value": "$__all"} if takes_many else {}
    return {
        "type": "query",
        "name": name,
        "label": label,
        "datasource": PROMETHEUS,
        "query": {"query": query, "refId": name},
        "refresh": 2,  # whenever the time range changes
        "sort": 1,
        "multi": takes_many,
        "includeAll": takes_many,
        "allValue": ".*" if takes_many else None,  # a stream without the label, too
        "current": every,
    }


def annotation(name: str, color: str, expr: str, text: str) -> dict[str, Any]:
    """Return marks in time wherever *expr* has a value."""
    return {
        "name": name,
        "datasource": PROMETHEUS,
        "enable": True,
        "iconColor": color,
        "expr": expr,
        "step": "60s",
        "titleFormat": name,
        "textFormat": text,
    }


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


def model() -> Dashboard:
    """Return the dashboard of one model, its versions and environments side by side."""
    return Dashboard(
        "otel-ml-model",
        "Models: one model",
        "What moved, since when, and what it does to the predictions. Choose two versions or environments to see them side by side.",
        CHOOSE_MODEL,
        (
            ("Now", _now()),
            ("Drift", _drift()),
            ("Predictions and confidence", _predictions()),
            ("Labels", _labels()),
            ("Quality of the inputs", _quality()),
            ("Calls", _calls()),
            ("Environments", _environments()),
            ("Segments", _segments()),
        ),
        (
            annotation(
                "A version begins",
                "blue",
                f"(ml:predictions:rate5m{{{MODEL}}} > 0) unless (ml:predictions:rate5m{{{MODEL}}} offset 1m > 0)",
                "{{ml_model_version}} in {{deployment_environment_name}}",
            ),
            annotation(
                "A process begins",
                "purple",
                f"count by (service_name, deployment_environment_name) (max by (service_name, deployment_environment_name, instance) (ml_inference_duration_seconds_count{{{CALLS}}})"
                f" unless max by (service_name, deployment_environment_name, instance) (ml_inference_duration_seconds_count{{{CALLS}}} offset 1m))",
                "a deploy or a restart of {{service_name}} in {{deployment_environment_name}}",
            ),
            annotation(
                "Drift begins",
                "red",
                f"max by ({STREAM}, ml_drift_target) (increase(ml_drift_detections_total{{{WINDOW}}}[2m])) > 0",
                "{{ml_drift_target}} of {{ml_model_version}} in {{deployment_environment_name}}",
            ),
        ),
    )


def _now() -> tuple[Panel, ...]:
    def stat(title: str, about: str, expr: str, unit: str = "short", **more: Any) -> Panel:
        return Panel(
            title, about, (Query(expr, WHICH),), unit, "stat", 6, limits=(None, None), **more
        )

    return (
        stat("State", "The worst of all targets.", state(WINDOW, STREAM), mappings=STATES),
        stat(
            "Samples in the last window",
            "Below streams.min_rows nothing is decided.",
            worst("ml_drift_window_samples", WINDOW, STREAM),
        ),
        stat(
            "Age of the reference",
            "Since `otel-ml profile build`.",
            worst("ml_reference_age_seconds", MODEL, STREAM),
            "s",
        ),
        Panel(
            "False alarms",
            "Promised share of windows without drift that alarm, and what the reference's own windows gave. Where the second is much "
            "larger, rows are not independent and the promise does not hold.",
            (
                Query(
                    worst("ml_drift_false_alarm_promised_ratio", WINDOW, STREAM),
                    f"promised {WHICH}",
                ),
                Query(
                    worst("ml_drift_false_alarm_measured_ratio", WINDOW, STREAM),
                    f"measured {WHICH}",
                ),
            ),
            SHARE,
            "stat",
            6,
            limits=(None, None),
        ),
    )


def _drift() -> tuple[Panel, ...]:
    return (
        Panel(
            "State by feature",
            "A feature is drifting when its difference is more than chance and large enough to matter.",
            (Query(state(FEATURE, EACH_FEATURE), "{{ml_feature_name}} " + WHICH),),
            kind="state-timeline",
            width=WIDTH,
            mappings=STATES,
            custom=COLORED,
            limits=(None, None),
        ),
        Panel(
            "Size of the drift by feature (PSI)",
            "0 is no difference; a shift of a fifth of a standard deviation is about .04.",
            (
                Query(
                    worst("ml_drift_score", f'{FEATURE}, ml_drift_method="psi"', EACH_FEATURE),
                    "{{ml_feature_name}} " + WHICH,
                ),
            ),
            custom=STEPS,
        ),
        Panel(
            "p-value by feature",
            "Probability of a difference at least this large without any drift, adjusted for the number of features.",
            (
                Query(
                    f"min by ({EACH_FEATURE}) (ml_drift_p_value{{{FEATURE}}})",
                    "{{ml_feature_name}} " + WHICH,
                ),
            ),
            limits=(None, 1),
            custom=(*STEPS, *LOGARITHMIC),
        ),
        Panel(
            "Bins that moved most",
            "Share of the last hour's samples that lie in a bin, less that of the reference, over all replicas: where the difference comes "
            "from. Needs emit.feature_bins.",
            (
                Query(
                    f"topk(10, abs(ml:bin:share1h{{{ANY_FEATURE}}} - on ({BINS}) ml:bin:reference)) * 0"
                    f" + on ({BINS}) group_left () (ml:bin:share1h{{{ANY_FEATURE}}} - on ({BINS}) ml:bin:reference)",
                    "{{ml_feature_name}} bin {{ml_feature_bin}} " + WHICH,
                ),
            ),
            SHARE,
            limits=(None, None),
        ),
        Panel(
            "PSI over all replicas",
            "Of the last hour, from the counts of every processor that sees the model. Needs emit.feature_bins.",
            (Query(f"ml:feature:psi1h{{{ANY_FEATURE}}}", "{{ml_feature_name}} " + WHICH),),
        ),
        Panel(
            "Evidence of slow drift",
            "Logarithm of the evidence that gathers from window to window; 6.9 is reached once in a thousand windows without drift.",
            (
                Query(
                    worst(
                        "ml_drift_evidence",
                        WINDOW,
                        f"ml_drift_target, {EACH_FEATURE}",
                    ),
                    "{{ml_drift_target}} {{ml_feature_name}} " + WHICH,
                ),
            ),
            width=8,
            custom=STEPS,
        ),
        Panel(
            "Size of the drift of the outputs (PSI)",
            "Of the predicted classes or values, and of the confidence.",
            (
                Query(
                    worst(
                        "ml_drift_score",
                        f'{WINDOW}, ml_drift_target!="feature", ml_drift_method="psi"',
                        f"ml_drift_target, {STREAM}",
                    ),
                    "{{ml_drift_target}} " + WHICH,
                ),
            ),
            width=8,
            custom=STEPS,
        ),
        Panel(
            "Alarms",
            "Changes of state to drifting in the last hour, by what drifts.",
            (
                Query(
                    f"max by (ml_drift_target, {STREAM}) (increase(ml_drift_detections_total{{{WINDOW}}}[1h]))",
                    "{{ml_drift_target}} " + WHICH,
                ),
            ),
            width=8,
        ),
    )


def _predictions() -> tuple[Panel, ...]:
    def of_window(title: str, about: str, metric: str, unit: str = "short") -> Panel:
        queries = (Query(worst(metric, WINDOW, STREAM), WHICH),)
        return Panel(title, about, queries, unit, limits=(0, 1), width=8, custom=STEPS)

    return (
        Panel(
            "Predicted classes",
            "Shares of the last hour.",
            (Query(f"ml:class:share1h{{{MODEL}}}", "{{ml_prediction_label}} " + WHICH),),
            SHARE,
            limits=(0, 1),
        ),
        Panel(
            "Quantiles of the confidence",
            "Of the probability of the predicted class.",
            (
                Query(
                    worst("ml_confidence_quantile", WINDOW, f"ml_quantile, {STREAM}"),
                    "{{ml_quantile}} " + WHICH,
                ),
            ),
            limits=(0, 1),
            custom=STEPS,
        ),
        of_window(
            "Mean confidence", "Of the probability of the predicted class.", "ml_confidence_mean"
        ),
        of_window(
            "Entropy", "1 is a guess among all classes, 0 is certainty.", "ml_confidence_entropy"
        ),
        of_window("Margin", "Between the first and the second class.", "ml_confidence_margin"),
        of_window(
            "Low confidence",
            "Share below the reference's 5% quantile.",
            "ml_confidence_low_ratio",
            SHARE,
        ),
        Panel(
            "Low confidence and its budget",
            "Share of the last six hours, and what the model may have: twice the share of its reference.",
            (
                Query(f"ml:confidence:low_share6h{{{MODEL}}}", WHICH),
                Query(f"ml:confidence:budget{{{MODEL}}}", f"budget {WHICH}"),
            ),
            SHARE,
        ),
        Panel(
            "Confidence, as the processor counts it",
            "Every prediction that arrived; a point leads to its trace.",
            (
                Query(
                    f"sum by (le) (increase(ml_confidence_samples_bucket{{{MODEL}}}[$__rate_interval]))",
                    "{{le}}",
                    has_exemplars=True,
                ),
            ),
            kind="heatmap",
            limits=(None, None),
            options=(("calculate", False), ("yAxis", {"unit": "short"})),
        ),
        Panel(
            "Confidence, as the service measures it",
            "Every prediction, unsampled; a point leads to its trace.",
            (
                Query(
                    f"sum by (le) (increase(ml_prediction_confidence_bucket{{{MODEL}}}[$__rate_interval]))",
                    "{{le}}",
                    has_exemplars=True,
                ),
            ),
            kind="heatmap",
            width=WIDTH,
            limits=(None, None),
            options=(("calculate", False), ("yAxis", {"unit": "short"})),
        ),
    )


def _labels() -> tuple[Panel, ...]:
    return (
        Panel(
            "Scores",
            "Realised, where labels have come; estimated from the confidence or the errors of like rows, where the profile tells; of the reference.",
            (
                Query(
                    worst(
                        "ml_evaluation_score",
                        # The reference is of no window.
                        f'{MODEL}, ml_window_name=~"$window|", ml_evaluation_basis!="proxy"',
                        f"ml_evaluation_name, ml_evaluation_basis, {STREAM}",
                    ),
                    "{{ml_evaluation_name}} {{ml_evaluation_basis}} " + WHICH,
                ),
            ),
            limits=(None, None),
            custom=STEPS,
        ),
        Panel(
            "What people did",
            "Proxies, which are no truth: shares that were acted upon, and of reactions that say yes; of lists, how well they were ordered by that.",
            (
                Query(
                    worst(
                        "ml_evaluation_score",
                        f'{WINDOW}, ml_evaluation_basis="proxy"',
                        f"ml_evaluation_name, {STREAM}",
                    ),
                    "{{ml_evaluation_name}} " + WHICH,
                ),
            ),
            limits=(0, 1),
            custom=STEPS,
        ),
        Panel(
            "Error of the confidence",
            "Between what was promised and what came true: expected calibration error, Brier score, log loss.",
            (
                Query(
                    worst("ml_calibration_error", WINDOW, f"ml_calibration_measure, {STREAM}"),
                    "{{ml_calibration_measure}} " + WHICH,
                ),
            ),
            custom=STEPS,
        ),
        Panel(
            "Predictions with a label",
            "Share of the window's.",
            (Query(worst("ml_feedback_coverage_ratio", WINDOW, STREAM), WHICH),),
            SHARE,
            limits=(0, 1),
            custom=STEPS,
        ),
        Panel(
            "Feedback",
            "By what came of looking for its prediction, in the last hour.",
            (
                Query(
                    f"max by (ml_feedback_outcome, {STREAM}) (sum by (ml_feedback_outcome, job, {STREAM})"
                    f" (increase(ml_feedback_joined_total{{{MODEL}}}[1h])))",
                    "{{ml_feedback_outcome}} " + WHICH,
                ),
            ),
        ),
    )


def _quality() -> tuple[Panel, ...]:
    said = (
        ("Missing", "null or NaN, of all rows.", "missing"),
        ("Unseen", "Categories that the reference never had, of the values present.", "unseen"),
        ("Out of range", "Outside the reference's range, of the finite values.", "out_of_range"),
        ("Infinite", "Of the values present.", "non_finite"),
        ("Wrong type", "A text where the reference has numbers, say.", "type_error"),
    )
    shares = tuple(
        Panel(
            title,
            about,
            (
                Query(
                    worst(f"ml_feature_{name}_ratio", FEATURE, EACH_FEATURE),
                    "{{ml_feature_name}} " + WHICH,
                ),
            ),
            SHARE,
            width=8,
            custom=STEPS,
        )
        for title, about, name in said
    )
    return (
        *shares,
        Panel(
            "Time without a value",
            "Since a feature last had one; without a name, since a row last came.",
            (
                Query(
                    worst("ml_feature_staleness_seconds", STALE, EACH_FEATURE),
                    "{{ml_feature_name}} " + WHICH,
                ),
            ),
            "s",
            width=8,
        ),
        Panel(
            "Inputs that repeat",
            "Share of the calls whose input came before in the window, and of the repeated inputs those that were answered differently. Needs the hash of the input.",
            (
                Query(worst("ml_input_duplicates_ratio", WINDOW, STREAM), "repeated " + WHICH),
                Query(
                    worst("ml_prediction_inconsistent_ratio", WINDOW, STREAM),
                    "answered differently " + WHICH,
                ),
            ),
            SHARE,
            limits=(0, 1),
            custom=STEPS,
        ),
        Panel(
            "Predictions that cannot be used",
            "By the rule that they break, in the last hour.",
            (
                Query(
                    f"max by (ml_validation_rule, {STREAM}) (sum by (ml_validation_rule, job, {STREAM})"
                    f" (increase(ml_prediction_invalid_total{{{MODEL}}}[1h])))",
                    "{{ml_validation_rule}} " + WHICH,
                ),
            ),
        ),
    )


def _calls() -> tuple[Panel, ...]:
    quantiles = tuple(
        Query(
            f"histogram_quantile({level}, sum by ({STREAM}, le) (rate(ml_inference_duration_seconds_bucket{{{MODEL}}}[$__rate_interval])))",
            f"{level:.0%} {WHICH}",
            has_exemplars=True,
        )
        for level in (0.5, 0.95, 0.99)
    )
    return (
        Panel(
            "Duration of calls", "Measured at the call; a point leads to its trace.", quantiles, "s"
        ),
        Panel(
            "Calls",
            "Per second.",
            (Query(f"ml:inference:calls_rate5m{{{MODEL}}}", WHICH),),
            "reqps",
        ),
        Panel(
            "Calls that fail",
            "Share of the calls that end in an error.",
            (Query(f"ml:inference:error_share5m{{{MODEL}}}", WHICH),),
            SHARE,
            width=8,
        ),
        Panel(
            "Samples per call",
            "Mean batch size.",
            (
                Query(
                    f"sum by ({STREAM}) (rate(ml_inference_batch_size_sum{{{MODEL}}}[$__rate_interval]))"
                    f" / sum by ({STREAM}) (rate(ml_inference_batch_size_count{{{MODEL}}}[$__rate_interval]))",
                    WHICH,
                ),
            ),
            width=8,
        ),
        Panel(
            "Calls under way",
            "How many have begun and not ended.",
            (Query(f"sum by ({STREAM}) (ml_inference_active{{{MODEL}}})", WHICH),),
            width=8,
        ),
    )


def _environments() -> tuple[Panel, ...]:
    return (
        Panel(
            "Distance from production",
            "Share of the last hour's predictions that would have to change for the classes to be predicted as in production.",
            (Query(f"ml:environments:distance1h{{{MODEL}}}", WHICH),),
            SHARE,
            limits=(0, 1),
        ),
        Panel(
            "Features less like production (PSI)",
            "Of the last hour, of the same version; 0 is no difference. Needs emit.feature_bins.",
            (
                Query(
                    f"ml:environments:psi1h{{{ANY_FEATURE}}}",
                    "{{ml_feature_name}} " + WHICH,
                ),
            ),
        ),
        Panel(
            "Confidence less that of production",
            "Difference of the means of the last windows, of the same version.",
            (
                Query(
                    f"{worst('ml_confidence_mean', WINDOW, STREAM)} - on (service_name, ml_model_name, ml_model_version) group_left ()"
                    f' max by (service_name, ml_model_name, ml_model_version) (ml_confidence_mean{{service_name=~"$service", deployment_environment_name="production",'
                    ' ml_model_name="$model", ml_model_version=~"$version", ml_window_name="$window", ml_segment_name="", ml_prediction_label=""})',
                    WHICH,
                ),
            ),
            limits=(None, None),
            custom=STEPS,
        ),
    )


def _segments() -> tuple[Panel, ...]:
    segment = "{{ml_segment_name}}={{ml_segment_value}} "
    windowed = f'{MODEL}, ml_window_name="$window"'
    return (
        Panel(
            "Segments against the rest",
            "A rate of the segment divided by that of all others; 1 is no difference. Needs segments.attributes.",
            (
                Query(
                    f"ml:segment:disparity{{{windowed}}}",
                    segment + "{{ml_segment_measure}} " + WHICH,
                ),
            ),
            limits=(0, None),
            custom=STEPS,
        ),
        Panel(
            "Mean confidence by segment",
            "Of the probability of the predicted class.",
            (
                Query(
                    worst(
                        "ml_confidence_mean",
                        f'{windowed}, ml_segment_name!=""',
                        f"{STREAM}, ml_segment_name, ml_segment_value",
                    ),
                    segment + WHICH,
                ),
            ),
            limits=(0, 1),
            custom=STEPS,
        ),
    )


def processor() -> Dashboard:
    """Return the dashboard of the processor itself."""

    def rates(title: str, about: str, *counters: tuple[str, str], unit: str = "cps") -> Panel:
        queries = tuple(
            Query(f"sum by ({by}) (rate({name}[$__rate_interval]))", _named(name, by))
            for name, by in counters
        )
        return Panel(title, about, queries, unit)

    def gauge(title: str, about: str, expr: str, unit: str) -> Panel:
        return Panel(title, about, (Query(expr, "{{job}} {{instance}}"),), unit)

    place = "job, instance"
    cause = "job, instance, ml_processor_cause"
    return Dashboard(
        "otel-ml-processor",
        "Models: the processor",
        "Whether everything arrives, goes on and is counted.",
        (DATASOURCE,),
        (
            (
                "Spans in and out",
                (
                    rates(
                        "Spans in",
                        "Taken in, and refused: senders repeat those.",
                        ("otelcol_receiver_accepted_spans_total", place),
                        ("otelcol_receiver_refused_spans_total", place),
                    ),
                    rates(
                        "Spans out",
                        "Acknowledged by the next hop, and not. In mode tee nothing goes out.",
                        ("otelcol_exporter_sent_spans_total", f"{place}, exporter"),
                        ("otelcol_exporter_send_failed_spans_total", f"{place}, exporter"),
                    ),
                    rates(
                        "Requests refused",
                        "By cause.",
                        ("ml_processor_refused_total", cause),
                    ),
                    rates(
                        "Copies without room",
                        "Spans for which a best-effort destination had none.",
                        ("otelcol_exporter_enqueue_failed_spans_total", f"{place}, exporter"),
                    ),
                ),
            ),
            (
                "What is counted, and what is not",
                (
                    rates(
                        "Not read, not annotated",
                        "Inference spans that went on untouched, by cause.",
                        ("ml_processor_undecoded_total", cause),
                        ("ml_processor_unannotated_total", cause),
                    ),
                    rates(
                        "Too late, from the future, again",
                        "Inference spans that no window has, or that were counted before.",
                        ("ml_processor_late_total", place),
                        ("ml_processor_clamped_total", place),
                        ("ml_processor_duplicates_total", place),
                    ),
                    rates(
                        "Beyond a limit",
                        "Samples folded together, verdict spans left out, attributes taken off.",
                        ("ml_processor_overflow_total", cause),
                        ("ml_processor_verdicts_dropped_total", place),
                        ("ml_processor_stripped_total", place),
                    ),
                    gauge(
                        "Series",
                        "All that a processor tells Prometheus; at most 5000 per stream.",
                        f'count by ({place}) ({{__name__=~"ml_(drift|feature|confidence|prediction|reference|processor)_.+", otel_scope_name!="otel_ml", job=~"otel-ml.*"}})',
                        "short",
                    ),
                ),
            ),
            (
                "Time and trouble",
                (
                    gauge(
                        "Behind the clock",
                        "Event time of the slowest stream against the clock.",
                        worst("ml_processor_window_lag_seconds", "", place),
                        "s",
                    ),
                    gauge(
                        "Repeats are known for",
                        "Shorter than your senders repeat: spans may be counted twice.",
                        worst("ml_processor_dedupe_horizon_seconds", "", place),
                        "s",
                    ),
                    gauge(
                        "Age of the last snapshot",
                        "Where state.directory is set.",
                        worst("ml_processor_snapshot_age_seconds", "", place),
                        "s",
                    ),
                    rates(
                        "Failures",
                        "Of a step, or of telling our own metrics and events; no trace was stopped.",
                        ("ml_processor_failures_total", cause),
                        ("ml_processor_export_failed_total", place),
                        ("ml_processor_webhooks_dropped_total", place),
                    ),
                ),
            ),
        ),
    )


def _named(counter: str, by: str) -> str:
    said = counter.removeprefix("otelcol_").removeprefix("ml_processor_").removesuffix("_total")
    return " ".join([said.replace("_", " "), *(f"{{{{{label}}}}}" for label in by.split(", "))])


def written(dashboard: Dashboard) -> dict[str, Any]:
    """Return *dashboard* as the JSON model of Grafana."""
    return {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "description": dashboard.about,
        "tags": ["otel-ml"],
        "schemaVersion": 39,
        "editable": True,
        "graphTooltip": 1,  # one cursor for all panels
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "browser",
        "templating": {"list": list(dashboard.variables)},
        "annotations": {"list": list(dashboard.annotations)},
        "links": [
            {
                "type": "dashboards",
                "title": "Models",
                "tags": ["otel-ml"],
                "icon": "external link",
                "tooltip": "",
                "asDropdown": False,
                "targetBlank": False,
                "includeVars": False,
                "keepTime": True,
            }
        ],
        "panels": list(_placed(dashboard.rows)),
    }


def _placed(rows: Sequence[tuple[str, tuple[Panel, ...]]]) -> Iterator[dict[str, Any]]:
    """Yield the panels from left to right and from top to bottom, under the title of their row."""
    ids = count(1)
    y = 0
    for title, panels in rows:
        yield {
            "type": "row",
            "id": next(ids),
            "title": title,
            "collapsed": False,
            "gridPos": {"h": 1, "w": WIDTH, "x": 0, "y": y},
            "panels": [],
        }
        x, y = 0, y + 1
        for panel in panels:
            if x + panel.width > WIDTH:
                x, y = 0, y + HEIGHT
            place = {"h": HEIGHT, "w": panel.width, "x": x, "y": y}
            yield {"id": next(ids), "gridPos": place, **_panel(panel)}
            x += panel.width
        y += HEIGHT


def _panel(panel: Panel) -> dict[str, Any]:
    low, high = panel.limits
    limits = {key: limit for key, limit in (("min", low), ("max", high)) if limit is not None}
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.about,
        "datasource": PROMETHEUS,
        "targets": [_target(panel, index) for index in range(len(panel.queries))],
        "fieldConfig": {
            "defaults": {
                "unit": panel.unit,
                **limits,
                "custom": dict(panel.custom),
                "mappings": list(panel.mappings),
            },
            "overrides": list(panel.overrides),
        },
        "options": dict(panel.options),
        "transformations": list(panel.transformations),
    }


def _target(panel: Panel, index: int) -> dict[str, Any]:
    query = panel.queries[index]
    is_instant = panel.kind in {"table", "stat"}
    return {
        "refId": chr(ord("A") + index),
        "datasource": PROMETHEUS,
        "expr": query.expr,
        "legendFormat": query.legend,
        "instant": is_instant,
        "range": not is_instant,
        "exemplar": query.has_exemplars,
        "format": {"table": "table", "heatmap": "heatmap"}.get(panel.kind, "time_series"),
    }


def files() -> dict[Path, str]:
    """Return the text of every dashboard by its place."""
    return {
        FOLDER / f"{dashboard.uid.removeprefix('otel-ml-')}.json": json.dumps(
            written(dashboard), indent=2
        )
        + "\n"
        for dashboard in (fleet(), model(), processor())
    }


def main() -> int:
    """Write the dashboards, or say which are stale and return 1."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=["write", "check"], nargs="?", default="write")
    if parser.parse_args().action == "write":
        for path, text in files().items():
            path.write_text(text)
        return 0
    stale = [
        path for path, text in files().items() if not path.exists() or path.read_text() != text
    ]
    for path in stale:
        print(f"{path}: stale; run {__file__}")  # noqa: T201 - what the command is for
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
