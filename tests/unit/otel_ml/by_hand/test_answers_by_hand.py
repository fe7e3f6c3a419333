"""What of the answers is told that somebody gives by hand."""

import math
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

import otel_ml
from otel_ml.settings import Settings
from otel_ml.testing import Capture, capture
from tests.data.sdk_errors import errors

CANARY = "canary-7f3a"


class OnDevice:
    """A tensor that is not in the memory of the process: who asks it for its values waits for its device."""

    is_cpu = False

    def tolist(self) -> list[float]:
        """Fail: the caller would have to wait."""
        raise AssertionError

    item = tolist


@pytest.mark.parametrize(
    ("probabilities", "classes"),
    [
        ({"ok": 0.75, "fraud": 0.25}, None),
        ([0.75, 0.25], ["ok", "fraud"]),
        ((0.75, 0.25), ("ok", "fraud")),
        (np.array([0.75, 0.25]), np.array(["ok", "fraud"])),
        (np.array([[0.75, 0.25]], dtype="float32"), ["ok", "fraud"]),
        ([[0.75, 0.25]], ["ok", "fraud"]),
        ([{"ok": 0.75, "fraud": 0.25}], None),
    ],
)
def test_probabilities_of_one_sample(seen: Capture, probabilities: Any, classes: Any) -> None:
    """Whatever they come in: class, confidence, entropy over ln 2, and margin."""
    with otel_ml.inference("fraud") as call:
        call.output(probabilities=probabilities, classes=classes)
    entropy = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25)) / math.log(2)
    assert seen.attributes["ml.prediction.label"] == "ok"
    assert seen.attributes["ml.prediction.confidence"] == 0.75
    assert seen.attributes["ml.prediction.entropy"] == pytest.approx(entropy)
    assert seen.attributes["ml.prediction.margin"] == 0.5
    assert seen.attributes["ml.batch.size"] == 1
    (confidence,) = seen.metric("ml.prediction.confidence")
    assert confidence.sum == 0.75


@pytest.mark.parametrize(
    "probabilities",
    [
        [[0.75, 0.25], [0.5, 0.5], [0.125, 0.875]],
        np.array([[0.75, 0.25], [0.5, 0.5], [0.125, 0.875]]),
        [{"ok": 0.75, "fraud": 0.25}, {"ok": 0.5, "fraud": 0.5}, {"ok": 0.125, "fraud": 0.875}],
        pd.DataFrame([[0.75, 0.25], [0.5, 0.5], [0.125, 0.875]]),
        pl.DataFrame({"a": [0.75, 0.5, 0.125], "b": [0.25, 0.5, 0.875]}),
        pd.DataFrame([[0.75, 0.25], [0.5, 0.5], [0.125, 0.875]], dtype="Float64"),
    ],
)
def test_probabilities_of_several_samples(seen: Capture, probabilities: Any) -> None:
    """A class and a confidence each, and of the confidences mean and least."""
    with otel_ml.inference("fraud") as call:
        call.output(probabilities=probabilities, classes=["ok", "fraud"])
    assert seen.attributes["ml.prediction.labels"] == ("ok", "ok", "fraud")
    assert seen.attributes["ml.prediction.confidences"] == (0.75, 0.5, 0.875)
    assert seen.attributes["ml.batch.confidence.mean"] == pytest.approx(2.125 / 3)
    assert seen.attributes["ml.batch.confidence.min"] == 0.5
    assert seen.attributes["ml.batch.size"] == 3


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_the_columns_of_a_data_frame_name_the_classes(seen: Capture, frame: Any) -> None:
    """Of as many samples as classes too: it is read by its rows, whatever it gives first when it is gone through."""
    with otel_ml.inference("fraud") as call:
        call.output(probabilities=frame({"ok": [0.75, 0.125], "fraud": [0.25, 0.875]}))
    assert seen.attributes["ml.prediction.labels"] == ("ok", "fraud")
    assert seen.attributes["ml.prediction.confidences"] == (0.75, 0.875)


