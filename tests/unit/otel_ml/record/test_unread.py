"""What callers leave unread: read later, and together, it says what each would have said at once."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, Sampler
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LinearRegression

import otel_ml
from otel_ml.describe.probabilities import exponentials, one_array
from otel_ml.describe.values import Facts
from otel_ml.record.unread import Reading, Unread, confidences_together
from otel_ml.settings import Settings

METRICS = (
    "ml.inference.batch.size",
    "ml.inference.predictions",
    "ml.input.missing_values",
    "ml.prediction.confidence",
    "ml.validation.failures",
)


class Echo(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A classifier whose probabilities are the first two features."""

    def __init__(self) -> None:
        self.classes_ = np.array(["no", "yes"])
        self.n_features_in_ = 3

    def predict_proba(self, samples: Any) -> Any:
        """Return a view of the samples: what the caller does to them later happens to it too."""
        return samples[:, :2]


class Kind(np.ndarray[Any, Any]):
    """An array of a kind that may mean something else."""


@contextmanager
def metrics_of(sampler: Sampler) -> Iterator[dict[str, Any]]:
    """Instrument for the block, and give what the metrics say after it, by name."""
    reader = InMemoryMetricReader()
    otel_ml.instrument(
        ["sklearn"],
        tracer_provider=TracerProvider(sampler=sampler),
        meter_provider=MeterProvider([reader]),
        settings=Settings(),
    )
    told: dict[str, Any] = {}
    try:
        yield told
        data = reader.get_metrics_data()
        assert data is not None
        for metric in data.resource_metrics[0].scope_metrics[0].metrics:
            if metric.name in METRICS:
                told[metric.name] = sorted(map(_point, metric.data.data_points), key=repr)
    finally:
        otel_ml.uninstrument()


def _point(point: Any) -> tuple[Any, ...]:
    if hasattr(point, "value"):
        return (dict(point.attributes), point.value)
    return (
        dict(point.attributes),
        point.count,
        pytest.approx(point.sum),
        tuple(point.bucket_counts),
    )


def rows(*samples: Sequence[float]) -> list[Any]:
    """Return each of *samples* as an input of its own."""
    return [np.array([sample]) for sample in samples]


CALLS = [
    *rows((0.3, 0.7, 1.0), (0.9, 0.1, 2.0), (0.5, 0.5, 3.0)),
    *rows((0.3, 0.7, np.nan), (0.2, 0.8, np.inf), (0.3, 0.3, 0.0), (np.nan, 0.7, 0.0)),
    np.array([[0.25, 0.75, 1.0], [1.0, 0.0, 1.0]]),
    np.array([[0.3, 0.7, 1.0]], dtype=np.float32),
    np.array([[0, 1, 2]]),
    np.array([[0.3, 0.7, 1.0]]).view(Kind),
]


def test_metrics_say_the_same_whether_a_call_is_sampled_or_not() -> None:
    """Whether it is on a span or not, what a call answered is looked at later: numbers, gaps and broken rules agree."""
    model = Echo()
    with metrics_of(ALWAYS_ON) as at_once:
        for samples in CALLS:
            model.predict_proba(samples)
    with metrics_of(ALWAYS_OFF) as later:
        for samples in CALLS:
            model.predict_proba(samples)
    assert later == at_once
    assert later.keys() == set(METRICS)


def test_what_the_caller_does_to_arrays_afterwards_is_not_seen() -> None:
    """Inputs that are reused for the next call, and outputs that are worked on in place."""
    model, samples = Echo(), np.array([[0.3, 0.7, 1.0]])
    with metrics_of(ALWAYS_OFF) as told:
        for _ in range(5):
            samples[:] = [[0.3, 0.7, 1.0]]
            model.predict_proba(samples)
            samples[:] = np.nan
    assert "ml.input.missing_values" not in told
    assert "ml.validation.failures" not in told
    ((_, count, total, _),) = told["ml.prediction.confidence"]
    assert (count, total) == (5, pytest.approx(3.5))


