"""What is said of a prediction afterwards: its id, feedback, explanations, what goes on inside."""

import json
import math
import threading
import uuid
from contextvars import Context
from datetime import datetime, timedelta, timezone
from functools import partial
from importlib.resources import files
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from opentelemetry import context, trace
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased
from sklearn.linear_model import LogisticRegression

import otel_ml
from otel_ml.record.events import SEVERITIES
from otel_ml.settings import Settings
from otel_ml.testing import Capture, capture

CANARY = 77.25


def errors(seen: Capture) -> dict[str, int]:
    """Return how often something failed, by cause."""
    return {p.attributes["ml.sdk.error.cause"]: p.value for p in seen.metric("ml.sdk.errors")}


def test_severities_are_those_of_the_registry() -> None:
    """Of every event that the SDK emits; those are all but the processor's."""
    registry = json.loads(files("otel_ml_conventions").joinpath("registry.json").read_text())
    emitted = {
        name: event["severity"]
        for name, event in registry["events"].items()
        if name != "ml.drift.detected"
    }
    assert {name: severity.name for name, severity in SEVERITIES.items()} == emitted


def test_an_id_is_the_address_of_the_span(seen: Capture) -> None:
    """In the form of `traceparent`; asked for inside, it is on the span."""
    with otel_ml.inference("fraud") as call:
        name = call.prediction_id
        assert name == otel_ml.current_prediction_id()
    (span,) = seen.spans
    assert name is not None
    version, trace_id, span_id, _flags = name.split("-")
    assert (version, trace_id, span_id) == (
        "00",
        f"{span.context.trace_id:032x}",
        f"{span.context.span_id:016x}",
    )
    assert seen.attributes["ml.prediction.id"] == name


def test_an_id_that_nobody_asks_for_is_not_made(seen: Capture) -> None:
    """So it is on no span; asked for after the call, it is known all the same."""
    with otel_ml.inference("fraud") as call:
        pass
    assert "ml.prediction.id" not in seen.attributes
    assert call.prediction_id is not None
    assert call.prediction_id == call.prediction_id == otel_ml.current_prediction_id()


def test_a_handler_learns_the_id_of_an_instrumented_call(seen: Capture) -> None:
    """After `predict` has returned: inside its trace, and not in the next one of that thread."""
    model = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    tracer = seen.tracer_provider.get_tracer("web")
    with tracer.start_as_current_span("first request"):
        assert otel_ml.current_prediction_id() is None
        model.predict([[0.5]])
        name = otel_ml.current_prediction_id()
    with tracer.start_as_current_span("second request"):
        assert otel_ml.current_prediction_id() is None
    assert name is not None
    assert f"{seen.spans[0].context.span_id:016x}" in name


def test_in_another_thread_there_is_no_prediction(seen: Capture) -> None:
    """A context of its own knows of none; a function that is propagated does."""
    found: list[str | None] = []

    def ask() -> None:
        found.append(otel_ml.current_prediction_id())

    with otel_ml.inference("fraud", prediction_id="p") as _:
        for target in (ask, otel_ml.propagate(ask)):
            thread = threading.Thread(target=target)
            thread.start()
            thread.join()
    assert found == [None, "p"]


def test_an_unsampled_prediction_has_an_id_of_its_own() -> None:
    """Two calls under an unsampled parent have different ids, which stay the same when asked again."""
    parent = trace.NonRecordingSpan(
        trace.SpanContext(1, 2, is_remote=True, trace_flags=trace.TraceFlags(0))
    )
    with capture(sampler=ParentBased(ALWAYS_OFF)):
        token = context.attach(trace.set_span_in_context(parent))
        calls = [otel_ml.inference("fraud") for _ in range(2)]
        for call in calls:
            with call:
                pass
        context.detach(token)
        first, second = (call.prediction_id for call in calls)
        assert first != second
        assert first == calls[0].prediction_id


