"""Explanations: what is read of them, what a window of them says, and that like inputs should be explained alike."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otel_ml_conventions.attributes import MlDriftStateValues, MlDriftTargetValues
from otel_ml_processor.assess.explanations import (
    FEWEST,
    Explained,
    ExplanationReference,
    assess_explanations,
)
from otel_ml_processor.columns import StreamKey
from otel_ml_processor.commands.profile import build_profile_from_table
from otel_ml_processor.config_file import load_config
from otel_ml_processor.decode.spans import PlainDecoder
from otel_ml_processor.feedback import explaining as explaining_module
from otel_ml_processor.feedback.explaining import FIRST, Explaining
from otel_ml_processor.feedback.explanations import Explanation, explanations_in
from otel_ml_processor.service import Service
from otel_ml_processor.signals import Signal
from otel_ml_processor.windows.placed import place
from otel_ml_processor.windows.reference import Reference
from tests.data.export_requests import (
    RESOURCE,
    any_value,
    attributes,
    export_request,
    inference_span,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from otel_ml_processor.decode.whose import Whose

STREAM = StreamKey("shop", "prod", "fraud", "3")
MODEL = {"ml.model.name": "fraud", "ml.model.version": "3"}
FEATURES = ("amount", "age", "visits", "height")
TRACE = bytes.fromhex("0af7651916cd43dd8448eb211c80319c")


def record(attributions: object, span: int = 0, name: str = "ml.explanation") -> LogRecord:
    """Return an explanation of the inference whose span has this number."""
    said = {**MODEL, "ml.explanation.method": "other", "ml.explanation.attributions": attributions}
    return LogRecord(
        event_name=name,
        trace_id=TRACE,
        span_id=span.to_bytes(8, "big"),
        attributes=attributes(said),
    )


def logs(*records: LogRecord) -> bytes:
    """Return the request that a collector sends."""
    resource = Resource(attributes=attributes(RESOURCE))
    scope = ScopeLogs(log_records=records)
    return ExportLogsServiceRequest(
        resource_logs=[ResourceLogs(resource=resource, scope_logs=[scope])]
    ).SerializeToString()


def read(*records: LogRecord) -> list[Explanation]:
    """Return what is read of *records*."""
    return explanations_in(Signal.LOGS, logs(*records))


def usual(
    n: int, seed: int = 1, weights: tuple[float, ...] = (4, 3, 2, 1)
) -> list[dict[str, float]]:
    """Return attributions that are normal around 0, of features that count unequally."""
    drawn = np.random.default_rng(seed).normal(size=(n, len(FEATURES))) * weights
    return [dict(zip(FEATURES, row, strict=True)) for row in drawn.tolist()]


@cache
def reference(n: int = 5000) -> ExplanationReference:
    """Return what so many usual explanations say."""
    found = ExplanationReference.first(usual(n, seed=9))
    assert found is not None
    return found


def explained(*parts: list[dict[str, float]]) -> Explained:
    """Return a window of these explanations."""
    window = Explained(reference())
    for part in parts:
        window.add(part)
    return window


def drifting(window: Explained, alpha: float = 0.01) -> list[str]:
    """Return the features whose attributions drift."""
    readings = assess_explanations(window, alpha=alpha, effect_floor=0.01, scores=())
    return [r.name for r in readings if r.state is MlDriftStateValues.DRIFTING]


@pytest.mark.parametrize("form", [dict, json.dumps])
def test_a_name_longer_than_names_are_is_passed_over(form: Callable[[object], object]) -> None:
    """Hundreds of explanations are kept: each with a megabyte of name they would be all of the memory."""
    said = form({"a" * 257: 1.0, "a" * 256: 2.0, "b": 3.0})

    (found,) = explanations_in(Signal.LOGS, logs(record(said)))

    assert found.attributions == {"a" * 256: 2.0, "b": 3.0}


def test_an_explanation_is_read_from_a_log() -> None:
    """Whose prediction it is, and what each feature adds to it."""
    (one,) = read(record({"amount": 0.5, "age": -1, "visits": float("nan")}, span=7))

    assert one.stream == STREAM
    assert one.attributions == {"amount": 0.5, "age": -1.0}
    assert len(one.keys) == 1


def test_an_explanation_is_read_from_the_inferences_span() -> None:
    """The event says what, the span whose; attributions may be JSON."""
    span = {"ml.operation.name": "predict", **MODEL}
    request = export_request([_span_with_event(span, json.dumps({"amount": 0.5}))])

    (one,) = explanations_in(Signal.TRACES, request)

    assert one.stream == STREAM
    assert one.attributions == {"amount": 0.5}


def _span_with_event(said: Mapping[str, object], attributions: str) -> Span:
    event = Span.Event(
        name="ml.explanation",
        attributes=attributes({"ml.explanation.attributions": attributions}),
    )
    return Span(
        trace_id=TRACE, span_id=bytes(7) + b"\1", attributes=attributes(said), events=[event]
    )


@pytest.mark.parametrize(
    "attributions",
    [None, {}, "no JSON", "[1]", '{"a":"b"}', 5, {"a": "b"}, {str(i): 1.0 for i in range(1001)}],
)
def test_what_explains_nothing_is_passed_over(attributions: object) -> None:
    """Text, nothing, lists and maps of a thousand and one features: not an explanation, and no reason to fail."""
    assert read(record(attributions)) == []


def test_other_events_are_no_explanations() -> None:
    """Whatever they hold."""
    assert read(record({"a": 1.0}, name="ml.feedback")) == []


@given(st.binary(max_size=60))
def test_a_record_that_is_none_never_raises(content: bytes) -> None:
    """Anybody may send anything."""
    marked = LogRecord(
        event_name="ml.explanation",
        attributes=[],
        body=any_value(content + b"ml.explanation.attributions"),
    )

    assert read(marked) == []


def test_importance_is_the_mean_absolute_attribution() -> None:
    """By hand; a feature that was not told counts 0."""
    window = explained([{"amount": -2.0, "age": 1.0}, {"amount": 1.0}])

    assert window.reading.importance == pytest.approx(
        {"amount": 1.5, "age": 0.5, "visits": 0.0, "height": 0.0}
    )


def test_the_importance_of_the_reference_is_known() -> None:
    """The mean absolute value, which its bins tell within 1 %: only those around zero hold values of either sign."""
    expected = np.mean([abs(each["amount"]) for each in usual(5000, seed=9)])

    assert explained().reading.before["amount"] == pytest.approx(expected, rel=0.01)


def test_one_huge_attribution_moves_the_mean_by_one_usual_value() -> None:
    """It is cut to the largest of the reference."""
    limit = reference().limits["amount"]

    window = explained([{"amount": 1e300}, {"amount": 0.0}])

    assert window.reading.importance["amount"] == pytest.approx(limit / 2)


def test_usual_explanations_alarm_as_often_as_promised() -> None:
    """At 1 % per window, in no more than 3 % of 300 windows of 200 explanations (the promise is kept with .9995 if it holds)."""
    alarms = sum(bool(drifting(explained(usual(200, seed=100 + i)))) for i in range(300))

    assert alarms / 300 <= 0.03


def test_a_feature_that_counts_for_more_is_found() -> None:
    """One and a half times as much, in windows of 200: in nine of ten, and no other feature with it."""
    windows = [explained(usual(200, seed=i, weights=(4, 3, 3, 1))) for i in range(40)]

    found = [drifting(window) for window in windows]

    assert sum("visits" in names for names in found) >= 36
    assert sum(names == ["visits"] for names in found) >= 36


def test_a_feature_that_is_not_told_any_more_is_found() -> None:
    """What counted and counts no more is missing among those told."""
    told = [{k: v for k, v in each.items() if k != "age"} for each in usual(200)]

    assert drifting(explained(told)) == ["age"]


def test_explanations_that_say_nothing_are_no_reference() -> None:
    """No feature, no number: nothing to compare with, and nothing raised."""
    assert ExplanationReference.first([{}, {}]) is None


def test_a_reading_names_its_target() -> None:
    """What drifts is the explanation of a feature, not the feature."""
    readings = assess_explanations(explained(usual(80)), alpha=0.01, effect_floor=0.01, scores=())

    assert {reading.target for reading in readings} == {MlDriftTargetValues.EXPLANATION}


@cache
def profile_reference(*, with_explanations: bool = True) -> Reference:
    """Return a model whose features are the numbers 0 to 99, with usual explanations or without."""
    values = np.arange(2000.0) % 100
    said = usual(3000, seed=9)
    table = {name: np.array([each[name] for each in said]) for name in FEATURES}
    profile = build_profile_from_table(
        dict.fromkeys(FEATURES, values),
        model="fraud",
        version="3",
        created="2026-01-01",
        explanations=table if with_explanations else None,
    )
    return Reference.of(profile)


def explaining(known: Reference | None) -> Explaining:
    """Return what gathers explanations of streams that are compared with *known*."""
    return Explaining(lambda _: known, lambda _: ["1h", "24h"], max_streams=2)


def send(to: Explaining, said: list[dict[str, float]], first_span: int = 0) -> None:
    """Send one explanation per span."""
    records = [record(each, first_span + i) for i, each in enumerate(said)]
    to.hear(Signal.LOGS, logs(*records))
    to.settle()


def test_every_window_takes_what_came_since_it_last_took_some() -> None:
    """The hourly window has had its explanations, the daily one still has all of them."""
    gathering = explaining(profile_reference())
    send(gathering, usual(60))

    hour = gathering.taken(STREAM, "1h")
    send(gathering, usual(70))

    assert hour is not None
    assert hour.rows == 60
    again, day = gathering.taken(STREAM, "1h"), gathering.taken(STREAM, "24h")
    assert again is not None
    assert day is not None
    assert (again.rows, day.rows) == (70, 130)


def test_too_few_explanations_wait_for_the_next_window() -> None:
    """Nothing is tested on a handful, and nothing of them is lost."""
    gathering = explaining(profile_reference())
    send(gathering, usual(FEWEST - 1))

    assert gathering.taken(STREAM, "1h") is None
    send(gathering, usual(1))
    taken = gathering.taken(STREAM, "1h")

    assert taken is not None
    assert taken.rows == FEWEST


@pytest.mark.parametrize("known", [None, profile_reference(with_explanations=False)])
def test_without_a_reference_the_first_explanations_are_it(known: Reference | None) -> None:
    """They are not tested against themselves, and what is compared with them says that it is provisional."""
    gathering = explaining(known)
    send(gathering, usual(FIRST))
    nothing = gathering.taken(STREAM, "1h")
    send(gathering, usual(FEWEST, seed=3))

    taken = gathering.taken(STREAM, "1h")

    assert nothing is None
    assert taken is not None
    assert (taken.rows, taken.reading.is_provisional) == (FEWEST, True)


def test_streams_beyond_the_cap_are_not_kept() -> None:
    """Whoever names many models fills no memory."""
    gathering = explaining(profile_reference())
    for model in ("a", "b", "c"):
        one = record({"amount": 1.0})
        one.attributes[0].value.string_value = model
        gathering.hear(Signal.LOGS, logs(*[one] * FEWEST))
    gathering.settle()

    taken = [gathering.taken(StreamKey("shop", "prod", m, "3"), "1h") for m in ("a", "b", "c")]

    assert [window is not None for window in taken] == [True, True, False]


def inputs(to: Explaining, known: Reference, values: list[float]) -> None:
    """Have inferences counted whose features all have one of *values*, spans 0, 1 ..."""
    spans = [
        Span(
            trace_id=TRACE,
            span_id=i.to_bytes(8, "big"),
            name="predict fraud",
            start_time_unix_nano=1000,
            end_time_unix_nano=2000,
            attributes=attributes(
                {
                    "ml.operation.name": "predict",
                    **MODEL,
                    "ml.input.features": json.dumps(dict.fromkeys(FEATURES, value)),
                }
            ),
        )
        for i, value in enumerate(values, start=1)
    ]
    decoded = PlainDecoder(lambda _: FEATURES).decode(export_request(spans))
    to.remember(decoded.spans, [place(rows, known) for rows in decoded.columns])


def consistency(
    alike: dict[str, float], other: dict[str, float], values: list[float]
) -> float | None:
    """Return the consistency of explanations that are *alike* and *other* in turn, of inputs with these values."""
    known = profile_reference()
    gathering = explaining(known)
    send(gathering, usual(1))  # from now on it is known that predictions are explained
    inputs(gathering, known, values)
    send(gathering, [other if i % 2 else alike for i in range(len(values))], first_span=1)
    taken = gathering.taken(STREAM, "1h")
    assert taken is not None
    return taken.reading.consistency


ONE = {"amount": 5.0, "age": 4.0, "visits": 3.0, "height": 0.1}
OTHER = {"height": 5.0, "age": 4.0, "visits": 3.0, "amount": 0.1}


def test_like_inputs_that_are_explained_alike_are_consistent() -> None:
    """Fifty times the same input and the same three features on top."""
    assert consistency(ONE, ONE, [50.0] * 60) == 1.0


def test_like_inputs_that_are_explained_otherwise_are_not() -> None:
    """Of the two sets of three features two are in both: two of four."""
    assert consistency(ONE, OTHER, [50.0] * 60) == pytest.approx(0.5)


def test_inputs_in_other_bins_are_not_near() -> None:
    """Two inputs, explained in two ways, in turn: each is explained as it was before."""
    assert consistency(ONE, OTHER, [5.0, 95.0] * 30) == 1.0


def test_of_inputs_that_are_all_unlike_nothing_is_said() -> None:
    """An explanation alone is neither consistent nor not."""
    known = profile_reference()
    gathering = explaining(known)
    send(gathering, usual(FEWEST))  # their inputs were never seen

    taken = gathering.taken(STREAM, "1h")

    assert taken is not None
    assert taken.reading.consistency is None


def test_a_table_of_attributions_is_told_as_explanations_are() -> None:
    """Of a row of twelve the ten largest are told, whatever their sign."""
    rng = np.random.default_rng(4)
    table = {f"f{i}": (i + 1) * rng.choice([-1.0, 1.0], size=300) for i in range(12)}

    profile = build_profile_from_table(
        {"x": np.arange(300.0)}, model="m", created="", explanations=table
    )

    said = {each.name: each for each in profile.explanations}
    assert set(said) == {f"f{i}" for i in range(2, 12)}
    assert said["f11"].missing == 0
    assert profile.explanations[0].name == "f11"


def nameless(n: int, first_span: int = 1) -> bytes:
    """Return the log request of explanations that name no model, of the spans with these numbers."""
    records = [record(each, first_span + i) for i, each in enumerate(usual(n))]
    for each in records:
        del each.attributes[:2]
    return logs(*records)


def looking_up(of: Mapping[int, StreamKey], patience_ns: int = 10) -> Explaining:
    """Return what gathers explanations of predictions whose keys are known to be of these streams."""
    known = profile_reference()
    return Explaining(
        lambda _: known,
        lambda _: ["1h"],
        max_streams=2,
        predicted=lambda keys: {key: of[key] for key in keys & of.keys()},
        patience_ns=patience_ns,
    )


def test_whose_an_explanation_is_is_told_by_its_span() -> None:
    """An event that names no model counts for the model whose span it is of; without a known span it counts for none."""
    explanations = explanations_in(Signal.LOGS, nameless(FEWEST))
    gathering = looking_up({e.keys[0]: STREAM for e in explanations})
    gathering.hear(Signal.LOGS, nameless(FEWEST))
    gathering.hear(Signal.LOGS, nameless(FEWEST, first_span=1000))
    gathering.settle()
    taken = gathering.taken(STREAM, "1h")
    assert taken is not None
    assert taken.rows == FEWEST


def test_an_explanation_that_overtook_its_prediction_waits() -> None:
    """For as long as feedback does, and no longer."""
    known: dict[int, StreamKey] = {}
    gathering = looking_up(known)
    gathering.hear(Signal.LOGS, nameless(FEWEST))
    gathering.settle(now_ns=1)
    gathering.hear(Signal.LOGS, nameless(FEWEST, first_span=1000))
    gathering.settle(now_ns=11)  # the first ones have waited for ten
    known |= {e.keys[0]: STREAM for e in explanations_in(Signal.LOGS, nameless(2000))}
    gathering.settle(now_ns=12)
    taken = gathering.taken(STREAM, "1h")
    assert taken is not None
    assert taken.rows == FEWEST


def test_a_prediction_of_another_tenant_is_not_explained() -> None:
    """Who knows the id of a span of somebody else says nothing about it."""
    explanations = explanations_in(Signal.LOGS, nameless(FEWEST))
    others = StreamKey("shop", "prod", "fraud", "3", "other")
    gathering = looking_up({e.keys[0]: others for e in explanations})
    gathering.hear(Signal.LOGS, nameless(FEWEST))
    gathering.settle()
    assert gathering.taken(others, "1h") is None


def of_model(model: str, n: int) -> bytes:
    """Return the log request of so many explanations of *model*."""
    records = [record(each, i) for i, each in enumerate(usual(n))]
    for each in records:
        next(a for a in each.attributes if a.key == "ml.model.name").value.string_value = model
    return logs(*records)


def test_models_without_predictions_take_no_room_from_those_with_some() -> None:
    """Of two streams that there is room for, the one that nobody predicts with makes room; what is dropped is counted."""
    dropped: list[int] = []
    gathering = Explaining(
        lambda _: profile_reference(),
        lambda _: ["1h"],
        max_streams=2,
        is_counted=lambda stream: stream.model in {"a", "b"},
        dropped=dropped.append,
    )
    for model in ("made up", "a", "b", "made up later"):
        gathering.hear(Signal.LOGS, of_model(model, FEWEST))
        gathering.settle()
    assert {memory.stream.model for memory in gathering.memories()} == {"a", "b"}
    assert sum(dropped) == 2 * FEWEST
    for model in ("a", "b"):
        taken = gathering.taken(replace(STREAM, model=model), "1h")
        assert taken is not None
        assert taken.rows == FEWEST


def test_a_processor_knows_whose_predictions_it_counts(tmp_path: Path) -> None:
    """With room for one stream, explanations of the model that is used are kept, not those of one that was made up before."""
    addresses = ["receive={endpoint: '127.0.0.1:0'}", "http={endpoint: '127.0.0.1:0'}"]
    service = Service(load_config(None, [*addresses, "streams={max: 1}"]), tmp_path)
    service._pipeline.take(export_request([inference_span()]), None)
    for model in ("made up", "fraud", "made up later"):
        service._explaining.hear(Signal.LOGS, of_model(model, FEWEST))
        service._pipeline.ledger.count()
        service.tick()
    assert [memory.stream for memory in service._explaining.memories()] == [STREAM]
    dropped = [
        n for _, said, n in service._self_metrics.snapshot() if "explanations" in said.values()
    ]
    assert dropped == [2 * FEWEST]


def test_explanations_without_room_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests beyond what is held between two ticks, and those beyond how many wait for their prediction."""
    dropped: list[int] = []
    gathering = Explaining(
        lambda _: None, lambda _: ["1h"], 2, patience_ns=10, dropped=dropped.append
    )
    monkeypatch.setattr(explaining_module, "_MAX_INPUTS", 10)
    gathering.hear(Signal.LOGS, nameless(12))
    gathering.settle(now_ns=1)
    assert sum(dropped) == 2
    monkeypatch.setattr(explaining_module, "MAX_HEARD_BYTES", len(nameless(12)))
    gathering.hear(Signal.LOGS, nameless(12))
    gathering.hear(Signal.LOGS, nameless(1))
    assert sum(dropped) == 3


