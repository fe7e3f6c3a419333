"""Numbers of a window that slides, beside what was decided of the last closed one."""

from __future__ import annotations

from dataclasses import replace

from otel_ml_conventions.attributes import MlDriftStateValues, MlDriftTargetValues
from otel_ml_processor.assess.fresh import refreshed
from otel_ml_processor.assess.reading import Evidence, Reading, TargetReading, WindowSpan
from otel_ml_processor.columns import StreamKey

FEATURE = MlDriftTargetValues.FEATURE
DRIFTING, STEADY = MlDriftStateValues.DRIFTING, MlDriftStateValues.STEADY
INSUFFICIENT = MlDriftStateValues.INSUFFICIENT


def target(name: str, state: MlDriftStateValues, psi: float, missing: float) -> TargetReading:
    """Return a feature's reading."""
    return TargetReading(
        target=FEATURE,
        name=name,
        rows=500,
        scores={"psi": psi},
        p_value=0.25 if state is STEADY else 1e-9,
        effect=psi,
        state=state,
        missing=missing,
        driver="chi_squared",
        evidence=Evidence(2.0, rises=True),
    )


def reading(*targets: TargetReading, state: MlDriftStateValues, end_ns: int) -> Reading:
    """Return a reading of an hour."""
    return Reading(
        stream=StreamKey("shop", "", "fraud", "1"),
        window=WindowSpan("1h", end_ns - 3600, end_ns),
        rows=500 + end_ns,
        state=state,
        targets=targets,
        labels={"late": end_ns},
        alpha=0.01,
    )


DECIDED = reading(target("x", DRIFTING, 0.5, 0.1), state=DRIFTING, end_ns=3600)
SLID = reading(target("x", STEADY, 0.02, 0.3), state=STEADY, end_ns=3900)


def test_what_was_decided_stays_and_what_is_measured_is_new() -> None:
    """A feature that was found drifting is so until the next window has closed, whatever its score is meanwhile."""
    found = refreshed(DECIDED, SLID)
    (x,) = found.targets
    assert (found.state, x.state, x.p_value, x.evidence) == (
        DRIFTING,
        DRIFTING,
        1e-9,
        Evidence(2.0, rises=True),
    )
    assert (x.scores, x.missing, found.labels, found.rows) == (
        {"psi": 0.02},
        0.3,
        {"late": 3900},
        4400,
    )
    assert found.window == SLID.window


def test_all_that_is_measured_is_that_of_the_sliding_window() -> None:
    """Of the window and of each feature: a page that showed a mixture of two times would be right about neither."""
    of_window = [
        "rows",
        "confidence",
        "by_class",
        "labels",
        "estimated",
        "received",
        "is_biased",
        "quality",
    ]
    of_target = [
        "rows",
        "scores",
        "missing",
        "unseen",
        "non_finite",
        "type_error",
        "out_of_range",
        "ood",
    ]
    x = replace(SLID.targets[0], **{name: f"slid {name}" for name in of_target})
    slid = replace(SLID, targets=(x,), **{name: f"slid {name}" for name in of_window})

    found = refreshed(DECIDED, slid)

    assert {getattr(found, name) for name in of_window} == {f"slid {name}" for name in of_window}
    assert {getattr(found.targets[0], name) for name in of_target} == {
        f"slid {name}" for name in of_target
    }


def test_before_the_first_decision_nothing_is_said_to_be_steady() -> None:
    """Numbers are there after the first pane; whether they are as they should be is not known yet."""
    found = refreshed(None, SLID)
    (x,) = found.targets
    assert (found.state, x.state, x.p_value, x.effect, x.evidence) == (
        INSUFFICIENT,
        INSUFFICIENT,
        1.0,
        0.0,
        None,
    )
    assert x.scores == {"psi": 0.02}


def test_a_feature_that_the_last_window_did_not_tell_is_not_decided() -> None:
    """It had too few rows there, or the whole window had."""
    found = refreshed(replace(DECIDED, targets=()), SLID)
    assert [t.state for t in found.targets] == [INSUFFICIENT]


def test_numbers_that_slide_twice_keep_the_decision() -> None:
    """The second pane after a decision says the same of it as the first."""
    later = replace(SLID, window=WindowSpan("1h", 600, 4200))
    assert refreshed(refreshed(DECIDED, SLID), later) == replace(
        refreshed(DECIDED, SLID), window=later.window
    )


def test_a_model_without_reference_is_not_decided_about() -> None:
    """Without targets there is nothing to decide, and the state stays what a closed window would have."""
    bare = replace(SLID, targets=())
    assert refreshed(None, bare) == bare