def test_a_handler_learns_the_id_of_a_call_that_is_not_sampled() -> None:
    """As of any other, as long as its request lasts: most requests are of this kind where few are sampled."""
    model = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    with capture(sampler=ParentBased(ALWAYS_OFF)) as seen:
        tracer = seen.tracer_provider.get_tracer("web")
        names = []
        for _ in range(2):
            with tracer.start_as_current_span("request"):
                before = otel_ml.current_prediction_id()
                model.predict([[0.0]])
                names.append(otel_ml.current_prediction_id())
            assert before is None
        assert None not in names
        assert len(set(names)) == 2


def test_feedback_goes_to_the_trace_of_the_prediction(seen: Capture) -> None:
    """By the id alone, long after the span has ended, from another context."""
    with otel_ml.inference("fraud", version="3") as call:
        pass
    with otel_ml.inference("other"):
        pass
    otel_ml.record_feedback(call.prediction_id, label=1.0, correct=False, source="human", index=2)
    (event,) = seen.events
    assert event.trace_id == seen.spans[0].context.trace_id
    assert event.span_id == seen.spans[0].context.span_id
    assert dict(event.attributes) == {
        "ml.prediction.id": call.prediction_id,
        "ml.prediction.index": 2,
        "ml.feedback.label": "1",
        "ml.feedback.correct": False,
        "ml.feedback.source": "human",
    }
    (counted,) = seen.metric("ml.feedback.events")
    assert counted.value == 1
    assert dict(counted.attributes) == {"ml.feedback.correct": False, "ml.feedback.source": "human"}


@pytest.mark.parametrize(
    "index",
    [-1, 1.5, 1 << 63, True, np.True_, "2", [1], float("inf"), pytest.param(object(), id="any")],
    ids=repr,
)
def test_a_position_that_is_none_tells_of_no_sample(
    seen: Capture, caplog: pytest.LogCaptureFixture, index: Any
) -> None:
    """Neither feedback nor explanation leaves by it, for it would be of another sample; it is counted and logged."""
    otel_ml.record_feedback("p7", label="a", index=index)
    otel_ml.record_feedback("p7", label="a", index=index)
    with capture(Settings(capture_content="span_and_event")) as told_all:
        otel_ml.record_explanation({"a": 1.0}, prediction="p7", index=index)
        assert not told_all.events
        assert errors(told_all) == {"record_explanation": 1}
    assert not seen.events
    assert seen.metric("ml.feedback.events") == []
    assert errors(seen) == {"record_feedback": 2}
    logged = [record.getMessage() for record in caplog.records]
    assert "record_feedback: expected an index of at least 0, found another" in logged[0]
    assert len(logged) == 2


def test_several_samples_are_not_explained_at_one_position() -> None:
    """Each would be told of the sample that the position is of; the one that has it may be told alone."""
    with capture(Settings(capture_content="span_and_event")) as told_all:
        rows = [[1.0, 2.0], [3.0, 4.0]]
        otel_ml.record_explanation(rows, names=["a", "b"], prediction="p7", index=1)
        assert not told_all.events
        assert errors(told_all) == {"record_explanation": 1}
        otel_ml.record_explanation(rows[1], names=["a", "b"], prediction="p7", index=1)
        (told,) = told_all.events_named("ml.explanation")
        assert told["ml.prediction.index"] == 1


@pytest.mark.parametrize("index", [None, float("nan"), pd.NA], ids=repr)
def test_a_position_that_is_not_known_is_not_told(seen: Capture, index: Any) -> None:
    """In a table of outcomes it is NaN where a call had one sample; a whole number of any kind is one."""
    otel_ml.record_feedback("p7", label="a", index=index)
    otel_ml.record_feedback("p7", label="a", index=np.float64(2.0))  # type: ignore[arg-type]  # in such a column
    told = [dict(event.attributes).get("ml.prediction.index") for event in seen.events]
    assert told == [None, 2]
    assert errors(seen) == {}


@pytest.mark.parametrize("prediction", [float("nan"), pd.NA, pd.NaT], ids=repr)
def test_feedback_about_nothing_is_refused(seen: Capture, prediction: Any) -> None:
    """An id that a row of a table does not have is not `nan`."""
    otel_ml.record_feedback(prediction, label="a")
    assert not seen.events
    assert errors(seen) == {"record_feedback": 1}