def test_an_answer_that_is_no_probability_is_checked_too() -> None:
    """A regressor that answers with NaN breaks a rule, sampled or not."""
    model = LinearRegression().fit(np.eye(3), [[1.0], [2.0], [3.0]])
    model.coef_ = model.coef_ * np.nan
    with metrics_of(ALWAYS_OFF) as told:
        model.predict(np.ones((1, 3)))
    ((attributes, count),) = told["ml.validation.failures"]
    assert (attributes["ml.validation.rule"], count) == ("missing", 1)


def test_a_call_that_raises_leaves_its_input_all_the_same() -> None:
    """The missing values of an input that a model refused are counted."""

    class Refusing(Echo):
        def predict_proba(self, samples: Any) -> Any:
            raise ValueError(len(samples))

    with metrics_of(ALWAYS_OFF) as told:
        for _ in range(2):
            with pytest.raises(ValueError, match="1"):
                Refusing().predict_proba(np.array([[0.3, np.nan, 1.0]]))
    ((_, missing),) = told["ml.input.missing_values"]
    assert missing == 2


NUMBERS = st.floats(allow_nan=True, allow_infinity=True, width=64)
PAIRS = st.floats(0, 1).map(lambda share: (share, 1 - share))
ANSWERS = st.one_of(PAIRS, st.tuples(NUMBERS, NUMBERS))


def nothing(_call: Unread) -> Facts:
    """Say nothing of a call: metrics do not ask."""
    return {}


def unread(output: Any, probabilities: Callable[[Any], Any] | None, at_most: int = 32) -> Unread:
    """Return a call that answered *output*, to as many samples, read by *probabilities*."""
    return Unread(Reading(nothing, probabilities), {}, None, output, len(output), at_most)


@given(st.lists(ANSWERS, min_size=1, max_size=9), st.booleans())
def test_together_they_say_what_each_says_alone(
    answers: list[tuple[float, float]], are_read: bool
) -> None:
    """Whatever the numbers: one array of all of them is read as its parts would be."""
    calls = [unread(np.array([answer]), one_array if are_read else None) for answer in answers]
    together = confidences_together(calls)
    alone = [confidences_together([call])[0] for call in calls]
    assert [tuple(found) for found in together] == [tuple(found) for found in alone]


def test_an_answer_that_is_no_distribution_hides_none_of_the_others() -> None:
    """The odd one among good ones has no confidence, and the others keep theirs."""
    good, odd = np.array([[0.25, 0.75]]), np.array([[3.0, 4.0]])
    calls = [unread(output, one_array) for output in (good, odd, good)]
    assert [tuple(found) for found in confidences_together(calls)] == [(0.75,), (), (0.75,)]


def test_an_answer_of_another_length_than_the_input_has_no_confidences() -> None:
    """Two rows to one sample are of nobody knows which sample."""
    call = Unread(Reading(nothing, one_array), {}, None, np.array([[0.3, 0.7]] * 2), 1, 32)
    assert confidences_together([call, unread(np.array([[0.3, 0.7]]), one_array)])[0] == ()


@pytest.mark.parametrize("are_logarithms", [False, True])
@pytest.mark.parametrize("samples", [1, 3])
def test_each_of_many_good_calls_keeps_its_own_confidences(
    samples: int, are_logarithms: bool
) -> None:
    """In their order, the largest probability of each sample of each call."""
    shares = np.random.default_rng(0).dirichlet([1, 1, 1], size=(7, samples))
    outputs = np.log(shares) if are_logarithms else shares
    calls = [unread(output, exponentials if are_logarithms else one_array) for output in outputs]
    assert confidences_together(calls) == [
        pytest.approx(list(of_call.max(axis=1))) for of_call in shares
    ]


def test_a_batch_tells_of_the_same_samples_whoever_asks() -> None:
    """Of more samples than are captured some are drawn, once: the span and the metrics tell of the same."""
    shares = np.random.default_rng(0).dirichlet([1, 1, 1], size=50)
    call = unread(shares, one_array, at_most=4)
    rows = call.positions(50)
    assert rows is not None
    assert len(rows) == 4
    assert call.positions(50) == rows
    assert confidences_together([call]) == [pytest.approx([shares[row].max() for row in rows])]
