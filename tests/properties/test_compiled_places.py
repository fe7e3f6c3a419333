"""Compiled and plain looking up: every row in the same place, and every span told the same, whatever the rows say."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_ml_conventions.attributes import MlDriftStateValues
from otel_ml_processor.assess import rows as judging
from otel_ml_processor.assess.verdict import Verdict, Verdicts
from otel_ml_processor.columns import TextColumn
from otel_ml_processor.profile import Source
from otel_ml_processor.windows import placed as placing
from otel_ml_processor.windows.expected_errors import errors_of_classes
from otel_ml_processor.windows.reference import Reference, build_profile
from otel_ml_processor.windows.score_reference import ScoreReference, calibration_of
from tests.data.value_columns import ABSENT, inferences, value_column

if TYPE_CHECKING:
    from otel_ml_processor.columns import InferenceColumns
    from otel_ml_processor.profile import Profile
    from otel_ml_processor.windows.placed import PlacedRows

STEPS: Final = np.arange(400.0)
SURE: Final = (STEPS + 1) / 400
LABELS: Final = TextColumn((STEPS % 2).astype(np.int64), ("yes", "no"))


def profile(*, of_numbers: bool) -> Profile:
    """Return a profile of numbers with 1, 5 and 20 bins, one of them with gaps, and of a category; numbers or classes are predicted."""
    predicted = {"prediction": STEPS} if of_numbers else {"prediction": _yes_and_no()}
    return build_profile(
        {
            "many": STEPS,
            "few": STEPS % 5,
            "gaps": np.where(STEPS % 10 == 0, np.nan, STEPS),
            "one": np.ones(400),
            "city": value_column(["Rome", "Paris"] * 200),
        },
        model="m",
        source=Source(kind="array", uri="", rows=400),
        created="2026-01-01",
        confidence=SURE,
        **predicted,
    )


def _yes_and_no() -> object:
    return value_column(["yes", "no"] * 200)


def calibrated(positive: str | None) -> Reference:
    """Return a reference that knows what scores mean, and hence how wrong rows are expected to be."""
    calibration = calibration_of(SURE, STEPS % 3 == 0, positive)
    cells = ScoreReference.of(calibration).cells(LABELS, SURE)
    known = profile(of_numbers=False)
    return Reference.of(
        msgspec.structs.replace(
            known, calibration=calibration, expected=errors_of_classes(calibration, cells)
        )
    )


def without_ranges(profile: Profile) -> Profile:
    """Return *profile* as one that does not say the smallest and the largest number."""
    features = [msgspec.structs.replace(f, min=None, max=None) for f in profile.features]
    return msgspec.structs.replace(profile, features=features, provisional=True)


REFERENCES: Final = (
    Reference.of(profile(of_numbers=True)),
    Reference.of(without_ranges(profile(of_numbers=False))),
    calibrated("yes"),
    calibrated(None),
    None,
)
NUMBERS: Final[st.SearchStrategy[Any]] = st.one_of(
    st.sampled_from([0, 1, 19, 399, -1, 400, 1e300, float("inf"), float("-inf"), float("nan")]),
    st.sampled_from([None, True, "Infinity", "old", [], ABSENT]),
    st.floats(0, 399),
)
usual = st.one_of(st.sampled_from([0, 1, 2, 3, 4]), st.just(None))
doubtful = st.one_of(
    st.floats(0, 1),
    st.floats(),
    st.sampled_from([-1e-6, -2e-6, 1 + 1e-6, 1 + 2e-6, -0.0, 0.25, 0.5, float("nan")]),
)
ROW: Final = st.fixed_dictionaries(
    {
        "many": NUMBERS,
        "few": usual,
        "gaps": NUMBERS,
        "one": st.just(1.0),
        "city": st.sampled_from(["Rome", "Oslo", None, 3, ABSENT]),
        "label": st.sampled_from(["yes", "no", "maybe", None]),
        "sure": doubtful,
        "value": st.one_of(st.just(float("nan")), st.floats(), st.floats(0, 399)),
        "is_next_span": st.booleans(),
        "flaw": st.sampled_from([0, 0, 0, 1, 2]),
    }
)


def columns_of(rows: list[dict[str, Any]], *, is_flawed: bool) -> InferenceColumns:
    """Return *rows* as a decoder gives them."""
    columns = inferences(
        len(rows),
        labels=[row["label"] for row in rows],
        confidences=[row["sure"] for row in rows],
        values=[row["value"] for row in rows],
        features={
            name: [row[name] for row in rows] for name in ("many", "few", "gaps", "one", "city")
        },
    )
    spans = np.cumsum([row["is_next_span"] for row in rows], dtype=np.int64)
    flaws = np.array([row["flaw"] for row in rows], dtype=np.uint8) if is_flawed else None
    return replace(columns, spans=spans, flaws=flaws)


def told(
    columns: InferenceColumns, reference: Reference | None
) -> tuple[PlacedRows, dict[int, Verdict]]:
    """Return where the rows are, and what each span is told."""
    placed = placing.place(columns, reference)
    verdicts = Verdicts(int(columns.spans.max(initial=0)) + 1)
    verdicts.number((Verdict(reference="of another stream"),))
    bands = judging.ConfidenceBands.of(reference, None)
    judging.judge(placed, MlDriftStateValues.STEADY, bands, verdicts)
    codes = enumerate(verdicts.codes.tolist())
    return placed, {span: verdicts.said[code] for span, code in codes if code >= 0}


@settings(max_examples=200, deadline=None)
@given(
    rows=st.lists(ROW, max_size=12),
    reference=st.sampled_from(REFERENCES),
    is_flawed=st.booleans(),
)
def test_compiled_look_ups_are_plain_look_ups(
    rows: list[dict[str, Any]], reference: Reference | None, *, is_flawed: bool
) -> None:
    """Missing, infinite and wrong values, texts, batches, what is no probability, profiles without ranges: places, what lies outside, and verdicts are the same."""
    columns = columns_of(rows, is_flawed=is_flawed)

    placed, verdicts = told(columns, reference)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(placing, "IS_COMPILED", False)
        patch.setattr(judging, "IS_COMPILED", False)
        plain, expected = told(columns, reference)

    np.testing.assert_array_equal(placed.places, plain.places)
    assert sorted(zip(placed.outside_rows, placed.outside_places, strict=True)) == (
        sorted(zip(plain.outside_rows, plain.outside_places, strict=True))
    )
    assert verdicts == expected
    assert set(verdicts) == set(columns.spans.tolist())


@settings(max_examples=100, deadline=None)
@given(rows=st.lists(ROW, min_size=1, max_size=6), reference=st.sampled_from(REFERENCES[:-1]))
def test_where_nothing_is_unusual_every_row_has_a_cell(
    rows: list[dict[str, Any]], reference: Reference
) -> None:
    """Lines that are not named as unusual need not be looked at for what a span is told."""
    placed = placing.place(columns_of(rows, is_flawed=False), reference)

    assert placed.unusual is not None
    for line, target in enumerate(reference.features):
        first = reference.places[line].start
        cells = placed.places[line] - first
        if line not in placed.unusual:
            assert ((cells >= 0) & (cells < target.cells.n_cells)).all()
