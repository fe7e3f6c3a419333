"""What is wrong with inputs and outputs that are told by hand: as for instrumented frameworks."""

import asyncio
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

import otel_ml
from otel_ml.describe.validation import ValidationError
from otel_ml.settings import Settings
from otel_ml.testing import Capture, capture
from otel_ml_conventions import attributes as keys

NAN = float("nan")
BLOCKS = Settings(validation_blocks=True)


def rules(seen: Capture) -> set[str]:
    """Return the rules that the events of broken rules name."""
    return {event["ml.validation.rule"] for event in seen.events_named("ml.validation.failure")}


def test_sound_inputs_and_outputs_pass(seen: Capture) -> None:
    """One word on the span, no event."""
    with otel_ml.inference("fraud", features={"amount": 1.5}) as call:
        call.output(label="ok", confidence=0.75)
    assert seen.attributes[keys.ML_VALIDATION_RESULT] == "pass"
    assert rules(seen) == set()


@pytest.mark.parametrize(
    ("features", "rule"),
    [
        ({"amount": None, "age": 3}, "missing"),
        ([[1.0, NAN]], "missing"),
        (np.array([[1.0, np.inf]]), "non_finite"),
        (np.empty((0, 3)), "empty"),
        (pd.DataFrame({"amount": [1.0, None]}), "missing"),
        (NAN, "missing"),
        (np.float32("inf"), "non_finite"),
    ],
    ids=["mapping", "rows", "array", "empty", "frame", "number", "number of numpy's"],
)
def test_what_is_wrong_with_an_input_is_told(seen: Capture, features: Any, rule: str) -> None:
    """By the rule, on the span, as an event and counted; the block runs as ever."""
    ran = []
    with otel_ml.inference("fraud", features=features):
        ran.append(1)
    assert ran
    assert seen.attributes[keys.ML_VALIDATION_RESULT] == "warn"
    assert seen.attributes[keys.ML_VALIDATION_FAILURE_COUNT] == 1
    assert rules(seen) == {rule}
    (counted,) = seen.metric("ml.validation.failures")
    assert (counted.value, counted.attributes["ml.validation.rule"]) == (1, rule)


def test_the_names_that_are_given_have_to_fit(seen: Capture) -> None:
    """Three names for two columns: the form of the input is not what was said of it."""
    with otel_ml.inference("fraud", features=[[1.0, 2.0]], feature_names=["a", "b", "c"]):
        pass
    assert rules(seen) == {"shape"}


@pytest.mark.parametrize(
    ("answer", "rule"),
    [
        ({"value": NAN}, "missing"),
        ({"value": float("inf")}, "non_finite"),
        ({"probabilities": {"ok": NAN, "fraud": 0.5}}, "missing"),
        ({"probabilities": np.array([[NAN, 1.0]])}, "missing"),
        ({"embedding": np.array([np.inf, 1.0])}, "non_finite"),
        ({"score": []}, "empty"),
        ({"confidence": NAN}, "missing"),
        ({"label": pd.NA}, "missing"),
        ({"value": pd.NaT}, "missing"),
        ({"value": Decimal("NaN")}, "missing"),
        ({"value": Decimal("Infinity")}, "non_finite"),
    ],
    ids=lambda value: str(value)[:24],
)
@pytest.mark.parametrize("outputs", ["none", "summary"])
def test_what_is_wrong_with_an_answer_is_told(
    answer: dict[str, Any], rule: str, outputs: Any
) -> None:
    """Of whatever kind it is, and also where outputs are not to be told."""
    with capture(Settings(capture_outputs=outputs)) as seen:
        with otel_ml.inference("fraud", features=[[1.0]]) as call:
            call.output(**answer)
        assert rules(seen) == {rule}
        assert seen.attributes[keys.ML_VALIDATION_RESULT] == "warn"
        seen.conformance.check()


def test_an_answer_that_is_told_again_is_looked_at_again(seen: Capture) -> None:
    """The last word counts, as it does for what is told of it."""
    with otel_ml.inference("fraud", features=[[1.0]]) as call:
        call.output(value=NAN)
        call.output(value=2.5)
    assert seen.attributes[keys.ML_VALIDATION_RESULT] == "pass"
    assert rules(seen) == set()


