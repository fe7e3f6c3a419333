from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from otel_ml_conventions.attributes import (
    MlDriftCalibrationModeValues,
    MlDriftStateValues,
    MlDriftTargetValues,
)
from otel_ml_processor.assess.reading import Change, DriftKind, Reading, TargetReading, WindowSpan
from otel_ml_processor.assess.states import DriftStates, describe
from otel_ml_processor.columns import StreamKey

if TYPE_CHECKING:
    from collections.abc import Sequence

STEADY = MlDriftStateValues.STEADY
WARNING = MlDriftStateValues.WARNING
DRIFTING = MlDriftStateValues.DRIFTING
INSUFFICIENT = MlDriftStateValues.INSUFFICIENT

SEVERITY = (INSUFFICIENT, STEADY, WARNING, DRIFTING)
STREAM = StreamKey("flights", "", "late-arrival", "1")
APRIL = WindowSpan("rows", 1_364_792_400 * 10**9, 1_364_988_000 * 10**9)


def target(
    name: str, state: MlDriftStateValues = DRIFTING, effect: float = 0.5, **facts: object
) -> TargetReading:
    """Return the reading of one feature."""
    reading = TargetReading(
        MlDriftTargetValues.FEATURE, name, 900, {"psi": effect}, 1e-9, effect, state
    )
    return replace(reading, **facts)


def window(
    *targets: TargetReading, stream: StreamKey = STREAM, name: str = "rows", rows: int = 900
) -> Reading:
    """Return the reading of a window whose state is the worst of its targets'."""
    state = max((t.state for t in targets), key=SEVERITY.index, default=STEADY)
    span = replace(APRIL, name=name)
    return Reading(stream, span, rows, state, tuple(targets), alpha=0.01)


def names(change: Change | None) -> Sequence[str]:
    """Return the names of the targets that changed."""
    return [] if change is None else [t.name for t in change.targets]


def test_an_episode_is_told_once() -> None:
    """A column that goes on drifting is one event, and another one after it was steady in between."""
    states = DriftStates()
    told = [
        names(states.observe(window(target("temp", state))))
        for state in (STEADY, DRIFTING, DRIFTING, STEADY, DRIFTING, WARNING, DRIFTING)
    ]

    assert told == [[], ["temp"], [], [], ["temp"], [], ["temp"]]


def test_only_what_changed_is_told_the_largest_effect_first() -> None:
    """A second and a third column are their own event; the one that drifts already is not repeated."""
    states = DriftStates()
    states.observe(window(target("a"), target("b", STEADY), target("c", STEADY)))

    change = states.observe(window(target("a"), target("b", effect=0.2), target("c", effect=0.9)))

    assert names(change) == ["c", "b"]


def test_what_never_was_steady_is_skew() -> None:
    """Different from the first window on: the reference does not fit what is served."""
    states = DriftStates()

    first = states.observe(window(target("a"), target("b", WARNING)))
    later = states.observe(window(target("a"), target("b")))

    assert first is not None
    assert later is not None
    assert (first.kind, later.kind) == (DriftKind.SKEW, DriftKind.SKEW)


def test_what_was_steady_before_is_drift() -> None:
    """One steady window, and from then on a change is a change in the world."""
    states = DriftStates()
    states.observe(window(target("a", STEADY)))

    change = states.observe(window(target("a")))

    assert change is not None
    assert change.kind is DriftKind.DRIFT


@pytest.mark.parametrize(
    "silent",
    [window(target("a", INSUFFICIENT), rows=3), window()],
    ids=["too few rows", "nothing compared"],
)
def test_windows_that_say_nothing_change_nothing(silent: Reading) -> None:
    """Neither end an episode, nor make a stream steady that was not."""
    states = DriftStates()
    states.observe(silent)
    first = states.observe(window(target("a")))
    states.observe(silent)

    assert first is not None
    assert first.kind is DriftKind.SKEW
    assert states.observe(window(target("a"))) is None


def test_a_target_that_says_nothing_keeps_its_state() -> None:
    """A feature that was not captured in one window has not recovered by that."""
    states = DriftStates()
    states.observe(window(target("a"), target("b", STEADY)))
    states.observe(window(target("a", INSUFFICIENT), target("b", STEADY)))

    assert states.observe(window(target("a"), target("b", STEADY))) is None


def test_streams_and_windows_do_not_share_a_memory() -> None:
    """Another version, or the same in another window, has its own episodes and its own skew."""
    states = DriftStates()
    states.observe(window(target("a", STEADY)))
    states.observe(window(target("a")))

    other_version = states.observe(window(target("a"), stream=replace(STREAM, version="2")))
    other_window = states.observe(window(target("a"), name="24h"))

    assert other_version is not None
    assert other_window is not None
    assert (other_version.kind, other_window.kind) == (DriftKind.SKEW, DriftKind.SKEW)