@pytest.mark.parametrize("index", [-1, True, 2.5])
def test_positions_of_steps_and_epochs_are_counted_from_0(seen: Capture, index: Any) -> None:
    """Others are left out and counted; the step and the training are told."""
    with otel_ml.pipeline_step("scale", index=index):
        pass
    with otel_ml.training("fraud") as run:
        run.epoch({"loss": 0.5}, index=index)
    assert [span.name for span in seen.spans] == ["transform scale", "fit fraud"]
    assert all("index" not in key for span in seen.spans for key in span.attributes or {})
    assert not seen.events
    assert errors(seen) == {"describe_facts": 1, "record_epoch": 1}


def test_feedback_by_an_id_of_the_callers_own_has_no_trace(seen: Capture) -> None:
    """The request that brings it is not taken for the inference."""
    tracer = seen.tracer_provider.get_tracer("web")
    with tracer.start_as_current_span("POST /feedback"):
        otel_ml.record_feedback("order-7", score=0.5, model="fraud", version="3")
    (event,) = seen.events
    assert (event.trace_id, event.span_id) == (0, 0)
    assert event.attributes["ml.prediction.id"] == "order-7"
    assert event.attributes["ml.model.name"] == "fraud"


@pytest.mark.parametrize("as_span", [True, False])
def test_feedback_by_a_span(seen: Capture, as_span: bool) -> None:
    """Or by its context: no id is needed then."""
    span = seen.tracer_provider.get_tracer("x").start_span("elsewhere")
    otel_ml.record_feedback(span if as_span else span.get_span_context(), value=3)
    (event,) = seen.events
    assert event.span_id == span.get_span_context().span_id
    assert dict(event.attributes) == {"ml.feedback.value": 3.0}


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"label": "x", "source": "rumour"},
        {"value": "text"},
        {"score": object()},
        {"correct": np.array([True, False])},
        {"correct": "false"},
        {"correct": 2},
        {"label": math.nan},
        {"label": pd.NA, "value": np.float32("nan"), "score": math.nan, "correct": math.nan},
    ],
)
def test_feedback_that_says_nothing_is_refused(seen: Capture, told: dict[str, Any]) -> None:
    """It is counted as our error, not as feedback, and nothing is raised."""
    otel_ml.record_feedback("p", **told)
    assert seen.events == ()
    assert seen.metric("ml.feedback.events") == []
    assert errors(seen) == {"record_feedback": 1}


def test_what_a_table_does_not_know_yet_is_not_told(seen: Capture) -> None:
    """A label that has not come is no class `nan`, and a judgement that has not is not right."""
    # An id of its own: the last call of this thread, of another test, may be known by one that many use.
    told = {"label": math.nan, "correct": np.bool_(0), "score": pd.NA, "value": 0}
    otel_ml.record_feedback("not labelled yet", **told)
    (event,) = seen.events_named("ml.feedback")
    assert event == {
        "ml.prediction.id": "not labelled yet",
        "ml.feedback.correct": False,
        "ml.feedback.value": 0.0,
    }


@pytest.mark.parametrize("name", [17, uuid.UUID(int=17), np.int64(17), "x" * 300])
def test_an_id_that_is_no_text_leads_to_the_model_too(seen: Capture, name: Any) -> None:
    """As it was given to the call, so it may be given with what is learned of it."""
    with otel_ml.inference("fraud", version="3", prediction_id=name):
        pass
    otel_ml.record_feedback(name, correct=True)
    (event,) = seen.events_named("ml.feedback")
    assert (event["ml.model.name"], event["ml.model.version"]) == ("fraud", "3")


@pytest.mark.parametrize(
    "prediction",
    [None, "", "00-" + "0" * 32 + "-" + "0" * 16 + "-00", 7, b"x", object(), "x" * 9999],
)
def test_no_id_is_too_odd(seen: Capture, prediction: Any) -> None:
    """Feedback is taken whatever names the prediction."""
    otel_ml.record_feedback(prediction, correct=True)
    assert len(seen.events) == 1


