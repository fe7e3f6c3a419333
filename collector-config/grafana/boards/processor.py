"""The dashboard of the processor itself."""

from __future__ import annotations

from boards.panels import Dashboard, Panel, Query
from boards.queries import DATASOURCE, worst

__all__ = ["processor"]


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