def test_targets_of_one_name_but_different_kind_are_different() -> None:
    """A feature called like nothing is not the prediction."""
    states = DriftStates()
    states.observe(window(target("", target=MlDriftTargetValues.PREDICTION)))

    change = states.observe(
        window(
            target("", target=MlDriftTargetValues.PREDICTION),
            target("", target=MlDriftTargetValues.CONFIDENCE),
        )
    )

    assert change is not None
    assert [t.target for t in change.targets] == [MlDriftTargetValues.CONFIDENCE]


def test_a_forgotten_stream_begins_anew() -> None:
    """What is forgotten costs nothing any more; to forget what is unknown is no error."""
    states = DriftStates()
    states.observe(window(target("a", STEADY)))
    states.observe(window(target("a")))

    states.forget(STREAM)
    states.forget(replace(STREAM, model="unknown"))
    change = states.observe(window(target("a")))

    assert change is not None
    assert change.kind is DriftKind.SKEW


def test_the_description_says_what_how_large_how_sure_and_the_promise() -> None:
    """A person who reads nothing else knows which model, when, what moved, and how far the alarm can be trusted."""
    change = Change(
        window(target("temp"), target("dewp")),
        DriftKind.DRIFT,
        (target("temp", effect=0.842, p_value=0.0), target("dewp", effect=0.31, p_value=2.14e-9)),
    )

    assert describe(change) == (
        "late-arrival 1 of flights: 2 inputs drifted in window rows "
        "(900 samples, 2013-04-01T05:00:00Z to 2013-04-03T11:20:00Z): "
        "temp (PSI 0.84, p < 1e-16), dewp (PSI 0.31, p = 2.1e-09). "
        "At most 1 % of windows without drift raise an alarm, "
        "provided that samples are independent (iid)."
    )


def test_the_description_of_skew_says_so() -> None:
    """What never agreed with the reference is not called a drift, and outputs are named."""
    prediction = target("", target=MlDriftTargetValues.PREDICTION)
    change = Change(window(prediction), DriftKind.SKEW, (target("temp"), prediction))

    text = describe(change)

    assert "1 input and the prediction differ from the reference in window rows" in text
    assert "prediction (PSI 0.5, p = 1e-09)" in text
    assert "skew between reference and serving rather than drift" in text


def test_all_features_together_are_told_as_one_thing() -> None:
    """The verb fits the noun: one target differs."""
    together = target("", target=MlDriftTargetValues.MULTIVARIATE)
    change = Change(window(together), DriftKind.SKEW, (together,))

    assert (
        "the multivariate distribution of features differs from the reference in window"
        in describe(change)
    )


def test_the_description_names_shares_where_shares_moved() -> None:
    """What drives the alarm is what is told: missing or unseen values, not a PSI that says nothing."""
    gaps = target("temp", driver="missing", missing=0.4, effect=0.0)
    news = target("carrier", driver="unseen", unseen=0.005, effect=0.0)

    text = describe(Change(window(gaps, news), DriftKind.DRIFT, (gaps, news)))

    assert "temp (40 % missing, p = 1e-09)" in text
    assert "carrier (0.5 % unseen, p = 1e-09)" in text


def test_the_description_says_where_the_promise_does_not_hold() -> None:
    """Where the reference's own windows alarm more than three times as often as promised, every alarm says so; else none does."""
    reading = window(target("a"))

    def promise(measured: float | None) -> str:
        measured_reading = replace(reading, measured=measured)
        return describe(Change(measured_reading, DriftKind.DRIFT, reading.targets))

    assert promise(0.4).endswith(
        "independent (iid). That does not hold here: 40 % of the reference's own windows do."
    )
    assert (
        promise(0.03)
        == promise(None)
        == describe(Change(reading, DriftKind.DRIFT, reading.targets))
    )


def test_a_column_that_went_missing_altogether_reads_as_such() -> None:
    """All of it is 100 %, not an exponent."""
    gone = target("temp", driver="missing", missing=1.0, effect=0.0)

    assert "temp (100 % missing," in describe(Change(window(gone), DriftKind.DRIFT, (gone,)))


def test_the_description_without_a_psi_tells_the_effect() -> None:
    """Where another score is exported, the effect that was held against the floor stands for the size."""
    other = target("temp", scores={"jensen_shannon": 0.3}, effect=0.8)

    assert "temp (debiased PSI 0.8," in describe(Change(window(other), DriftKind.DRIFT, (other,)))


def test_a_long_list_is_cut_and_counted() -> None:
    """An alarm about a hundred columns still is one line: the ten largest, and how many more."""
    targets = tuple(target(f"f{i}") for i in range(100))

    text = describe(Change(window(*targets), DriftKind.DRIFT, targets))

    assert "100 inputs drifted" in text
    assert "f9 (" in text
    assert "f10 (" not in text
    assert "and 90 more." in text


def test_the_promise_names_the_mode() -> None:
    """A calibrated promise does not ask for independent samples."""
    reading = replace(window(target("a")), mode=MlDriftCalibrationModeValues.EMPIRICAL)

    text = describe(Change(reading, DriftKind.DRIFT, reading.targets))

    assert text.endswith("At most 1 % of windows without drift raise an alarm (empirical).")