def test_feedback_may_tell_what_was_predicted(seen: Capture) -> None:
    """Class, confidence and time: who receives it then need not have kept the prediction."""
    moment = datetime(2026, 3, 1, 11, 5, tzinfo=timezone(timedelta(hours=1)))
    otel_ml.record_feedback(
        "payment-7",
        label=1,
        predicted_label=np.int64(0),
        predicted_confidence=np.float32(0.75),
        predicted_at=moment,
    )
    (event,) = seen.events_named("ml.feedback")
    assert event == {
        "ml.prediction.id": "payment-7",
        "ml.feedback.label": "1",
        "ml.prediction.label": "0",
        "ml.prediction.confidence": 0.75,
        "ml.prediction.time": "2026-03-01T11:05:00+01:00",
    }


@pytest.mark.parametrize(
    "predicted",
    [
        {"predicted_confidence": 75},
        {"predicted_confidence": float("inf")},
        {"predicted_confidence": "sure"},
        {"predicted_at": datetime(2026, 3, 1, 11, 5)},  # noqa: DTZ001 - without a zone, on purpose
        {"predicted_at": "2026-03-01"},
    ],
    ids=str,
)
def test_a_prediction_that_cannot_be_meant_is_refused(
    seen: Capture, predicted: dict[str, Any]
) -> None:
    """Counted, and no event: feedback beside a wrong prediction would count as another error."""
    otel_ml.record_feedback("payment-7", label="fraud", **predicted)
    assert seen.events_named("ml.feedback") == []
    assert errors(seen) == {"record_feedback": 1}


def test_where_there_are_no_logs_feedback_is_a_span_with_a_link() -> None:
    """It stands in for the event; while the inference's span records, it is an event of that."""
    with capture(Settings(events_on_spans=True)) as seen:
        with otel_ml.inference("fraud") as call:
            otel_ml.record_feedback(call.prediction_id, correct=True)
        otel_ml.record_feedback(call.prediction_id, correct=False)
        inferred, told = seen.spans
        assert [event.name for event in inferred.events] == ["ml.feedback"]
        assert told.name == "feedback fraud"
        assert [link.context.span_id for link in told.links] == [inferred.context.span_id]
        assert len(seen.events) == 1
        seen.conformance.check()


def shap(**facts: Any) -> Any:
    """Return what has the form of an explanation of SHAP."""
    return SimpleNamespace(**{"feature_names": ["a", "b"], "data": None, **facts})


@pytest.mark.parametrize(
    ("explanation", "details"),
    [
        ({"a": 0.25, "b": -0.5}, {}),
        (pd.Series({"a": 0.25, "b": -0.5}), {}),
        (np.array([0.25, -0.5]), {"names": ["a", "b"]}),
        ([0.25, -0.5], {"names": np.array(["a", "b"])}),
        (np.array([[0.25, -0.5]]), {"names": ["a", "b"]}),
        (pd.DataFrame([[0.25, -0.5]], columns=["a", "b"]), {}),
        (pd.DataFrame([[0.25, -0.5]]), {"names": ["a", "b"]}),
        (
            shap(
                values=np.array([[9, 0.25], [9, -0.5]]),
                base_values=np.array([9, 0.125]),
                data=np.array([1, 2]),
                output_names=np.array(["no", "yes"]),
            ),
            {"target": "yes"},
        ),
        (shap(values=np.array([0.25, -0.5]), base_values=0.125), {}),
        (shap(values=np.array([[0.25, -0.5]]), base_values=np.array([0.125])), {}),
        (
            shap(
                values=np.array([[9, 0.25], [9, -0.5]]),
                base_values=np.array([9, 0.125]),
                data=np.array([CANARY, CANARY]),
                output_names=["no", "yes"],
            ),
            {"target": "yes"},
        ),
        (shap(values=np.array([[[9, 0.25], [9, -0.5]]]), base_values=[[9, 0.125]]), {"target": 1}),
    ],
)
def test_explanations_in_every_form(told_all: Capture, explanation: Any, details: Any) -> None:
    """The weightiest feature comes first, and the values of the features stay in the process."""
    otel_ml.record_explanation(
        explanation, method="shap_tree", model="m", prediction="p", **details
    )
    (event,) = told_all.events
    assert event.attributes["ml.explanation.attributions"] == {"b": -0.5, "a": 0.25}
    assert event.attributes["ml.explanation.top_features"] == ("b", "a")
    assert str(CANARY) not in str(dict(event.attributes))
    if hasattr(explanation, "base_values"):
        assert event.attributes["ml.explanation.base_value"] == 0.125


