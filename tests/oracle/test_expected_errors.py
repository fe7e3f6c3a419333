"""Errors of predicted numbers without their truth: estimated beside what is known to be true, row by row and over whole windows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from otel_ml_conventions.attributes import MlDriftStateValues, MlDriftTargetValues
from otel_ml_processor.assess.drift import assess_drift
from otel_ml_processor.assess.performance import estimated_scores
from otel_ml_processor.columns import InferenceColumns, Kind, StreamKey, TextColumn, ValueColumn
from otel_ml_processor.commands.profile import build_profile_from_table
from otel_ml_processor.profile_file import read_profile, write_profile
from otel_ml_processor.windows.placed import place
from otel_ml_processor.windows.reference import Reference
from otel_ml_processor.windows.summary import Summary

if TYPE_CHECKING:
    from pathlib import Path

    from otel_ml_processor.profile import Profile

KINDS = ("flat", "house", "barn")


def table(seed: int, n: int, barns: float = 0.1, shift: float = 0.0) -> pd.DataFrame:
    """Return predictions whose errors grow with the size and are largest for barns, of which nothing is seen in the prediction itself."""
    random = np.random.default_rng(seed)
    kind = random.choice(KINDS, n, p=[0.6, 0.4 - barns, barns] if barns <= 0.4 else [0, 0, 1])
    size = random.normal(shift, 1, n)
    spread = 0.5 + np.maximum(size, 0) + 3 * (kind == "barn")
    said = random.normal(10, 2, n)
    return pd.DataFrame(
        {"kind": kind, "size": size, "said": said, "true": said + spread * random.normal(size=n)}
    )


def built(rows: pd.DataFrame, **roles: Any) -> Profile:
    """Return the profile of *rows*, with their truth."""
    return build_profile_from_table(
        rows, model="m", label="said", target="true", created="2026-01-01T00:00:00Z", **roles
    )


def live(rows: pd.DataFrame) -> InferenceColumns:
    """Return *rows* as inferences."""
    n, unsaid = len(rows), np.full(len(rows), np.nan)
    codes = rows["kind"].map(KINDS.index).to_numpy(dtype=np.int64)
    features = {
        "kind": ValueColumn(np.full(n, Kind.TEXT, dtype=np.uint8), unsaid, codes, KINDS),
        "size": ValueColumn(
            np.full(n, Kind.NUMBER, dtype=np.uint8), rows["size"].to_numpy(), np.full(n, -1)
        ),
    }
    return InferenceColumns(
        stream=StreamKey("s", "", "m", ""),
        spans=np.arange(n),
        end_times_ns=np.zeros(n, dtype=np.int64),
        labels=TextColumn(np.full(n, -1), ()),
        confidences=unsaid,
        entropies=unsaid,
        margins=unsaid,
        values=rows["said"].to_numpy(),
        features=features,
    )


def window(reference: Reference, rows: pd.DataFrame) -> Summary:
    """Return the window of *rows*."""
    summary = Summary(reference)
    summary.add(place(live(rows), reference))
    return summary


def realised(rows: pd.DataFrame) -> dict[str, float]:
    """Return what the truth says of *rows*."""
    errors = (rows["said"] - rows["true"]).to_numpy()
    return {"mae": float(np.abs(errors).mean()), "rmse": float(np.sqrt((errors**2).mean()))}


def state(reference: Reference, rows: pd.DataFrame, *, effect_floor: float) -> MlDriftStateValues:
    """Return what the expected errors of *rows* say, at a promise of 1 %."""
    comparisons = window(reference, rows).comparisons()
    of = [c for c in comparisons if c.target is MlDriftTargetValues.PERFORMANCE]
    (reading,) = assess_drift(
        of, alpha=0.01, effect_floor=effect_floor, scores=["psi"], min_rows=200
    )
    return reading.state


@pytest.fixture(scope="module")
def profile() -> Profile:
    """Return the profile of 40 000 rows."""
    return built(table(1, 40_000))


@pytest.mark.parametrize(("barns", "shift"), [(0.1, 0.0), (0.4, 0.0), (0.1, 1.0), (0.02, -0.5)])
def test_the_estimate_follows_the_true_error(profile: Profile, barns: float, shift: float) -> None:
    """Whatever inputs come, more barns, larger or smaller ones: the mean within 4 %, the root mean square, which tails decide, within 8 %."""
    rows = table(2, 40_000, barns, shift)
    found, true = estimated_scores(window(Reference.of(profile), rows)), realised(rows)
    assert found["mae"] == pytest.approx(true["mae"], rel=0.04)
    assert found["rmse"] == pytest.approx(true["rmse"], rel=0.08)


def test_bins_of_the_prediction_alone_would_see_nothing_of_it(profile: Profile) -> None:
    """Of a change of which the prediction says nothing, a tree without features finds less than a tenth."""
    before, after = table(1, 40_000), table(3, 40_000, barns=0.4)
    blind = Reference.of(built(before, ignore=["kind", "size"]))
    change = realised(after)["mae"] - realised(before)["mae"]
    seeing = estimated_scores(window(Reference.of(profile), after))["mae"]
    unseeing = estimated_scores(window(blind, after))["mae"]
    assert seeing - realised(before)["mae"] > 0.9 * change
    assert unseeing - realised(before)["mae"] < 0.1 * change


def test_counted_leaves_say_what_rows_say_one_by_one(profile: Profile) -> None:
    """The mean over the window's counts is the mean of what the tree, asked row by row, answers."""
    expected, reference = profile.expected, Reference.of(profile)
    assert expected is not None
    rows = live(table(4, 2_000))
    columns = [(target, target.column(rows)) for target in reference.targets[:3]]
    cells = [target.cells.assign(column) for target, column in columns if column is not None]
    answers = []
    for row in zip(*(column.tolist() for column in cells), strict=True):
        child = 0
        while child >= 0:
            split = expected.splits[child]
            child = split.children[0 if row[split.column] in split.inside else 1]
        answers.append(expected.absolute[-1 - child])
    summary = Summary(reference)
    summary.add(place(rows, reference))
    assert estimated_scores(summary)["mae"] == pytest.approx(np.mean(answers))


