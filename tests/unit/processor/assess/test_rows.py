"""What an inference is told on its own trace."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from otel_ml_conventions.attributes import MlDriftStateValues
from otel_ml_processor.assess.rows import MAX_FLAGS, ConfidenceBands
from otel_ml_processor.assess.rows import judge as judge_placed
from otel_ml_processor.assess.verdict import Verdict, Verdicts
from otel_ml_processor.columns import InferenceColumns, Kind, StreamKey, TextColumn, ValueColumn
from otel_ml_processor.profile import Source
from otel_ml_processor.windows.placed import place
from otel_ml_processor.windows.reference import Reference, build_profile

NAN = float("nan")


def numbers(*values: float | None) -> ValueColumn:
    """Return numbers as a feature's column; None is missing."""
    kinds = [Kind.MISSING if v is None else Kind.NUMBER for v in values]
    found = [NAN if v is None else v for v in values]
    n = len(values)
    return ValueColumn(np.array(kinds, dtype=np.uint8), np.array(found), np.full(n, -1))


def texts(*values: str) -> ValueColumn:
    """Return texts as a feature's column."""
    n = len(values)
    kinds = np.full(n, Kind.TEXT, dtype=np.uint8)
    return ValueColumn(kinds, np.full(n, NAN), np.arange(n), values)


def rows(
    confidences: list[float],
    features: dict[str, ValueColumn] | None = None,
    spans: list[int] | None = None,
) -> InferenceColumns:
    """Return rows that say their confidence, one span each unless told otherwise."""
    n = len(confidences)
    return InferenceColumns(
        stream=StreamKey("shop", "", "fraud", "1"),
        spans=np.arange(n) if spans is None else np.array(spans),
        end_times_ns=np.zeros(n, dtype=np.int64),
        labels=TextColumn(np.full(n, -1), ()),
        confidences=np.array(confidences, dtype=np.float64),
        entropies=np.full(n, NAN),
        margins=np.full(n, NAN),
        values=np.full(n, NAN),
        features=features or {},
    )


@pytest.fixture(name="reference")
def _reference() -> Reference:
    """A model that saw amounts of 0 to 999 (never one missing), ages with gaps, two cities, confidences of .001 to 1."""
    steps = np.arange(1000.0)
    ages = np.where(steps % 10 == 0, NAN, steps)
    cities = ValueColumn(
        np.full(1000, Kind.TEXT, dtype=np.uint8),
        np.full(1000, NAN),
        (steps % 2).astype(np.int64),
        ("Paris", "Rome"),
    )
    profile = build_profile(
        {"amount": steps, "age": ages, "city": cities},
        model="fraud",
        version="1",
        created="2026-01-01T00:00:00Z",
        source=Source(kind="array", uri="", rows=1000),
        confidence=(steps + 1) / 1000,
    )
    return Reference.of(profile)


def judge(
    rows: InferenceColumns,
    reference: Reference | None,
    drift: MlDriftStateValues | None,
    bands: ConfidenceBands,
) -> dict[int, Verdict]:
    """Return what each span is told."""
    verdicts = Verdicts(int(rows.spans.max(initial=-1)) + 1)
    judge_placed(place(rows, reference), drift, bands, verdicts)
    told = enumerate(verdicts.codes.tolist())
    return {span: verdicts.said[code] for span, code in told if code >= 0}


def said(found: dict[int, Verdict]) -> list[tuple[str | None, tuple[str, ...]]]:
    """Return confidence band and flags by span."""
    return [(found[span].confidence, found[span].flags) for span in sorted(found)]


def test_confidence_is_told_in_three_bands_of_the_reference(reference: Reference) -> None:
    """Low is below the reference's 5 % quantile, medium below its median, high the rest."""
    bands = ConfidenceBands.of(reference, None)
    found = judge(rows([0.049, 0.3, 0.9]), reference, None, bands)
    assert said(found) == [("low", ("low_confidence",)), ("medium", ()), ("high", ())]


