"""What a window's rows say of the quality of the data."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_ml_processor.columns import Flaw
from otel_ml_processor.profile import Source
from otel_ml_processor.state.stored_streams import StoredQuality, StoredSummary
from otel_ml_processor.windows.placed import place
from otel_ml_processor.windows.quality import Freshness, StreamQuality
from otel_ml_processor.windows.reference import Reference, build_profile
from otel_ml_processor.windows.summary import Summary
from tests.data.value_columns import ABSENT, inferences, value_column

if TYPE_CHECKING:
    from collections.abc import Sequence

    from otel_ml_processor.columns import InferenceColumns

NAN, INFINITY = math.nan, math.inf
SECOND = 10**9


def reference(*, predicted: Sequence[float] | Sequence[str] = ("late", "punctual")) -> Reference:
    """Return one of the features age and carrier, with what was predicted."""
    values = value_column(list(predicted))
    profile = build_profile(
        {"age": np.array([10.0, 20.0, 30.0]), "carrier": value_column(["UA", "B6", "UA"])},
        model="m",
        source=Source(kind="test", uri="none", rows=3),
        created="2026-01-01",
        prediction=values,
        prediction_type="numeric" if isinstance(predicted[0], float) else "categorical",
    )
    return Reference.of(profile)


def summary_of(*batches: InferenceColumns, known: Reference | None = None) -> Summary:
    """Return what is counted of *batches*."""
    summary = Summary(known)
    for rows in batches:
        summary.add(place(rows, known))
    return summary


def hashed(
    inputs: Sequence[int], rows: InferenceColumns, schema: int = 0, spans: Sequence[int] = ()
) -> InferenceColumns:
    """Return *rows*, of calls with these hashes."""
    hashes = np.array([[given, schema] for given in inputs], dtype=np.int64)
    return replace(rows, hashes=hashes, spans=np.array(spans) if spans else rows.spans)


def shares(rows: InferenceColumns) -> tuple[float | None, float | None]:
    """Return the share of repeated inputs and of those that were answered differently."""
    repeated = summary_of(rows).quality.repeated
    return repeated.repeated(), repeated.inconsistent()


@pytest.mark.parametrize(
    ("first", "second", "differs"),
    [
        (("late", NAN), ("late", NAN), False),
        (("late", NAN), ("punctual", NAN), True),
        ((None, 0.1234561), (None, 0.12345612), False),
        ((None, 0.123456), (None, 0.123457), True),
        ((None, 1.5e300), (None, 1.5000001e300), False),
        ((None, 1.5e-310), (None, 1.5e-310), False),
        ((None, 0.0), (None, -0.0), False),
        ((None, 0.0), (None, 1e-300), True),
        ((None, INFINITY), (None, -INFINITY), True),
        ((None, 7.0), (None, -7.0), True),
        (("late", 0.0), ("late", NAN), False),
        (("", NAN), (None, 0.0), True),
        (("late", NAN), (None, NAN), False),
    ],
)
def test_answers_differ_by_class_and_by_number_to_six_digits(
    first: tuple[str | None, float], second: tuple[str | None, float], differs: bool
) -> None:
    """The same input twice: another class, or another number to six significant digits, is another answer; one that was not said differs from nothing."""
    both = inferences(2, labels=[first[0], second[0]], values=[first[1], second[1]])
    rows = hashed([5, 5], both)
    assert shares(rows) == (0.5, float(differs))


def test_an_input_is_that_of_a_call_and_its_answer_all_of_it() -> None:
    """A batch that comes again is one input; answers in another order are other answers."""
    labels = ["a", "b", "a", "b", "b", "a"]
    spans = [0, 0, 1, 1, 2, 2]
    alike = hashed([5] * 4, inferences(4, labels=labels[:4]), spans=spans[:4])
    assert shares(alike) == (0.5, 0.0)
    turned = hashed([5] * 6, inferences(6, labels=labels), spans=spans)
    assert shares(turned) == (1 - 1 / 3, 1.0)


def test_rows_of_each_schema_are_counted_as_they_are_written() -> None:
    """Sixteen digits, also of a negative word; rows that do not say theirs are of none."""
    counted = summary_of(
        hashed([0, 0], inferences(2), schema=-1),
        hashed([0], inferences(1), schema=0x41C0D7E19A3358F2),
        hashed([9], inferences(1)),
        inferences(3),
    )
    assert counted.quality.schemas.counts() == {"f" * 16: 2, "41c0d7e19a3358f2": 1}


def test_answers_that_are_none_are_counted_by_the_rule_they_break() -> None:
    """A NaN and two infinities; a class without a name; two confidences that are none; all others are fine."""
    rows = inferences(
        8,
        labels=["late", "", "  ", None, None, None, None, "late"],
        values=[NAN, NAN, NAN, INFINITY, -INFINITY, NAN, 1.0, NAN],
    )
    flaws = [0, 0, 0, 0, 0, Flaw.NOT_A_NUMBER, Flaw.NO_PROBABILITY, Flaw.NO_PROBABILITY]
    marked = replace(rows, flaws=np.array(flaws, dtype=np.uint8))
    assert summary_of(marked).invalid() == {"non_finite": 3, "empty": 2, "improbable": 2}
    assert summary_of(inferences(3)).invalid() == {"non_finite": 0, "empty": 0, "improbable": 0}


def test_no_answer_among_others_of_a_call_is_empty() -> None:
    """The second sample of a call has none and the first has; a call that says nothing at all may have been told not to; a NaN is not empty besides."""
    rows = inferences(6, labels=["late", None, None, None, "late", None])
    rows = replace(
        rows,
        spans=np.array([0, 0, 1, 1, 2, 2]),
        flaws=np.array([0, 0, 0, 0, 0, Flaw.NOT_A_NUMBER], dtype=np.uint8),
    )
    assert summary_of(rows).invalid() == {"non_finite": 1, "empty": 1, "improbable": 0}


def test_a_reference_says_what_lies_outside_of_it() -> None:
    """Of numbers those beyond its range, of classes those that it does not have."""
    numbers = reference(predicted=(1.0, 2.0, 3.0))
    rows = inferences(5, values=[0.5, 1.0, 2.0, 3.5, NAN])
    assert summary_of(rows, known=numbers).invalid()["range"] == 2
    classes = reference()
    rows = inferences(4, labels=["late", "never", "punctual", None])
    assert summary_of(rows, known=classes).invalid()["category"] == 1


def test_a_feature_was_last_seen_with_its_newest_value() -> None:
    """By event time, whatever the order of the rows: a missing value is none, nor is one that was not captured; one of a wrong type is."""
    rows = inferences(
        4, features={"age": [12, None, "x", ABSENT], "carrier": [None, None, None, "UA"]}
    )
    rows = replace(rows, end_times_ns=np.array([30, 90, 60, 10]))
    assert summary_of(rows, known=reference()).quality.seen_ns.tolist() == [60, 10]
    never = inferences(2, features={"age": [None, None], "carrier": ["UA", "B6"]})
    later = replace(never, end_times_ns=np.array([95, 94]))
    assert summary_of(rows, later, known=reference()).quality.seen_ns.tolist() == [60, 95]
    assert summary_of(never, known=reference()).quality.seen_ns.tolist() == [0, 1]


def test_age_is_silence_by_the_clock_and_what_came_without_a_value() -> None:
    """Rows came until 100 s by event time, which was 5 s ago by the clock; the feature had its last value at 40 s."""
    fresh = Freshness(1_000 * SECOND, 100 * SECOND, {"age": 40 * SECOND, "carrier": 100 * SECOND})
    now_ns = 1_005 * SECOND
    assert fresh.silent_s(now_ns) == 5
    assert dict(fresh.stale_s(now_ns)) == {"age": 65, "carrier": 5}
    assert dict(fresh.stale_s(999 * SECOND)) == {"age": 60, "carrier": 0}


def test_a_stream_adds_up_and_remembers_the_newest() -> None:
    """Predictions that break a rule add up over requests; a feature that comes no more keeps its time."""
    known = reference()
    first = inferences(2, labels=["", "never"], features={"age": [1, 1], "carrier": ["UA", "UA"]})
    second = inferences(1, labels=["never"], features={"age": [None], "carrier": ["UA"]})
    later = replace(second, end_times_ns=np.array([50]))
    stream = StreamQuality()
    for rows in (first, later):
        stream.count(summary_of(rows, known=known))
    assert stream.invalid == {"non_finite": 0, "empty": 1, "improbable": 0, "category": 3}
    assert stream.seen_ns == {"age": 1, "carrier": 50}


ROWS = st.lists(
    st.tuples(
        st.integers(0, 4),
        st.integers(0, 2),
        st.sampled_from(["late", "never", "", None]),
        st.sampled_from([NAN, INFINITY, 1.0, 2.0]),
        st.sampled_from([0, 1, 2, 3]),
        st.sampled_from([12, None, ABSENT, "x"]),
        st.integers(1, 1_000),
    ),
    min_size=1,
    max_size=40,
)


@given(ROWS, st.integers(1, 5))
def test_parts_merge_and_come_back_from_a_file_as_they_were(
    rows: list[tuple[int, int, str | None, float, int, object, int]], size: int
) -> None:
    """Cut into parts of calls, written and read: merged in reverse they are, byte for byte, what was counted whole."""
    known = reference()
    whole = _columns(rows)
    merged = Summary(known)
    for at in reversed(range(0, len(rows), size)):
        part = summary_of(whole[at : at + size], known=known)
        written = msgspec.msgpack.encode(StoredSummary.of(part))
        merged.merge(msgspec.msgpack.decode(written, type=StoredSummary).summary(known))
    counted = summary_of(whole, known=known)
    assert StoredQuality.of(merged.quality) == StoredQuality.of(counted.quality)
    assert merged.invalid() == counted.invalid()


def _columns(
    rows: list[tuple[int, int, str | None, float, int, object, int]],
) -> InferenceColumns:
    """Return rows of as many calls."""
    inputs, schemas, labels, values, flaws, ages, times = zip(*rows, strict=True)
    columns = inferences(
        len(rows),
        labels=labels,
        values=values,
        features={"age": ages, "carrier": ["UA"] * len(rows)},
    )
    return replace(
        columns,
        hashes=np.array([inputs, schemas], dtype=np.int64).T,
        flaws=np.array(flaws, dtype=np.uint8),
        end_times_ns=np.array(times, dtype=np.int64),
    )


@pytest.mark.parametrize(
    "damage",
    [
        {"inputs": b"\0" * 24},
        {"inputs": b"\0" * 32},
        {"inputs": b"\1" * 32 * 513},
        {"seen_ns": b"d" + b"\0" * 24},
        {"invalid": b"d" + b"\xff" * 24},
    ],
)
def test_a_damaged_file_is_refused(damage: dict[str, bytes]) -> None:
    """Cut off, an input of no call, too many of them, the features of another reference, counts below 0: no part of it is believed."""
    known = reference()
    one = inferences(1, labels=["late"], features={"age": [12], "carrier": ["UA"]})
    rows = hashed([7], one, schema=3)
    written = StoredQuality.of(summary_of(rows, known=known).quality)
    assert written is not None
    with pytest.raises(ValueError, match=r"expected|shape|cannot"):
        msgspec.structs.replace(written, **damage).put_into(Summary(known).quality)
