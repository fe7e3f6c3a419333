"""Labels find what a dictionary of all predictions would find, in whatever order things come."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_ml_processor.config import Config, Duration, FeedbackConfig, TenantsConfig, WindowConfig
from otel_ml_processor.feedback.memory import JoiningMemory
from otel_ml_processor.feedback.totals import FeedbackTotals
from otel_ml_processor.signals import Signal
from tests.data.export_requests import export_request, inference_span
from tests.data.labels import label_record, label_request, rooms

if TYPE_CHECKING:
    from collections.abc import Iterator

    from otel_ml_processor.assess.performance import PerformanceReading

SECOND_NS = 1_000_000_000
START_NS = 1_750_000_000 * SECOND_NS
EARLY_S, HORIZON_S = 10, 100
CONFIG = Config(
    windows=(WindowConfig(name="all", rows=1_000_000),),
    feedback=FeedbackConfig(horizon=Duration(HORIZON_S), early=Duration(EARLY_S)),
    tenants=TenantsConfig(attribute="tenant.id"),
)


class Call(NamedTuple):
    """One span: a model, the number of its prediction id or none, and what it said of each sample."""

    model: int
    name: int | None
    said: str


class Predict(NamedTuple):
    """A request of a tenant."""

    tenant: str
    calls: list[Call]


class Label(NamedTuple):
    """What a tenant says of the span with that number, or of the prediction id with that name; its time is so many seconds from now."""

    tenant: str
    span: int | None
    name: tuple[int, int]
    position: int | None
    said: str
    after_s: int


class Tick(NamedTuple):
    """So much time passes."""

    seconds: int


class Restart(NamedTuple):
    """Another processor goes on from what this one kept."""


TENANTS = st.sampled_from(["south", "south", "south", "north"])
NAMES = st.integers(0, 3)
CALLS = st.builds(Call, st.integers(0, 1), st.none() | NAMES, st.text("ab", min_size=1, max_size=3))
LABELS = st.builds(
    Label,
    TENANTS,
    st.none() | st.integers(1, 12),
    st.tuples(st.integers(0, 1), NAMES),
    st.none() | st.integers(0, 2),
    st.sampled_from("ab"),
    st.sampled_from([-20, -1, 0]),
)
STEPS = st.one_of(
    st.builds(Predict, TENANTS, st.lists(CALLS, min_size=2, max_size=6)),
    st.lists(LABELS, min_size=2, max_size=12),
    st.builds(Tick, st.sampled_from([0, 1, EARLY_S - 1, EARLY_S, HORIZON_S])),
    st.builds(Restart),
)


class Told:
    """Keeps what was told last of each stream."""

    def __init__(self) -> None:
        self.totals: dict[tuple[str, str], FeedbackTotals] = {}

    def feedback(self, totals: FeedbackTotals) -> None:
        """Keep *totals*."""
        assert totals.stream is not None
        self.totals[totals.stream.model, totals.stream.tenant] = totals

    def performance(self, reading: PerformanceReading) -> None:
        """Pass over it: no window closes."""


@dataclass
class Row:
    """A prediction of the twin's."""

    model: str
    tenant: str
    time_ns: int
    said: str
    is_labelled: bool = False


@dataclass
class Twin:
    """A dictionary of all predictions, and a list of all labels that wait."""

    kept: dict[object, Row] = field(default_factory=dict)
    waiting: list[tuple[int, Label, int]] = field(default_factory=list)
    counts: Counter[tuple[str, str, str, bool | None]] = field(default_factory=Counter)

    def predict(self, request: Predict, first_span: int, now_ns: int) -> None:
        """Keep every sample under all that it is called."""
        for number, call in enumerate(request.calls, start=first_span):
            for position, said in enumerate(call.said):
                row = Row(f"model {call.model}", request.tenant, now_ns, said)
                at = position if len(call.said) > 1 else None
                self.kept.setdefault((number, at), row)
                if call.name is not None:
                    self.kept.setdefault((request.tenant, (call.model, call.name), at), row)

    def settle(self, now_ns: int, *, is_last: bool = False) -> None:
        """Look up every label that waits."""
        waiting, self.waiting = self.waiting, []
        for arrived_ns, label, time_ns in waiting:
            arrived = arrived_ns or now_ns
            row = self._found(label)
            if row is not None:
                self._join(row, label, min(time_ns, arrived))
            elif not is_last and now_ns - arrived < EARLY_S * SECOND_NS:
                self.waiting.append((arrived, label, time_ns))
            else:
                self.counts["", label.tenant, "unmatched", None] += 1

    def _found(self, label: Label) -> Row | None:
        base = (label.tenant, label.name) if label.span is None else (label.span,)
        rows = [self.kept.get((*base, at)) for at in dict.fromkeys((label.position, None))]
        if label.position:
            rows = rows[:1]  # the second sample of what is no batch is nothing
        return next((row for row in rows if row and row.tenant == label.tenant), None)

    def _join(self, row: Row, label: Label, time_ns: int) -> None:
        outcome = "joined"
        if time_ns - row.time_ns > HORIZON_S * SECOND_NS:
            outcome = "late"
        elif row.is_labelled:
            outcome = "duplicate"
        row.is_labelled |= outcome == "joined"
        self.counts[row.model, row.tenant, outcome, label.said == row.said] += 1


