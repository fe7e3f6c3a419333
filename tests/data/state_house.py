"""A processor without its doors: real pipeline, ledger, keeper and files, and a clock that is put."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_ml_processor.assess.promise import Promises
from otel_ml_processor.config import Config, StateConfig, WindowConfig
from otel_ml_processor.decode.spans import PlainDecoder
from otel_ml_processor.emit.metrics import MetricBook
from otel_ml_processor.pipeline import Pipeline
from otel_ml_processor.profile import Profile, Source
from otel_ml_processor.receive.repeats import Repeats
from otel_ml_processor.service import new_self_metrics
from otel_ml_processor.state.keeper import Keeper, Kept
from otel_ml_processor.state.ledger import Ledger
from otel_ml_processor.state.seen_spans import SeenSpans
from otel_ml_processor.state.stored_streams import StoredStream
from otel_ml_processor.windows.divided import Divisions
from otel_ml_processor.windows.reference import build_profile
from otel_ml_processor.windows.references import References
from otel_ml_processor.windows.streams import Streams
from tests.unit.processor.otlp_requests import inference, request_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from otel_ml_processor.assess.reading import Change, Reading
    from otel_ml_processor.assess.verdict import Verdicts
    from otel_ml_processor.columns import StreamKey
    from otel_ml_processor.decode.decoder import Decoded
    from otel_ml_processor.windows.streams import Totals

__all__ = ["NOW", "House", "profile", "request", "singly"]

NOW = 1_700_000_000_000_000_000
WINDOWS = (WindowConfig(name="10m", length=600.0), WindowConfig(name="rows", rows=20))  # type: ignore[arg-type] # seconds, read from a file


@cache
def profile(seed: int = 7, mean: float = 0.0) -> Profile:
    """Return the profile of a model with a number, normal around *mean*, and a confidence."""
    random = np.random.default_rng(seed)
    return build_profile(
        {"amount": random.normal(mean, size=2000)},
        model="fraud",
        version="1",
        created="2026-01-01T00:00:00Z",
        source=Source(kind="array", uri="", rows=2000),
        confidence=random.uniform(0.5, 1.0, size=2000),
    )


def request(numbers: Iterable[int], model: str = "fraud", at_ns: int = NOW) -> bytes:
    """Return a request with the inferences of those *numbers*: the same number is the same span, whatever request it is in."""
    spans = []
    for number in numbers:
        random = np.random.default_rng(number)
        spans.append(
            inference(
                number,
                end_ns=at_ns + 1_000_000_000 * (number % 7),
                model=model,
                features={"amount": float(random.normal())},
                prediction_label=f"class {number % 3}",
                prediction_confidence=float(random.uniform(0.5, 1.0)),
            )
        )
    return request_of(spans).SerializeToString()


def singly(requests: Iterable[bytes]) -> list[bytes]:
    """Return the spans of *requests* in the same order, each in a request of its own, as a sender that batches anew would."""
    spans = [
        span
        for one in requests
        for span in ExportTraceServiceRequest.FromString(one).resource_spans[0].scope_spans[0].spans
    ]
    return [request_of([span]).SerializeToString() for span in spans]


class House:
    """
    A processor on the folder *path* (None: without a state).

    *taken* are the requests that it acknowledged.
    """

    def __init__(
        self,
        path: Path | None,
        *,
        journal: bool = False,
        windows: Sequence[WindowConfig] = WINDOWS,
        reference: Profile | None = None,
        clock_ns: Callable[[], int] = lambda: NOW,
        **state: float,
    ) -> None:
        """Build it; with a *path*, restore."""
        self.config = Config(windows=tuple(windows))
        self.metrics = new_self_metrics()
        self.references = References.of([("fraud.json", reference or profile())])
        self.clock_ns = clock_ns
        streams = Streams(
            self.config.streams,
            windows,
            self.references.reference,
            divisions=Divisions.of(self.config),
        )
        self.ledger = Ledger(
            streams=streams,
            spans=SeenSpans(600, 1 << 12),
            repeats=Repeats(600),
            self_metrics=self.metrics,
            clock_ns=clock_ns,
        )
        promises = Promises.of(self.config.drift, windows, [])
        self.book = MetricBook(
            windows=tuple(promises.alphas),
            scores=("psi",),
            self_metrics=self.metrics,
            clock_ns=clock_ns,
        )
        self.readings: list[tuple[Reading, Change | None]] = []
        self.pipeline = Pipeline(
            config=self.config,
            decoder=PlainDecoder(self.references.features),
            ledger=self.ledger,
            reference_of=self.references.reference,
            promises=promises,
            forward=None,
            emit=self,
            self_metrics=self.metrics,
        )
        self.taken: list[bytes] = []
        self.keeper: Keeper | None = None
        if path is not None:
            config = StateConfig(directory=str(path), journal=journal, **state)  # type: ignore[arg-type] # as above
            kept = Kept(
                self.ledger,
                self.pipeline.states,
                self.book,
                self.references.reference,
                self.metrics,
                told=self.pipeline,
            )
            self.keeper = Keeper(config, path, kept, clock_ns)
            self.keeper.restore()
            self.tick()

    def take(self, *requests: bytes) -> House:
        """Take *requests*, one after the other."""
        for one in requests:
            self.pipeline.take(one, None)
            self.taken.append(one)
        return self

    def tick(self) -> None:
        """Let time pass."""
        self.pipeline.tick(self.clock_ns())

    def save(self) -> None:
        """Write a snapshot now."""
        assert self.keeper is not None
        self.keeper.save()

    def stop(self) -> None:
        """End cleanly."""
        assert self.keeper is not None
        self.tick()
        self.keeper.close()

    def vanish(self) -> None:
        """End without a last word, as a process that is killed; the system takes its locks and files."""
        assert self.keeper is not None
        self.keeper._folder.release()

    def content(self) -> list[bytes]:
        """Return what all streams have counted, byte for byte, but not when they were last heard of; windows that are closed have been told."""
        self.tick()
        copies = [StoredStream.of(copy) for copy in self.ledger.streams.copies()]
        return sorted(
            msgspec.msgpack.encode(msgspec.structs.replace(stored, heard_ns=0)) for stored in copies
        )

    def windows(self) -> list[bytes]:
        """Return what `content` does, without what has been counted since a stream was first seen."""
        self.tick()
        copies = [StoredStream.of(copy) for copy in self.ledger.streams.copies()]
        return sorted(msgspec.msgpack.encode((s.key, s.newest_ns, s.windows)) for s in copies)

    def rows(self, window: str = "10m") -> int:
        """Return the rows of the open windows of that name."""
        return sum(
            opened.summary.rows
            for copy in self.ledger.streams.copies()
            for windows in copy.windows
            if windows.name == window
            for opened in windows.opened
        )

    def counted(self, metric: str, **attributes: str) -> list[tuple[float, int]]:
        """Return value and start of the points of *metric* that have *attributes* (`_` for `.`)."""
        wanted = {(key.replace("_", "."), value) for key, value in attributes.items()}
        return [
            (point.value, point.start_ns)
            for found in self.book.collect()
            if found.definition.name == metric
            for point in found.points
            if wanted <= set(point.attributes)
        ]

    def reading(self, reading: Reading, change: Change | None) -> None:
        """Keep it, and write it into the book."""
        self.readings.append((reading, change))
        self.book.update(reading, change)

    def refresh(self, reading: Reading) -> None:
        """Write it into the book."""
        self.book.refresh(reading)

    def totals(self, totals: Totals) -> None:
        """Write them into the book."""
        self.book.set_totals(totals.stream, totals.labels, totals.low_confidence)

    def forget(self, stream: StreamKey) -> None:
        """Take it out of the book."""
        self.book.forget(stream)

    def lag(self, lag_s: float) -> None:
        """Write it into the book."""
        self.book.set_window_lag(lag_s)

    def dedupe_horizon(self, horizon_s: float) -> None:
        """Write it into the book."""
        self.book.set_dedupe_horizon(horizon_s)

    def annotated(self, decoded: Decoded, verdicts: Verdicts) -> bytes:
        """Return the request as it is."""
        return decoded.spans.request

    def verdict_spans(self, decoded: Decoded, verdicts: Verdicts) -> None:
        """Send nothing."""