def test_base_values_of_outputs_are_none_of_samples(told_all: Capture) -> None:
    """Two samples of two classes: what the model answers when it knows nothing is the explained class's, for both."""
    both = shap(
        values=np.zeros((2, 2, 2)) + 0.25, base_values=[9.0, 0.125], output_names=["no", "yes"]
    )
    otel_ml.record_explanation(both, target="yes", prediction="p")
    told = told_all.events_named("ml.explanation")
    assert [event["ml.explanation.base_value"] for event in told] == [0.125, 0.125]


def test_a_base_value_that_is_no_number_is_left_out(told_all: Capture) -> None:
    """As one of SHAP's is."""
    otel_ml.record_explanation({"a": 1.0}, base_value=math.nan, prediction="p")
    (event,) = told_all.events_named("ml.explanation")
    assert "ml.explanation.base_value" not in event


def test_each_sample_of_a_batch_is_explained_by_itself(told_all: Capture) -> None:
    """With its position in the batch."""
    many = shap(values=np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), base_values=np.zeros(3))
    otel_ml.record_explanation(many, prediction="p")
    assert [event["ml.prediction.index"] for event in told_all.events_named("ml.explanation")] == [
        0,
        1,
        2,
    ]


def test_a_large_explained_batch_is_sampled() -> None:
    """Of 100 samples at most as many as rows may be captured."""
    with capture(Settings(capture_content="event_only", capture_max_rows=5)) as seen:
        otel_ml.record_explanation(np.ones((100, 2)), names=["a", "b"], prediction="p")
        assert len(seen.events) == 5


def test_only_the_weightiest_are_told(told_all: Capture) -> None:
    """Of a thousand features three, and none that is not finite."""
    many = {f"f{i}": float(i) for i in range(1000)} | {"nan": np.nan, "inf": np.inf}
    otel_ml.record_explanation(many, top=3, prediction="p")
    (event,) = told_all.events
    assert list(event.attributes["ml.explanation.top_features"]) == ["f999", "f998", "f997"]


def test_explanations_do_not_leave_by_default(seen: Capture, caplog: Any) -> None:
    """They are content; the log says so once, and it is no error."""
    for _ in range(3):
        otel_ml.record_explanation({"amount": CANARY}, prediction="p")
    assert seen.events == ()
    assert errors(seen) == {}
    assert [r.getMessage() for r in caplog.records if "capture_content" in r.getMessage()] != []
    assert len(caplog.records) == 1
    assert str(CANARY) not in caplog.text


@pytest.mark.parametrize(
    ("mode", "on_span", "on_log"),
    [("span_only", 1, 0), ("event_only", 0, 1), ("span_and_event", 1, 1)],
)
def test_explanations_go_where_content_goes(mode: Any, on_span: int, on_log: int) -> None:
    """Onto the recording span, into log records, or both."""
    with capture(Settings(capture_content=mode)) as seen:
        with otel_ml.inference("fraud"):
            otel_ml.record_explanation({"a": 0.5})
        (span,) = seen.spans
        assert len(span.events) == on_span
        assert ("ml.explanation.top_features" in seen.attributes) == bool(on_span)
        assert len(seen.events_named("ml.explanation")) == on_log
        seen.conformance.check()