def test_growing_errors_are_an_alarm_and_shrinking_ones_are_none(profile: Profile) -> None:
    """A rise drifts in the target `performance`; a model that is expected to be better does not."""
    reference = Reference.of(profile)
    more, fewer = table(5, 1_000, barns=0.3), table(5, 1_000, barns=0.0, shift=-1.0)
    assert state(reference, more, effect_floor=0.01) is MlDriftStateValues.DRIFTING
    assert state(reference, fewer, effect_floor=0.01) is MlDriftStateValues.STEADY


def test_false_alarms_of_the_expected_error_keep_their_promise(profile: Profile) -> None:
    """Of 600 windows of 500 rows without drift 1 % may alarm: six, and by chance more than fifteen once in two thousand times."""
    reference = Reference.of(profile)
    alarms = 0
    for seed in range(600):
        found = state(reference, table(100 + seed, 500), effect_floor=0.0)
        alarms += found is MlDriftStateValues.DRIFTING
    assert alarms <= 15


def test_what_does_not_say_its_inputs_is_not_judged(profile: Profile) -> None:
    """Rows whose features were not captured count in no leaf, and a window of these alone has no estimate."""
    reference = Reference.of(profile)
    rows = table(6, 300)
    bare = InferenceColumns(
        **{
            **{name: getattr(live(rows), name) for name in InferenceColumns.__slots__},
            "features": {},
        }
    )
    summary = Summary(reference)
    summary.add(place(bare, reference))
    assert estimated_scores(summary) == {}


def test_the_profile_is_read_as_it_was_written(profile: Profile, tmp_path: Path) -> None:
    """A tree survives the file, and is small: at most four kilobytes."""
    path = tmp_path / "m.json"
    write_profile(profile, path)
    assert read_profile(path).expected == profile.expected


@pytest.mark.parametrize("odd", [np.nan, np.inf, 1e300])
def test_an_odd_truth_moves_nothing_else(odd: float) -> None:
    """One truth that is no number, or a wild one, is one row of 5000: the estimate stays within what half of them say of a mean."""
    rows = table(7, 5_000)
    plain = estimated_scores(window(Reference.of(built(rows)), rows))
    rows.loc[17, "true"] = odd
    found = estimated_scores(window(Reference.of(built(rows)), rows))
    assert found["mae"] == pytest.approx(plain["mae"], rel=0.06)


def test_fewer_rows_than_400_have_no_estimate() -> None:
    """Nothing is expected from a handful of truths."""
    assert built(table(8, 399)).expected is None