class Ours:
    """The rooms of a processor that labels go through."""

    def __init__(self) -> None:
        self.told = Told()
        self.now_ns = START_NS
        self._begin()

    def _begin(self) -> None:
        self.joining, self.pipeline = rooms(CONFIG, self.told, lambda: START_NS)
        # Time passes here; a prediction of later than now is taken to be of now.
        self.pipeline.ledger._clock_ns = lambda: self.now_ns

    def predict(self, request: Predict, first_span: int, now_ns: int) -> None:
        """Send spans."""
        spans, self.now_ns = [], now_ns
        for number, call in enumerate(request.calls, start=first_span):
            values: dict[str, object] = {"ml.model.name": f"model {call.model}"}
            if call.name is not None:
                values["ml.prediction.id"] = f"{call.model}-{call.name}"
            if len(call.said) > 1:
                values |= {"ml.prediction.labels": [*call.said], "ml.batch.size": len(call.said)}
            else:
                values["ml.prediction.label"] = call.said
            spans.append(inference_span(values, span_id=number, end_ns=now_ns))
        self.pipeline.take(export_request(spans, resource(request.tenant)), None)

    def label(self, label: Label, time_ns: int) -> None:
        """Send a label as a log record."""
        values: dict[str, object] = {"ml.feedback.label": label.said}
        if label.position is not None:
            values["ml.prediction.index"] = label.position
        if label.span is None:
            values["ml.prediction.id"] = "{}-{}".format(*label.name)
        record = label_record(values, label.span, time_ns)
        request = label_request([record], resource(label.tenant))
        self.joining.inbox.hear(Signal.LOGS, request)

    def restart(self, now_ns: int) -> None:
        """Write down what is kept, and go on from it."""
        written = msgspec.msgpack.encode(self.joining.memory(100_000, now_ns))
        self._begin()
        memory = msgspec.msgpack.decode(written, type=JoiningMemory)
        self.joining.recall(memory, counts_go_on=True)

    def counts(self) -> Iterator[tuple[tuple[str, str, str, bool | None], int]]:
        """Yield how often feedback had which outcome, by model and tenant."""
        for (model, tenant), totals in self.told.totals.items():
            for joined, count in totals.joined.items():
                yield (model, tenant, joined.outcome.value, joined.correct), count


def resource(tenant: str) -> dict[str, object]:
    """Return the attributes of a resource of *tenant*."""
    return {"service.name": "shop", "tenant.id": tenant}


@settings(deadline=None, max_examples=60)
@given(st.lists(STEPS, min_size=12, max_size=30))
def test_labels_find_what_a_dictionary_would_find(steps: list[object]) -> None:
    """
    Every label is joined, late, a duplicate or unmatched as one dictionary from names to samples says.

    By trace context or prediction id, with a position in a batch or without, of two tenants with the same ids, before its prediction or a hundred
    seconds after it, said twice, with restarts anywhere.
    """
    ours, twin = Ours(), Twin()
    now_ns, next_span = START_NS, 1
    for step in [*steps, Tick(1)]:
        if isinstance(step, Predict):
            ours.predict(step, next_span, now_ns)
            twin.predict(step, next_span, now_ns)
            next_span += len(step.calls)
        for label in step if isinstance(step, list) else ():
            time_ns = now_ns + label.after_s * SECOND_NS
            ours.label(label, time_ns)
            twin.waiting.append((0, label, time_ns))
        if isinstance(step, Tick | Restart):
            now_ns += step.seconds * SECOND_NS if isinstance(step, Tick) else 0
            ours.pipeline.tick(now_ns)
            twin.settle(now_ns)
        if isinstance(step, Restart):
            ours.restart(now_ns)
            twin.waiting = []  # what overtook its prediction is not remembered
    ours.pipeline.join_last(now_ns)
    twin.settle(now_ns, is_last=True)
    assert dict(ours.counts()) == dict(twin.counts)