@pytest.mark.parametrize(
    ("permitted", "told"),
    [
        (lambda content: content, {"secret": 9.0, "open": 1.0}),
        (lambda content: {**content, "ml.explanation.attributions": {"open": 1.0}}, {"open": 1.0}),
        (lambda content: None, None),
        (lambda content: {"ml.explanation.top_features": ["open"]}, None),
        (lambda content: content["no such key"], None),
    ],
)
def test_a_content_hook_has_the_last_word_on_explanations(permitted: Any, told: Any) -> None:
    """It sees them like all content, and may edit or drop them; without attributions there is no explanation."""
    seen_by_hook: list[set[str]] = []

    def hook(content: dict[str, Any], _span: Any) -> Any:
        seen_by_hook.append(set(content))
        return permitted(content)

    with capture(Settings(capture_content="span_and_event", content_hook=hook)) as seen:
        with otel_ml.inference("fraud"):
            otel_ml.record_explanation({"secret": 9.0, "open": 1.0})
        found = [
            event["ml.explanation.attributions"] for event in seen.events_named("ml.explanation")
        ]
        assert found == ([] if told is None else [told])
        assert len(seen.spans[0].events) == len(found)
        assert ("ml.explanation.top_features" in seen.attributes) == bool(found)
    assert seen_by_hook == [{"ml.explanation.attributions", "ml.explanation.top_features"}]


def test_denied_features_are_in_no_explanation() -> None:
    """Denied names stay denied; where there are no names, a list means that nothing leaves."""
    with capture(Settings(capture_content="event_only", feature_denylist=("sec*",))) as seen:
        otel_ml.record_explanation({"secret": 9.0, "open": 1.0}, prediction="p")
        otel_ml.record_explanation([9.0, 1.0], prediction="p")
        otel_ml.record_explanation(pd.DataFrame([[9.0, 1.0]]), prediction="p")
        (event,) = seen.events
        assert event.attributes["ml.explanation.attributions"] == {"open": 1.0}


@pytest.mark.parametrize(
    "explanation",
    [
        object(),
        None,
        "text",
        5,
        {"a": "text"},
        {"a": None},
        {},
        {"a": math.nan},
        [],
        np.zeros((2, 2, 2)),
        [[1.0], [1.0, 2.0]],
        shap(values=np.zeros((1, 2, 2)), base_values=[[0, 0]]),
        shap(values=None, base_values=None),
    ],
)
def test_an_explanation_that_cannot_be_understood_is_refused(
    told_all: Capture, explanation: Any
) -> None:
    """Nothing is raised and nothing is told; it is counted."""
    otel_ml.record_explanation(explanation, names=["a", "b"], prediction="p")
    assert told_all.events == ()
    assert errors(told_all) == {"record_explanation": 1}


def test_a_summary_is_no_tensor(seen: Capture) -> None:
    """Of a hundred thousand numbers the first 256 are told."""
    summary = {str(number): float(number) for number in range(100_000)}
    otel_ml.record_internal("attention", summary, model="fraud")
    (event,) = seen.events_named("ml.internal")
    assert list(event["ml.internal.summary"]) == [str(number) for number in range(256)]


def test_what_goes_on_inside_is_told_as_numbers(seen: Capture) -> None:
    """With the model of the inference; what is not finite is left out."""
    with otel_ml.inference("fraud", version="3"):
        otel_ml.record_internal("attention", {"mean": np.float32(0.5), "bad": np.nan})
    (event,) = seen.events
    assert dict(event.attributes) == {
        "ml.model.name": "fraud",
        "ml.model.version": "3",
        "ml.internal.name": "attention",
        "ml.internal.summary": {"mean": 0.5},
    }
    assert event.span_id == seen.spans[0].context.span_id


@pytest.mark.parametrize(
    ("summary", "model"),
    [
        ({"mean": 1.0}, None),
        ({}, "m"),
        ({"tensor": [1, 2]}, "m"),
        ({"text": "x"}, "m"),
        (None, "m"),
    ],
)
def test_a_summary_without_numbers_or_model_is_refused(
    seen: Capture, summary: Any, model: str | None
) -> None:
    """No text and no tensor leaves."""
    record = partial(otel_ml.record_internal, "attention", summary, model=model)
    Context().run(record)  # of no inference before
    assert seen.events == ()
    assert errors(seen) == {"record_internal": 1}
