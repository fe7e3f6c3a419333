"""What a processor cannot use is passed on and counted: wrong types, times that cannot be, loops, streams beyond the limit."""

from contextlib import suppress
from time import time_ns

import grpc

from conventions.scenarios.shown import show
from conventions.scenarios.telemetry import Telemetry
from otel_ml_conventions import attributes as keys
from otel_ml_conventions.schema import SCHEMA_URL

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
HOUR_NS = 3_600_000_000_000
CHURN = {
    keys.ML_OPERATION_NAME: "predict",
    keys.ML_MODEL_NAME: "churn",
    keys.ML_FRAMEWORK_NAME: "other",
}


def run(telemetry: Telemetry) -> None:
    """Send one inference as it should be, one with each kind of trouble, and one request that is not OTLP."""
    with (
        telemetry.processor("mode=inline", "streams.max=1") as processor,
        telemetry.sdk(traces_to=processor.endpoint) as provider,
    ):
        tracer = provider.get_tracer("by-hand", schema_url=SCHEMA_URL)
        now_ns = time_ns()
        for trouble, end_ns in (
            ({}, now_ns),
            ({keys.ML_PREDICTION_CONFIDENCE: 7.5}, now_ns),
            ({}, now_ns - 3 * HOUR_NS),
            ({}, now_ns + 3 * HOUR_NS),
            ({keys.ML_VERDICT_DRIFT: "steady"}, now_ns),
            ({keys.ML_MODEL_NAME: "fraud"}, now_ns),
        ):
            attributes = CHURN | trouble
            name = f"predict {attributes[keys.ML_MODEL_NAME]}"
            tracer.start_span(name, attributes=attributes, start_time=end_ns).end(end_ns)
        with grpc.insecure_channel(processor.endpoint) as channel, suppress(grpc.RpcError):
            channel.unary_unary(EXPORT)(b"this is not OTLP", timeout=10)


if __name__ == "__main__":
    show(run)
