"""A sender that did not get its answer sends the same request again: it goes on once, and is counted once."""

import grpc
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from conventions.scenarios.shown import show
from conventions.scenarios.telemetry import Telemetry
from otel_ml_conventions import attributes as keys
from otel_ml_conventions.schema import SCHEMA_URL

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
CHURN = {
    keys.ML_OPERATION_NAME: "predict",
    keys.ML_MODEL_NAME: "churn",
    keys.ML_FRAMEWORK_NAME: "other",
}


def run(telemetry: Telemetry) -> None:
    """Send a request of two inferences three times."""
    kept = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    tracer = provider.get_tracer("by-hand", schema_url=SCHEMA_URL)
    for _ in range(2):
        tracer.start_span("predict churn", attributes=CHURN).end()
    request = encode_spans(kept.get_finished_spans()).SerializeToString()
    with (
        telemetry.processor("mode=inline") as processor,
        grpc.insecure_channel(processor.endpoint) as channel,
    ):
        for _ in range(3):
            channel.unary_unary(EXPORT)(request, timeout=10)


if __name__ == "__main__":
    show(run)
