"""Ten thousand inputs that nobody would think of: none of them changes a call, and none makes us fail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin

from otel_ml.settings import Settings
from otel_ml.testing import capture

if TYPE_CHECKING:
    from collections.abc import Callable

CASES = 10_000
DTYPES = ("f4", "f8", "f2", "i1", "i8", "u2", "?", "O", "U3", "S2", "M8[s]", "c8", "V4")
ODD_VALUES: tuple[Any, ...] = (
    *(None, float("nan"), float("inf"), -0.0, 5e-324, 1e308, 10**40, "text", b"\xff", ""),
    *(True, 1 + 2j, pd.NaT, pd.NA, np.float32("nan"), [], [1, [2]], {"a": 1}, {1: 2}, object()),
    *(range(3), "\ud800", np.datetime64("NaT", "ns"), np.ma.masked, (), frozenset({1})),
)


class RefusedError(Exception):
    """What a model of these tests raises."""


class Hostile:
    """An object that fails whatever it is asked."""

    def __getattr__(self, name: str) -> Any:
        raise RefusedError(name)

    def __len__(self) -> int:
        raise RefusedError

    def __iter__(self) -> Any:
        raise RefusedError

    def __bool__(self) -> bool:
        raise RefusedError

    def __repr__(self) -> str:
        raise RefusedError


class Echo(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A model that answers with whatever it was told to, or raises it."""

    def __init__(self) -> None:
        self.answer: Any = None

    def predict(self, _samples: Any) -> Any:
        """Answer."""
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    predict_proba = predict


def array(rng: np.random.Generator) -> Any:
    """Return an array of any type and of up to three axes."""
    shape = tuple(rng.integers(0, 4, rng.integers(0, 4)))
    kind = np.dtype(DTYPES[rng.integers(len(DTYPES))])
    if kind.kind == "O":
        odd = np.empty(shape, dtype=object)
        odd[...] = ODD_VALUES[rng.integers(10)]
        return odd
    with np.errstate(all="ignore"):
        return np.frombuffer(rng.bytes(int(np.prod(shape)) * kind.itemsize), kind).reshape(shape)


def structured(rng: np.random.Generator) -> Any:
    """Return an array of records."""
    return np.zeros(rng.integers(0, 3), dtype=[("a", "f8"), ("b", "U2")])


def frame(rng: np.random.Generator) -> Any:
    """Return a data frame with odd names and values, sometimes one name twice."""
    names = ["a", "b", 3, "", ("x", "y"), "\ud800"]
    columns = [names[i] for i in rng.integers(0, len(names), rng.integers(0, 4))]
    rows = [[odd(rng) for _ in columns] for _ in range(rng.integers(0, 3))]
    return pd.DataFrame(rows, columns=pd.Index(columns, dtype=object), dtype=object)


def matrix(rng: np.random.Generator) -> Any:
    """Return a sparse matrix of any format."""
    dense = np.where(rng.random((2, 3)) < 0.5, 0.0, 1.5)
    return (sparse.csr_matrix, sparse.csc_array, sparse.coo_matrix)[rng.integers(3)](dense)


def odd(rng: np.random.Generator) -> Any:
    """Return a value that is no table."""
    return ODD_VALUES[rng.integers(len(ODD_VALUES))]


def listed(rng: np.random.Generator) -> Any:
    """Return a list or tuple of odd values."""
    values = [odd(rng) for _ in range(rng.integers(0, 4))]
    return values if rng.random() < 0.7 else tuple(values)


def hostile(_rng: np.random.Generator) -> Any:
    """Return what fails whatever it is asked."""
    return Hostile()


MAKERS: tuple[Callable[[np.random.Generator], Any], ...] = (
    *(array, array, array, structured, frame, matrix, odd, listed, hostile),
)


@pytest.mark.parametrize("content", ["no_content", "span_and_event"])
@pytest.mark.filterwarnings("ignore")
def test_no_input_and_no_output_is_changed_or_makes_us_fail(
    content: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The very object comes back, or the very exception; each call is one span; what cannot be read is counted, never raised."""
    rng = np.random.default_rng(2026)
    model = Echo()
    settings = Settings(capture_content=content, capture_outputs="full", capture_max_rows=2)
    spans = 0
    with capture(settings) as seen:
        for number in range(CASES // 2):
            samples = MAKERS[rng.integers(len(MAKERS))](rng)
            model.answer = MAKERS[rng.integers(len(MAKERS))](rng)
            if number % 17 == 0:
                model.answer = RefusedError(str(number))
            ask = model.predict if number % 2 else model.predict_proba
            if isinstance(model.answer, RefusedError):
                with pytest.raises(RefusedError) as raised:
                    ask(samples)
                assert raised.value is model.answer
            else:
                assert ask(samples) is model.answer
            if number % 500 == 0:
                spans += len(seen.spans)
                seen.clear()
        spans += len(seen.spans)
        causes = {dict(p.attributes)["ml.sdk.error.cause"] for p in seen.metric("ml.sdk.errors")}

        seen.conformance.check()

    assert spans == CASES // 2
    # What the SDK cannot send it says for every attribute: there is none.
    assert [r.getMessage() for r in caplog.records if r.name.startswith("opentelemetry")] == []
    # A hostile object fails whoever asks it; that is told as what it is.
    assert causes <= {"describe_input", "describe_output", "validate_output", "capture_content"}