def test_a_mistake_of_ours_costs_the_request_or_the_stream_that_it_is_about(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of three requests of a model and one of another in one tick, one that cannot be read and a model that cannot be counted: the others are."""
    explaining = Explaining(lambda _: None, lambda _: ["rows"], 10)
    mistakes = Mistakes()
    explaining.contained = mistakes
    whole_read, whole_count = explanations_in, Explaining._count

    def read_but_one(signal: Signal, request: bytes, whose: Whose) -> list[Explanation]:
        if b"unreadable" in request:
            raise RuntimeError("a mistake of ours")
        return whole_read(signal, request, whose)

    def count_but_one(self: Explaining, key: StreamKey, *rest: object) -> None:
        if key.model == "uncountable":
            raise RuntimeError("a mistake of ours")
        whole_count(self, key, *rest)  # type: ignore[arg-type]  # passed on as it came

    monkeypatch.setattr(explaining_module, "explanations_in", read_but_one)
    monkeypatch.setattr(Explaining, "_count", count_but_one)
    other = record({"a": 1.0})
    next(a for a in other.attributes if a.key == "ml.model.name").value.string_value = "uncountable"
    for request in (
        logs(other),
        logs(record({"a": 1.0})),
        logs(record({"unreadable": 1.0})),
        logs(record({"a": 2.0})),
    ):
        explaining.hear(Signal.LOGS, request)
    explaining.settle()
    kept = {memory.stream.model: memory.first for memory in explaining.memories()}
    assert kept == {"uncountable": (), "fraud": ({"a": 1.0}, {"a": 2.0})}
    assert mistakes.met == 2


class Mistakes(AbstractContextManager[None, bool]):
    """Counts what is raised, which goes no further."""

    met = 0

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: object, *_: object) -> bool:
        """End."""
        self.met += kind is not None
        return True
