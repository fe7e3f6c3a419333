"""The dashboard of one model, its versions and environments side by side."""

from __future__ import annotations

from typing import Any

from boards.panels import WIDTH, Dashboard, Panel, Query, annotation
from boards.queries import (
    ANY_FEATURE,
    BINS,
    CALLS,
    CHOOSE_MODEL,
    COLORED,
    EACH_FEATURE,
    FEATURE,
    LOGARITHMIC,
    MODEL,
    SHARE,
    STALE,
    STATES,
    STEPS,
    STREAM,
    WHICH,
    WINDOW,
    state,
    worst,
)

__all__ = ["model"]


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