@pytest.mark.parametrize("classes", [np.array([0, 1]), np.array([False, True])])
def test_columns_may_be_called_as_classes_that_are_no_texts(seen: Capture, classes: Any) -> None:
    """As in `DataFrame(probabilities, columns=model.classes_)`; columns without names are not classes 0 and 1."""
    numbers = [[0.75, 0.25], [0.125, 0.875]]
    for frame in (pd.DataFrame(numbers, columns=classes), pd.DataFrame(numbers)):
        with otel_ml.inference("fraud") as call:
            call.output(probabilities=frame)
    named, unnamed = (dict(span.attributes or {}) for span in seen.calls)
    assert named["ml.prediction.labels"] == tuple(map(str, classes.tolist()))
    assert "ml.prediction.labels" not in unnamed
    assert unnamed["ml.prediction.confidences"] == (0.75, 0.875)


@pytest.mark.parametrize(
    "probabilities",
    [
        np.array([[1, 0], [0, 1]]),
        np.array([[True, False], [False, True]]),
        [{"ok": 1.0}, {"fraud": 1.0}],
        [{"ok": Decimal(1)}, {"fraud": Decimal(1), "ok": Decimal(0)}],
    ],
)
def test_probabilities_of_certainty(seen: Capture, probabilities: Any) -> None:
    """Whole numbers are numbers, and a class that a map does not have is one of no probability."""
    with otel_ml.inference("fraud") as call:
        call.output(
            probabilities=probabilities,
            classes=["ok", "fraud"] if hasattr(probabilities, "dtype") else None,
        )
    assert seen.attributes["ml.prediction.labels"] == ("ok", "fraud")
    assert seen.attributes["ml.prediction.confidences"] == (1.0, 1.0)
    assert seen.attributes["ml.batch.size"] == 2
    assert errors(seen) == {}


def test_numbers_of_more_than_64_bits_are_told_as_any_others(told_all: Capture) -> None:
    """A metric that held one of numpy's would keep all metrics of the process from being exported."""
    matrix = np.array([[0.75, 0.25], [0.5, 0.5]], np.longdouble)
    with otel_ml.inference("fraud") as call:
        call.output(probabilities=matrix, classes=["ok", "fraud"], embedding=matrix[:, :1] * 4)
    assert told_all.attributes["ml.prediction.confidences"] == (0.75, 0.5)
    assert told_all.attributes["ml.prediction.labels"] == ("ok", "ok")
    assert told_all.attributes["ml.embedding.norm"] == 2.5
    (confidence,) = told_all.metric("ml.prediction.confidence")
    assert (type(confidence.sum), confidence.sum) == (float, 1.25)


def test_maps_of_ever_other_classes_are_not_spread_out(seen: Capture) -> None:
    """A thousand samples of a class each of its own would be a million numbers."""
    with otel_ml.inference("fraud") as call:
        call.output(probabilities=[{number: 1.0} for number in range(1000)])
    assert "ml.prediction.confidences" not in seen.attributes
    assert errors(seen) == {"describe_output": 1}


def test_a_class_is_called_alike_in_whatever_number_it_comes(seen: Capture) -> None:
    """A float of single precision, in a list or beside its probability, is the class that an array of it has."""
    one, two = np.float32(1), np.float32(2)
    for told in (
        {"labels": np.array([one, two])},
        {"labels": [one, two]},
        {"probabilities": [[0.75, 0.25], [0.25, 0.75]], "classes": [one, two]},
        {"probabilities": [{one: 0.75, two: 0.25}, {one: 0.25, two: 0.75}]},
    ):
        with otel_ml.inference("fraud") as call:
            call.output(**told)
    assert [(span.attributes or {})["ml.prediction.labels"] for span in seen.calls] == [
        ("1", "2")
    ] * 4
    otel_ml.record_feedback("order-1", label=one)
    (feedback,) = seen.events_named("ml.feedback")
    assert feedback["ml.feedback.label"] == "1"