def test_of_what_nobody_told_nothing_is_said(seen: Capture) -> None:
    """A call without features and without an answer is not said to be valid."""
    with otel_ml.inference("fraud"):
        pass
    assert keys.ML_VALIDATION_RESULT not in seen.attributes


def test_validation_can_be_switched_off() -> None:
    """Nothing is said of any input or answer."""
    with capture(Settings(validation="off")) as seen:
        with otel_ml.inference("fraud", features=[[NAN]]) as call:
            call.output(value=NAN)
        assert keys.ML_VALIDATION_RESULT not in seen.attributes
        assert rules(seen) == set()


def test_a_call_is_rejected_where_that_is_asked_for() -> None:
    """The block does not run; the span ends with what was wrong, and the next call is a root again."""
    ran = []
    with capture(BLOCKS) as seen:
        with (
            pytest.raises(ValidationError, match="'fraud' was not called"),
            otel_ml.inference("fraud", features=[[NAN]]),
        ):
            ran.append(1)
        with otel_ml.inference("fraud", features=[[1.0]]):
            ran.append(2)
        rejected, answered = seen.spans
        seen.conformance.check()
    assert ran == [2]
    assert rejected.attributes is not None
    assert rejected.attributes[keys.ERROR_TYPE] == "validation_failed"
    assert rejected.attributes[keys.ML_VALIDATION_RESULT] == "fail"
    assert answered.parent is None


def test_an_answer_is_never_rejected() -> None:
    """The model has answered: what is wrong with it is told, and it goes on to the caller."""
    with capture(BLOCKS) as seen, otel_ml.inference("fraud", features=[[1.0]]) as call:
        call.output(value=NAN)
    assert seen.attributes[keys.ML_VALIDATION_RESULT] == "warn"


def test_decorated_functions_are_checked_too() -> None:
    """Plain ones, generators and coroutines: rejected before their first line."""
    ran = []

    @otel_ml.observe(features="rows", output="value")
    def plain(rows: Any) -> float:
        ran.append("plain")
        return NAN

    @otel_ml.observe(features="rows")
    def steps(rows: Any) -> Any:
        ran.append("steps")
        yield 1

    @otel_ml.observe(features="rows")
    async def later(rows: Any) -> None:
        """Answer later."""
        ran.append("later")

    with capture() as seen:
        assert np.isnan(plain([[1.0]]))
        assert rules(seen) == {"missing"}
    with capture(BLOCKS):
        for call in (plain, lambda rows: list(steps(rows)), lambda rows: asyncio.run(later(rows))):
            with pytest.raises(ValidationError):
                call([[np.inf]])
    assert ran == ["plain"]


def test_inputs_are_known_again_by_their_hash() -> None:
    """Equal inputs have equal hashes, others have others; an instrumented framework's hash is the same."""
    with capture(Settings(capture_input_hash=True, input_hash_key="secret")) as seen:
        for features in ({"amount": 1.5}, {"amount": 1.5}, {"amount": 2.5}):
            with otel_ml.inference("fraud", features=features):
                pass
        from sklearn.linear_model import LinearRegression

        model = LinearRegression().fit(pd.DataFrame({"amount": [0.0, 1.0]}), [0.0, 1.0])
        model.predict(pd.DataFrame({"amount": [1.5]}))
        told = [(span.attributes or {})[keys.ML_INPUT_HASH] for span in seen.spans]
        seen.conformance.check()
    assert told[0] == told[1] == told[3]
    assert told[0] != told[2]


def test_a_hash_is_not_told_unasked(seen: Capture) -> None:
    """By default no input can be known again."""
    with otel_ml.inference("fraud", features={"amount": 1.5}):
        pass
    assert keys.ML_INPUT_HASH not in seen.attributes


class Hostile:
    """An answer that raises whatever it is asked."""

    def __len__(self) -> int:
        raise RuntimeError

    def __iter__(self) -> Any:
        raise RuntimeError

    @property
    def shape(self) -> Any:
        """Raise."""
        raise RuntimeError


def test_what_cannot_be_looked_at_raises_nothing(seen: Capture) -> None:
    """Neither an input nor an answer: it is counted, and the call is told without it."""
    with otel_ml.inference("fraud", features=Hostile()) as call:
        call.output(value=Hostile())
    (span,) = seen.spans
    assert span.name == "predict fraud"
