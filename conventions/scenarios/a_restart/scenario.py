"""A processor is started again: it goes on where it ended, and an inference that it has counted is not counted again, in whatever request it comes."""

from pathlib import Path
from tempfile import TemporaryDirectory

import grpc
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from conventions.scenarios.shown import show
from conventions.scenarios.telemetry import RESOURCE, Telemetry
from otel_ml_conventions import attributes as keys
from otel_ml_conventions.schema import SCHEMA_URL

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
CHURN = {
    keys.ML_OPERATION_NAME: "predict",
    keys.ML_MODEL_NAME: "churn",
    keys.ML_FRAMEWORK_NAME: "other",
    keys.ML_PREDICTION_LABEL: "stays",
}


def run(telemetry: Telemetry) -> None:
    """Send two inferences, end the processor, start it, and send three, of which two are the same."""
    kept = InMemorySpanExporter()
    provider = TracerProvider(resource=Resource(RESOURCE))
    provider.add_span_processor(SimpleSpanProcessor(kept))
    tracer = provider.get_tracer("by-hand", schema_url=SCHEMA_URL)
    for _ in range(3):
        tracer.start_span("predict churn", attributes=CHURN).end()
    spans = kept.get_finished_spans()
    with TemporaryDirectory() as folder:
        for some in (spans[:2], spans):
            with (
                telemetry.processor("state.directory=state", folder=Path(folder)) as processor,
                grpc.insecure_channel(processor.endpoint) as channel,
            ):
                request = encode_spans(some).SerializeToString()
                channel.unary_unary(EXPORT)(request, timeout=10)


if __name__ == "__main__":
    show(run)