@pytest.mark.parametrize(
    "column",
    [
        np.array([[1.0], [0.5], [0.25]]),
        pd.DataFrame([1.0, 0.5, 0.25]),
        pl.DataFrame({"yhat": [1.0, 0.5, 0.25]}),
        pd.Series([1.0, 0.5, 0.25], index=["a", "b", "c"]),
    ],
)
def test_a_column_is_one_answer_for_each_sample(told_all: Capture, column: Any) -> None:
    """As networks for regression give them, shape (n, 1), and as data frames hold them."""
    with otel_ml.inference("fraud") as call:
        call.output(value=column, score=column, confidence=column, labels=column)
    assert told_all.attributes["ml.prediction.values"] == (1.0, 0.5, 0.25)
    assert told_all.attributes["ml.prediction.scores"] == (1.0, 0.5, 0.25)
    assert told_all.attributes["ml.prediction.confidences"] == (1.0, 0.5, 0.25)
    assert told_all.attributes["ml.prediction.labels"] == ("1", "0.5", "0.25")


def test_a_row_of_probabilities_has_its_classes_in_its_index(seen: Capture) -> None:
    """As a row of a data frame with a column for each class gives them, and an array has none."""
    frame = pd.DataFrame({"ok": [0.25, 0.5], "fraud": [0.75, 0.5]})
    with otel_ml.inference("fraud") as call:
        call.output(probabilities=frame.iloc[0])
    assert seen.attributes["ml.prediction.label"] == "fraud"
    assert seen.attributes["ml.prediction.confidence"] == 0.75
    assert seen.attributes["ml.prediction.margin"] == 0.5


def test_a_sequence_of_labels_is_understood_as_one(seen: Capture) -> None:
    """Who says `label` of a batch has a label for each sample, not the text of a list."""
    with otel_ml.inference("fraud") as call:
        call.output(label=np.array(["ok", "fraud"]))
    assert seen.attributes["ml.prediction.labels"] == ("ok", "fraud")


class FrameOfOthers:
    """A data frame of a package that is not known here."""

    columns = ("ok", "fraud")

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)


@pytest.mark.parametrize(
    "told",
    [
        {"labels": FrameOfOthers()},
        {"probabilities": [0.75, 0.75]},
        {"probabilities": []},
        {"probabilities": {}},
        {"probabilities": [math.nan, 1.0]},
        {"probabilities": "text"},
        {"probabilities": 3},
        {"probabilities": [0.5, 0.5], "classes": ["one"]},
        {"probabilities": [[0.5, 0.5], [1.0]]},
        {"probabilities": object()},
        {"confidence": 1.5},
        {"confidence": math.nan},
        {"confidence": CANARY},
        {"embedding": "text"},
        {"embedding": []},
        {"embedding": np.array([[1.0, math.nan]])},
        {"labels": []},
        {"labels": iter(["a"])},
        {"probabilities": map(float, [0.5, 0.5])},
        {"probabilities": OnDevice()},
        {"label": OnDevice()},
        {"embedding": OnDevice()},
    ],
)
def test_what_cannot_be_understood_is_counted_and_left_out(
    seen: Capture, caplog: pytest.LogCaptureFixture, told: dict[str, Any]
) -> None:
    """Nothing is raised, the inference is complete otherwise, and the log quotes no value."""
    with otel_ml.inference("fraud") as call:
        call.output(**told)
    assert not any(key.startswith("ml.prediction") for key in seen.attributes)
    assert errors(seen) == {"describe_output": 1}
    assert CANARY not in caplog.text


def test_an_answer_of_another_size_than_the_question_is_refused(seen: Capture) -> None:
    """Two labels for three samples belong to nobody."""
    with otel_ml.inference("fraud", features=np.zeros((3, 1))) as call:
        call.output(labels=["a", "b"])
    assert "ml.prediction.labels" not in seen.attributes
    assert errors(seen) == {"describe_output": 1}