def test_without_a_reference_low_is_below_seven_tenths() -> None:
    """There is no median to speak of, so everything else is high."""
    found = judge(rows([0.69, 0.7, 0.99]), None, None, ConfidenceBands.of(None, None))
    assert [band for band, _ in said(found)] == ["low", "high", "high"]


def test_the_operators_threshold_wins(reference: Reference) -> None:
    """Who sets `verdicts.low_confidence` gets exactly that, also above the median."""
    bands = ConfidenceBands.of(reference, 0.8)
    assert [band for band, _ in said(judge(rows([0.79, 0.8]), reference, None, bands))] == [
        "low",
        "high",
    ]


def test_a_prediction_without_confidence_is_told_nothing_about_it(reference: Reference) -> None:
    """What was not said is not judged: no band, no flag."""
    assert said(judge(rows([NAN]), reference, None, ConfidenceBands.of(reference, None))) == [
        (None, ())
    ]


def test_inputs_that_the_reference_never_had_are_flagged_by_name(reference: Reference) -> None:
    """Unseen category, out of range, missing where none ever was; not a missing age, of which the reference had many."""
    features = {
        "amount": numbers(5.0, 1e6, None, -1.0),
        "age": numbers(None, 5.0, 5.0, 5.0),
        "city": texts("Rome", "Paris", "Oslo", "Rome"),
    }
    found = judge(rows([0.9] * 4, features), reference, None, ConfidenceBands.of(reference, None))
    assert [flags for _, flags in said(found)] == [
        (),
        ("out_of_range:amount",),
        ("missing:amount", "unseen:city"),
        ("out_of_range:amount",),
    ]


@pytest.mark.parametrize("confidence", [1.5, -0.2, float("inf")])
def test_an_impossible_confidence_is_flagged_and_has_no_band(
    reference: Reference, confidence: float
) -> None:
    """A probability of 1.5 says that something is wrong, not that the model is sure."""
    bands = ConfidenceBands.of(reference, None)
    assert said(judge(rows([confidence]), reference, None, bands)) == [(None, ("invalid_output",))]


def test_a_batch_is_told_its_lowest_confidence_and_all_flags(reference: Reference) -> None:
    """Three rows of one span are one verdict."""
    features = {"amount": numbers(1.0, 1e9, 2.0), "city": texts("Rome", "Rome", "Oslo")}
    batch = rows([0.9, 0.01, 0.8], features, spans=[4, 4, 4])
    found = judge(batch, reference, MlDriftStateValues.WARNING, ConfidenceBands.of(reference, None))
    assert list(found) == [4]
    assert found[4].confidence == "low"
    assert found[4].drift == "warning"
    assert found[4].flags == ("low_confidence", "out_of_range:amount", "unseen:city")
    assert found[4].reference == reference.id


def test_flags_are_bounded() -> None:
    """A row in which a hundred inputs are odd says so with sixteen flags."""
    n = 100
    profile = build_profile(
        {f"f{i}": np.arange(50.0) for i in range(n)},
        model="wide",
        created="2026-01-01T00:00:00Z",
        source=Source(kind="array", uri="", rows=50),
    )
    reference = Reference.of(profile)
    features = {f"f{i}": numbers(1e9) for i in range(n)}
    found = judge(rows([NAN], features), reference, None, ConfidenceBands.of(reference, None))
    assert len(found[0].flags) == MAX_FLAGS


def test_no_rows_give_no_verdicts(reference: Reference) -> None:
    """An empty batch is nothing to talk about."""
    assert judge(rows([]), reference, None, ConfidenceBands.of(reference, None)) == {}


def test_a_provisional_reference_alone_is_not_told(reference: Reference) -> None:
    """Of what is still being learned a span hears nothing; where its confidence is judged, it hears by what. A complete one is named always."""
    learning = replace(reference, is_provisional=True)
    found = judge(rows([NAN, 0.01]), learning, None, ConfidenceBands.of(learning, None))
    assert found == {0: Verdict(), 1: Verdict("low", None, ("low_confidence",), reference.id)}
    found = judge(rows([NAN]), reference, None, ConfidenceBands.of(reference, None))
    assert found == {0: Verdict(reference=reference.id)}
