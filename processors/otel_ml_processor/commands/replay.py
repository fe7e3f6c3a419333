"""`otel-ml replay`: what the processor would have said of telemetry that lies in files."""

from __future__ import annotations

import argparse
import io
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_ml_processor.assess.promise import Promises
from otel_ml_processor.assess.states import describe
from otel_ml_processor.commands.otlp_files import OtlpFileError
from otel_ml_processor.commands.paper import paper
from otel_ml_processor.commands.parser import Parser
from otel_ml_processor.commands.reading_progress import reading_progress
from otel_ml_processor.commands.replay_text import replay_text
from otel_ml_processor.commands.replayed_logs import ReplayedLogs, logs_first, newest_end_ns
from otel_ml_processor.config_file import load_config
from otel_ml_processor.emit.readings import reading_json
from otel_ml_processor.errors import OtelMlError
from otel_ml_processor.feedback.explaining import Explaining
from otel_ml_processor.refusal import Refusal
from otel_ml_processor.service import load_references, make_pipeline, new_self_metrics
from otel_ml_processor.signals import Signal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from otel_ml_processor.assess.reading import Change, Reading
    from otel_ml_processor.assess.verdict import Verdicts
    from otel_ml_processor.columns import StreamKey
    from otel_ml_processor.config import Config
    from otel_ml_processor.decode.decoder import Decoded
    from otel_ml_processor.pipeline import Pipeline
    from otel_ml_processor.windows.streams import Totals

__all__ = ["Replayed", "main", "replayed"]

_REPLAYED, _MISUSED = 0, 2
_EPILOG: Final = """\
FILE is what a collector's file exporter writes, or any OTLP: JSON (a document, or one per line) or protobuf (single, or with lengths).
Explanations (events ml.explanation, in logs or on spans) that name their model are read in the order of time, whatever
file they are in. Windows, promises and profiles are those of --config, so the numbers are those that the processor would have given; a window that is open
at the end is assessed as well.

example: otel-ml replay traces.jsonl --config processor.yaml

exit code: 0 replayed, 2 for what you can mend: a file, an option.
"""


class Replayed:
    """What a pipeline says, kept: it takes the place of all ways out."""

    def __init__(self) -> None:
        self.readings: list[Reading] = []
        self.changes: list[Change] = []
        self.counts: Counter[str] = Counter()
        """What could not be used, by metric and cause."""

    def reading(self, reading: Reading, change: Change | None) -> None:
        """Keep both."""
        self.readings.append(reading)
        if change is not None:
            self.changes.append(change)

    def refresh(self, reading: Reading) -> None:
        """Pass over it: of a file only what is decided is told."""

    def totals(self, totals: Totals) -> None:
        """Pass over it: every window says the same of its part."""

    def forget(self, stream: StreamKey) -> None:
        """Pass over it: what has been said is kept."""

    def lag(self, lag_s: float) -> None:
        """Pass over it: in a file nothing is behind the clock."""

    def dedupe_horizon(self, horizon_s: float) -> None:
        """Pass over it: it is the operator's, not the telemetry's."""

    def annotated(self, decoded: Decoded, verdicts: Verdicts) -> bytes:  # noqa: ARG002 - as every way out is called
        """Return the request as it is: nothing is forwarded."""
        return decoded.spans.request

    def verdict_spans(self, decoded: Decoded, verdicts: Verdicts) -> None:
        """Pass over them: there is nowhere to send them."""


def replayed(paths: Sequence[Path], arguments: argparse.Namespace) -> Replayed:
    """
    Return what the processor says of the traces in the files at *paths*, in their order.

    Raises:
        OtelMlError: If a file, the configuration or a profile cannot be used.
    """
    config = _without_header(
        load_config(arguments.config, ["mode=tee", "forward=null", *arguments.set])
    )
    folder = arguments.config.parent if arguments.config else Path()
    kept = Replayed()
    now_ns = time.time_ns()  # stands still: no stream of a file falls silent
    references, self_metrics = load_references(config, folder), new_self_metrics()
    explaining = Explaining(
        references.reference,
        lambda s: [w.name for w in config.of_model(s.model, s.version).windows],
        config.max_streams,
        config.tenant_attribute,
        is_counted=lambda s: s in pipeline.ledger.streams,
    )
    pipeline = make_pipeline(
        config,
        references,
        Promises.of_config(config, references.profiles.values()),
        forward=None,
        emit=kept,
        self_metrics=self_metrics,
        clock_ns=lambda: now_ns,
        explaining=explaining,
    )
    logs, heard_ns = ReplayedLogs(), 0
    with reading_progress(paths, is_shown=arguments.progress or sys.stderr.isatty()) as report:
        for path, requests in logs_first(paths):
            for request, place, read_bytes in requests:
                if isinstance(request, ExportLogsServiceRequest):
                    logs.add(request)
                elif isinstance(request, ExportTraceServiceRequest):
                    heard_ns = max(heard_ns, newest_end_ns(request))
                    for said in logs.until(heard_ns):
                        explaining.hear(Signal.LOGS, said)
                    _take(pipeline, request, f"{path}:{place}")
                    pipeline.tick(now_ns)
                report(path, read_bytes)
    for said in logs.until():
        explaining.hear(Signal.LOGS, said)
    pipeline.finish()
    for name, attributes, count in self_metrics.snapshot():
        if count and name.startswith("ml.processor."):
            kept.counts[" ".join([name, *attributes.values()])] = count
    return kept


def _without_header(config: Config) -> Config:
    """Return *config* for files, which have no headers: whose spans are told apart by one would all be nobody's, and compared with nothing."""
    if config.tenants is None or config.tenants.header is None:
        return config
    sys.stderr.write(
        f"otel-ml replay: files have no header {config.tenants.header}, so tenants are not told apart, and `profiles` holds for all\n"
    )
    return msgspec.structs.replace(config, tenants=None)


def _take(pipeline: Pipeline, request: ExportTraceServiceRequest, place: str) -> None:
    try:
        pipeline.take(request.SerializeToString(), None)
    except Refusal as refusal:
        raise OtlpFileError(f"{place}: {refusal.message}") from None


def main(argv: Sequence[str] | None = None) -> int:
    """Run `otel-ml replay` with *argv* and return its exit code: 0, or 2 with one line on stderr."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that cannot show every name
    try:
        arguments = _parser().parse_args(argv)
        kept = replayed(arguments.files, arguments)
        if not kept.readings:
            raise OtlpFileError(
                f"{_named(arguments.files)}: expected inferences (spans with ml.operation.name and ml.model.name), found none"
            )
    except OtelMlError as error:
        sys.stderr.write(f"otel-ml replay: {error}\n")
        return _MISUSED
    if arguments.json:
        for reading in kept.readings:
            sys.stdout.write(reading_json(reading).decode() + "\n")
    else:
        alarms = [describe(change) for change in kept.changes]
        paper().print(replay_text(kept.readings, alarms, kept.counts))
    return _REPLAYED


def _named(paths: Sequence[Path]) -> str:
    return ", ".join(map(str, paths))


def _parser() -> Parser:
    parser = Parser(
        prog="otel-ml replay",
        description=__doc__,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add(
        "files",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="OTLP traces, and logs with explanations; all else is passed over",
    )
    add("--config", type=Path, metavar="FILE", help="that of the processor (default: its defaults)")
    add("--set", action="append", default=[], metavar="KEY=VALUE", help="overrule one option")
    add(
        "--json",
        action="store_true",
        help="a JSON object per window, with everything that is known of it",
    )
    add("--progress", action="store_true", help="show progress even if stderr is no terminal")
    return parser
