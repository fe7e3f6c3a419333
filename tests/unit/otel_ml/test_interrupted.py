"""Who interrupts a program, from a keyboard or by a signal, may hit the moment in which a call is described."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from opentelemetry import trace
from sklearn.base import BaseEstimator, ClassifierMixin

import otel_ml
from otel_ml.settings import Settings
from otel_ml.testing import Capture, capture


class Interrupted(pd.DataFrame):  # type: ignore[misc]  # published without types
    """A data frame during whose look at missing values somebody presses Ctrl-C."""

    @property
    def _constructor(self) -> Callable[..., Any]:
        return Interrupted

    def isna(self) -> Any:
        """Be interrupted."""
        raise KeyboardInterrupt


class Echo(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # published without types
    """An estimator that answers what it is asked."""

    def fit(self, samples: Any, _target: Any) -> "Echo":
        """Learn nothing."""
        self.classes_ = np.array([0, 1])
        return self

    def predict(self, samples: Any) -> Any:
        """Return *samples*, or a frame where it is asked for one."""
        return FRAME if samples is None else samples


FRAME = Interrupted({"a": np.arange(2000.0)})


def assert_over(seen: Capture, name: str) -> None:
    """Check that the call of *name* has ended as an interrupted one, and that nothing of it is in force."""
    (span,) = seen.spans
    assert span.name == f"predict {name}"
    assert dict(span.attributes or {})["error.type"] == "KeyboardInterrupt"
    assert not trace.get_current_span().get_span_context().is_valid
    assert [point.value for point in seen.metric("ml.inference.active")] == [0]
    seen.clear()
    with otel_ml.inference("next"):
        pass
    (span,) = seen.spans
    assert span.parent is None


@pytest.mark.parametrize("settings", [Settings(), Settings(capture_content="span_only")])
def test_an_instrumented_call_ends_when_its_input_is_described(settings: Settings) -> None:
    """In a notebook the kernel goes on: nothing may stay the current span, or under way, for ever."""
    model = Echo().fit(None, None)
    with capture(settings) as seen:
        with pytest.raises(KeyboardInterrupt):
            model.predict(FRAME)
        assert_over(seen, "Echo")


def test_an_instrumented_call_ends_when_its_output_is_described() -> None:
    """The model has answered; that somebody is gone is told all the same."""
    model = Echo().fit(None, None)
    with capture() as seen:
        with pytest.raises(KeyboardInterrupt):
            model.predict(None)
        assert_over(seen, "Echo")


def test_a_call_by_hand_ends_when_its_input_is_described() -> None:
    """The block is not entered, so that nothing else would end it."""
    with capture() as seen:
        with pytest.raises(KeyboardInterrupt), otel_ml.inference("churn", features=FRAME):
            pytest.fail("entered")
        assert_over(seen, "churn")