def test_numbers_stay_in_the_process_unless_they_are_asked_for(seen: Capture) -> None:
    """By default a value, an interval and a score are not told; a label and a confidence are."""
    with otel_ml.inference("price") as call:
        call.output(value=1.5, interval=(1, 2), score=3, label=7, confidence=0.5)
    told = {key for key in seen.attributes if key.startswith("ml.prediction")}
    assert told == {"ml.prediction.label", "ml.prediction.confidence"}


def test_numbers_are_told_where_they_are_asked_for(told_all: Capture) -> None:
    """Value, interval and score, of numpy's types too, become doubles."""
    with otel_ml.inference("price") as call:
        call.output(value=np.float32(1.5), interval=np.array([1, 2]), score=3)
    attributes = told_all.attributes
    assert attributes["ml.prediction.value"] == 1.5
    assert attributes["ml.prediction.interval.lower"] == 1.0
    assert attributes["ml.prediction.interval.upper"] == 2.0
    assert attributes["ml.prediction.score"] == 3.0
    assert type(attributes["ml.prediction.score"]) is float


def test_outputs_can_be_kept_back_altogether() -> None:
    """With `capture_outputs="none"` nothing of an answer is told, and no confidence is measured."""
    with capture(Settings(capture_outputs="none")) as seen:
        with otel_ml.inference("fraud") as call:
            call.output(label="x", probabilities={"x": 1.0})
        assert not any(key.startswith("ml.prediction") for key in seen.attributes)
        assert seen.metric("ml.prediction.confidence") == []


def test_of_embeddings_dimension_and_mean_length_are_told(seen: Capture) -> None:
    """The vectors (3, 4) and (0, 1) have two components and the mean length 3."""
    with otel_ml.inference("text", operation="embed") as call:
        call.output(embedding=np.array([[3.0, 4.0], [0.0, 1.0]]))
    assert seen.attributes["ml.embedding.dimension"] == 2
    assert seen.attributes["ml.embedding.norm"] == 3.0


class Named:
    """A class that counts how often its name is asked for."""

    asked = 0

    def __str__(self) -> str:
        """Return the name."""
        Named.asked += 1
        return "a"


def test_of_many_answers_only_the_captured_ones_are_looked_at(seen: Capture) -> None:
    """A hundred thousand labels take the caller no longer than those that leave."""
    with otel_ml.inference("fraud") as call:
        call.output(labels=[Named() for _ in range(1000)])
    assert seen.attributes["ml.prediction.labels"] == ("a",) * 32
    assert seen.attributes["ml.batch.size"] == 1000
    assert Named.asked == 32


@pytest.mark.parametrize(
    "values",
    [
        [1.5, None, 2.5],
        [1.5, pd.NA, 2.5],
        pd.Series([1.5, None, 2.5], dtype="Float64"),
        np.ma.masked_array([1.5, 9.0, 2.5], [False, True, False]),
    ],
    ids=["none", "pandas", "series", "masked"],
)
def test_a_number_that_is_missing_does_not_take_the_others_along(
    told_all: Capture, values: Any
) -> None:
    """It is NaN among them, at its sample's place."""
    with otel_ml.inference("fraud") as call:
        call.output(value=values)
    first, missing, last = told_all.attributes["ml.prediction.values"]
    assert (first, last) == (1.5, 2.5)
    assert math.isnan(missing)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"value": 1j}, "expected a number of at most 64 bits, found one of complex"),
        ({"value": 10**400}, "expected a number of at most 64 bits, found one of int"),
        (
            {"interval": (None, 2.0)},
            "expected the two ends of an interval, found one that is missing",
        ),
    ],
    ids=["complex", "huge", "half an interval"],
)
def test_what_is_no_number_is_refused_in_words(
    told_all: Capture, caplog: Any, answer: dict[str, Any], words: str
) -> None:
    """The log says what is expected, not where our code has failed."""
    with otel_ml.inference("fraud") as call:
        call.output(**answer)
    assert words in caplog.text
    assert errors(told_all) == {"describe_output": 1}
