"""What is concluded of the quality of a window's data, and when it is an alarm."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest

from otel_ml_conventions.attributes import MlDriftStateValues, MlDriftTargetValues
from otel_ml_processor.assess.data_quality import assess_quality, describe_schemas, with_schema
from otel_ml_processor.assess.promise import Promises
from otel_ml_processor.assess.reading import TargetReading
from otel_ml_processor.assess.states import DriftStates, StateMemory, describe
from otel_ml_processor.assess.window import assess_window
from otel_ml_processor.config import DriftConfig
from otel_ml_processor.emit.events import drift_attributes
from otel_ml_processor.profile import Source, sealed
from otel_ml_processor.windows.disjoint import Closed
from otel_ml_processor.windows.pairs import correlation_of, scored_features
from otel_ml_processor.windows.placed import place
from otel_ml_processor.windows.reference import Reference, build_profile
from otel_ml_processor.windows.streams import ClosedWindow
from otel_ml_processor.windows.summary import Summary
from tests.data.value_columns import inferences, value_column

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from otel_ml_processor.assess.reading import Change, Reading
    from otel_ml_processor.columns import InferenceColumns

A, B, C = "a" * 16, "b" * 16, "c" * 16
DRIFTING, WARNING, STEADY = (
    MlDriftStateValues.DRIFTING,
    MlDriftStateValues.WARNING,
    MlDriftStateValues.STEADY,
)
ROWS = 1_000
RANDOM = np.random.default_rng(5)
WIDTH, HEIGHT = RANDOM.normal(size=(2, ROWS))
PLANS = ["plus" if i % 2 else "basic" for i in range(ROWS)]
RARE = [1.0 if i % 100 == 0 else 0.0 for i in range(ROWS)]


def reference() -> Reference:
    """Return one of two numbers that are independent of each other, a number that is mostly 0, and a category of two."""
    profile = build_profile(
        {"width": WIDTH, "height": HEIGHT, "rare": np.array(RARE), "plan": value_column(PLANS)},
        model="m",
        source=Source(kind="test", uri="none", rows=ROWS),
        created="2026-01-01",
    )
    bare = Reference.of(profile)
    numbers = {"width": WIDTH, "height": HEIGHT, "rare": np.array(RARE)}
    cells = [
        bare.features[i].cells.assign(value_column(list(numbers[profile.features[i].name])))
        for i in scored_features(profile.features)
    ]
    correlation = correlation_of(profile.features, cells)
    return Reference.of(sealed(msgspec.structs.replace(profile, correlation=correlation)))


REFERENCE = reference()


def summary_of(features: Mapping[str, Sequence[object]], n: int = 250) -> Summary:
    """Return a window of *n* rows with these *features*, and the others as in the reference."""
    usual = {"width": WIDTH, "height": HEIGHT, "rare": RARE, "plan": PLANS}
    columns = {name: list(usual[name][:n]) for name in usual} | dict(features)
    summary = Summary(REFERENCE)
    summary.add(place(inferences(n, features=columns), REFERENCE))
    return summary


def constants(features: Mapping[str, Sequence[object]], n: int = 250) -> tuple[str, ...]:
    """Return the features that are told to be constant."""
    return assess_quality(summary_of(features, n), min_rows=200).constant


def test_a_feature_that_stands_still_is_told() -> None:
    """One number where there were a thousand, one category where there were two; what moves is not told."""
    assert constants({"width": [0.5] * 250}) == ("width",)
    assert constants({"plan": ["plus"] * 250}) == ("plan",)
    assert constants({}) == ()
    assert constants({"plan": ["plus"] * 249 + ["basic"]}) == ()


def test_what_is_nearly_always_the_same_is_not_constant_for_being_so_again() -> None:
    """99 of 100 were 0: 250 zeros in a row come by chance in 8 % of windows. 1 500 do in fewer than one of a million."""
    assert constants({"rare": [0.0] * 250}) == ()
    more = {
        "width": 6 * list(WIDTH[:250]),
        "height": 6 * list(HEIGHT[:250]),
        "plan": 6 * PLANS[:250],
    }
    assert constants({**more, "rare": [0.0] * 1_500}, n=1_500) == ("rare",)


def test_few_or_no_values_are_not_judged() -> None:
    """A feature that is missing in most rows, or in all, is that, and not constant; nor is anything of a stream without a reference."""
    assert constants({"width": [0.5] * 199 + [None] * 51}) == ()
    assert constants({"width": [None] * 250}) == ()
    bare = Summary()
    bare.add(place(inferences(300), None))
    assert (assess_quality(bare, 200).constant, assess_quality(bare, 200).alike) == ((), ())


def test_two_features_that_say_the_same_are_told() -> None:
    """The height is filled from the width, say by a wrong join: independent before, the same now, in whatever unit."""
    (pair,) = assess_quality(summary_of({"height": list(WIDTH[:250])}), min_rows=200).alike
    assert {pair.first, pair.second} == {"width", "height"}
    assert pair.before < 0.1
    assert pair.after > 0.98
    assert assess_quality(summary_of({}), min_rows=200).alike == ()
    assert assess_quality(summary_of({"height": list(WIDTH[:199])}, 199), min_rows=200).alike == ()


def reading(schemas: Mapping[str, int], *, known: Reference | None = None) -> Reading:
    """Return a window with so many rows of each of *schemas*."""
    summary = Summary(known)
    for schema, n in schemas.items():
        summary.add(place(_rows(schema, n), known))
    return _assessed(summary)


def _rows(schema: str, n: int) -> InferenceColumns:
    usual = {"width": WIDTH, "height": HEIGHT, "rare": RARE, "plan": PLANS}
    word = int(schema, 16) - (1 << 64) * (int(schema, 16) >> 63)
    hashes = np.tile(np.array([0, word], dtype=np.int64), (n, 1))
    features = {name: list(column[:n]) for name, column in usual.items()}
    return replace(inferences(n, features=features), hashes=hashes)


def _closed(summary: Summary) -> ClosedWindow:
    closed = Closed("rows", 0, 10**9, summary, is_sufficient=summary.rows >= 200)
    return ClosedWindow(inferences(1).stream, summary.reference, closed)


def _assessed(summary: Summary) -> Reading:
    promises = Promises(alphas={"rows": 0.01}, measured={})
    return assess_window(_closed(summary), promises=promises, min_rows=200, drift=DriftConfig())


def observed(states: DriftStates, found: Reading) -> tuple[Reading, Change | None]:
    """Return what a window is told to be, and what changed with it."""
    window = _closed(Summary(REFERENCE if found.reference_id else None))
    gathered = states.gather(window, found)
    return gathered, states.observe(gathered)


def state_of(found: Reading) -> MlDriftStateValues | None:
    """Return the state of the target that is about schemas; None where it is not told."""
    quality = [t for t in found.targets if t.target is MlDriftTargetValues.DATA_QUALITY]
    return quality[0].state if quality else None


@pytest.mark.parametrize("known", [None, REFERENCE])
def test_a_schema_that_changes_is_one_event(known: Reference | None) -> None:
    """With a profile or without: steady, then another schema in all rows, which is told once; when the old one is back all is steady, and the next change is told again."""
    states = DriftStates()
    told = [observed(states, reading({schema: 400}, known=known)) for schema in (A, A, B, B, A, C)]
    expected = [None, None, DRIFTING, DRIFTING, STEADY, DRIFTING]
    assert [state_of(found) for found, _ in told] == expected
    changes = [change and change.kind.value for _, change in told]
    assert changes == [None, None, "drift", None, None, "drift"]


def test_a_few_rows_of_another_schema_are_a_warning() -> None:
    """Three of a thousand: a single caller that is told of, not an alarm; from one in a hundred on it is one."""
    states = DriftStates()
    observed(states, reading({A: 1000}))
    few, change = observed(states, reading({A: 997, B: 3}))
    assert (state_of(few), few.state, change) == (WARNING, WARNING, None)
    many, change = observed(states, reading({A: 990, B: 10}))
    assert (state_of(many), many.state) == (DRIFTING, DRIFTING)
    assert change is not None


def test_several_schemas_are_known_from_the_first_window_on() -> None:
    """Callers of two kinds from the beginning: neither is a change, in whatever proportion they come."""
    states = DriftStates()
    observed(states, reading({A: 300, B: 100}))
    assert state_of(observed(states, reading({A: 1, B: 399}))[0]) is None


def test_a_window_of_too_few_rows_decides_nothing() -> None:
    """Neither which schemas are known nor that one is another; rows that say no schema are none of another."""
    states = DriftStates()
    observed(states, reading({C: 100}))
    observed(states, reading({A: 400}))
    few, change = observed(states, reading({B: 100}))
    assert (state_of(few), change) == (None, None)
    silent = reading({A: 400})
    assert silent.quality is not None
    unsaid = replace(silent, quality=replace(silent.quality, schemas={}))
    assert with_schema(unsaid, (A,), was_told=True) is unsaid


def test_the_event_says_how_many_rows_and_which_schemas() -> None:
    """In words and in numbers; there is no probability of error to be promised, and no reference to be named where there is none."""
    states = DriftStates()
    observed(states, reading({A: 400}))
    _, change = observed(states, reading({A: 300, B: 100}))
    assert change is not None
    words = describe(change)
    assert f"25 % of rows with another schema, schemas now: {A}, {B}" in words
    assert "raise an alarm" not in words
    about = drift_attributes(change, words, effect_floor=0.5)
    said = {
        key: about.get(f"ml.drift.{key}") for key in ("method", "score", "threshold", "p_value")
    }
    assert said == {"method": "other", "score": 0.25, "threshold": 0.01, "p_value": 0.0}
    assert "ml.drift.reference.id" not in about


def feature(name: str, driver: str, **shares: float) -> TargetReading:
    """Return a feature that drifts, by *driver*."""
    return TargetReading(
        target=MlDriftTargetValues.FEATURE,
        name=name,
        rows=400,
        scores={},
        p_value=0.0,
        effect=1.0,
        state=MlDriftStateValues.DRIFTING,
        driver=driver,
        **shares,
    )


def test_features_are_named_by_what_is_wrong_with_them() -> None:
    """Of another schema in a quarter of the rows: which feature is not there, which is of another type; what drifts otherwise is no part of it."""
    targets = (
        feature("age", "missing", missing=0.25),
        feature("city", "type_error", type_error=0.25),
        feature("fee", "missing", missing=0.1, type_error=0.25),
        feature("sum", "rank_location", missing=0.3, type_error=0.3),
    )
    words = describe_schemas(replace(reading({A: 300, B: 100}), targets=targets), 0.25)
    assert words.endswith("; without: age; of another type: city")


def test_known_schemas_survive_a_restart() -> None:
    """Written and read, also of a stream without a profile: a change across the restart is told, and one that was told is not told again."""
    states = DriftStates()
    observed(states, reading({A: 400}))
    restarted = _restarted(states)
    _, change = observed(restarted, reading({B: 400}))
    assert change is not None
    _, again = observed(_restarted(restarted), reading({B: 400}))
    assert again is None


def _restarted(states: DriftStates) -> DriftStates:
    written = msgspec.msgpack.encode(states.memories())
    twin = DriftStates()
    twin.recall(msgspec.msgpack.decode(written, type=list[StateMemory]))
    return twin


def test_a_profile_that_knows_its_schemas_tells_another_one_from_the_first_window_on() -> None:
    """Serving never agreed with what the profile was built from: skew, at once; what it knows is no change, in whatever proportion."""
    known = replace(REFERENCE, schemas=(A, C))
    states, window = DriftStates(), _closed(Summary(known))
    found = states.gather(window, reading({C: 1, A: 399}, known=known))
    assert (state_of(found), states.observe(found)) == (None, None)
    fresh = DriftStates()
    skewed = fresh.gather(window, reading({B: 300, A: 100}, known=known))
    change = fresh.observe(skewed)
    assert state_of(skewed) is DRIFTING
    assert change is not None
    assert change.kind.value == "skew"
    assert "75 % of rows with another schema" in describe(change)


def test_features_that_went_with_the_schema_are_named() -> None:
    """One that is not there any more, one whose numbers are texts now; those that are as they were are not named."""
    known = replace(REFERENCE, schemas=(A,))
    rows = _rows(B, 400)
    gone = {"width": [None] * 400, "height": ["tall"] * 400}
    features = {**rows.features, **inferences(400, features=gone).features}
    summary = Summary(known)
    summary.add(place(replace(rows, features=features), known))
    states = DriftStates()
    change = states.observe(states.gather(_closed(Summary(known)), _assessed(summary)))
    assert change is not None
    words = describe(change)
    assert f"schemas now: {B}; without: width; of another type: height)" in words


def test_inferences_without_a_reference_are_not_told_that_all_is_steady() -> None:
    """Of a stream with nothing to compare with there is no state of drift to be written on spans, schemas or not."""
    states = DriftStates()
    observed(states, reading({A: 400}))
    observed(states, reading({B: 400}))
    assert states.last(inferences(1).stream, "rows") is None
