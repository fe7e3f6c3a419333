"""Readings to write down: an ordinary one, one with hostile names, and one far too large."""

from __future__ import annotations

import math
from dataclasses import replace

from otel_ml_conventions.attributes import MlDriftStateValues, MlDriftTargetValues
from otel_ml_processor.assess.reading import (
    Change,
    ConfidenceReading,
    DriftKind,
    Evidence,
    Reading,
    TargetReading,
    WindowSpan,
)
from otel_ml_processor.columns import StreamKey
from otel_ml_processor.profile import CellReference, Profile, Source, sealed

STREAM = StreamKey("flights", "production", "late-arrival", "2013-02")
NAMELESS = StreamKey("flights", "", "late-arrival", "")
HOSTILE = StreamKey(
    'svc"\\quoted\\', "prod\nnewline", "<script>alert(1)</script>", "\N{COLLISION SYMBOL}\u202e{}"
)
HOSTILE_FEATURE = 'a"b\\c\n</td><script>alert("x")</script>\N{SNOWMAN}'
HOUR_NS = 3_600_000_000_000
START_NS = 1_363_784_400_000_000_000  # 2013-03-20 13:00:00 UTC
NOW_NS = START_NS + HOUR_NS + 120_000_000_000

STEADY = MlDriftStateValues.STEADY
WARNING = MlDriftStateValues.WARNING
DRIFTING = MlDriftStateValues.DRIFTING
INSUFFICIENT = MlDriftStateValues.INSUFFICIENT


def feature(
    name: str,
    state: MlDriftStateValues = STEADY,
    psi: float = 0.004,
    p_value: float = 0.62,
    missing: float = 0.0,
) -> TargetReading:
    """Return the reading of one feature; chance is taken to add .003 to its PSI."""
    return TargetReading(
        target=MlDriftTargetValues.FEATURE,
        name=name,
        rows=900,
        scores={"psi": psi, "jensen_shannon": psi / 8},
        p_value=p_value,
        effect=max(0.0, psi - 0.003),
        state=state,
        missing=missing,
        unseen=0.0125,
        non_finite=0.0005,
        type_error=0.0,
        out_of_range=0.031,
        driver="rank_location",
    )


def output(
    target: MlDriftTargetValues, state: MlDriftStateValues = STEADY, psi: float = 0.002
) -> TargetReading:
    """Return the reading of the prediction or the confidence."""
    return TargetReading(
        target=target,
        name="",
        rows=900,
        scores={"psi": psi, "jensen_shannon": psi / 8},
        p_value=0.41,
        effect=max(0.0, psi - 0.003),
        state=state,
        driver="chi_squared",
    )


PREDICTION = output(MlDriftTargetValues.PREDICTION)
CONFIDENCE = output(MlDriftTargetValues.CONFIDENCE)
TEMP = feature("temp", DRIFTING, psi=0.412, p_value=3.2e-9)
DEWP = feature("dewp", DRIFTING, psi=0.287, p_value=0.0004, missing=0.0022)
WIND = feature("wind_speed", WARNING, psi=0.013, p_value=0.07)
CARRIER = feature("carrier")
CONFIDENCE_READING = ConfidenceReading(
    rows=900,
    mean=0.8125,
    entropy=0.55,
    margin=math.nan,
    quantiles={0.05: 0.531, 0.5: 0.84, 0.95: 0.972},
    low=0.081,
    threshold=0.562,
)


def reading(
    *targets: TargetReading,
    stream: StreamKey = STREAM,
    window: str = "1h",
    state: MlDriftStateValues | None = None,
    rows: int = 900,
) -> Reading:
    """Return a reading of *targets*, by default in the state of the first of them."""
    return Reading(
        stream=stream,
        window=WindowSpan(window, START_NS, START_NS + HOUR_NS),
        rows=rows,
        state=state or (targets[0].state if targets else STEADY),
        targets=targets,
        confidence=CONFIDENCE_READING,
        labels={"on_time": 712, "late": 188},
        reference_id="sha256:9f2c1a7be0d4c35501",
        alpha=0.01,
    )


def drifting_reading() -> Reading:
    """Return a window of flights in spring against winter."""
    return reading(TEMP, DEWP, WIND, CARRIER, PREDICTION, CONFIDENCE)


def with_evidence(found: Reading) -> Reading:
    """Return *found* with evidence of `temp`, an alarm, and of the confidence; of nothing else."""
    evidence = {
        "temp": Evidence(7.25, rises=True),
        "": Evidence(-1.5, rises=False),
    }
    prediction = MlDriftTargetValues.PREDICTION
    targets = (
        t if t.target is prediction else replace(t, evidence=evidence.get(t.name))
        for t in found.targets
    )
    return replace(found, targets=tuple(targets), windows_between_alarms=1000.0)


def insufficient(before: Reading, rows: int = 17) -> Reading:
    """Return the window after *before*, with too few rows to say anything."""
    return replace(before, state=INSUFFICIENT, rows=rows, targets=(), confidence=None, labels={})


def change_of(found: Reading, *targets: TargetReading, kind: DriftKind = DriftKind.DRIFT) -> Change:
    """Return the change of *targets* to drifting."""
    return Change(reading=found, kind=kind, targets=targets)


def profile(features: int = 4, created: str = "2013-03-20T12:00:00Z") -> Profile:
    """Return a profile with so many features, a prediction and a confidence."""
    cells = [
        CellReference(name=f"f{i}", type="numeric", counts=[10, 20], edges=[0.5])
        for i in range(features)
    ]
    return sealed(
        Profile(
            model="late-arrival",
            version="2013-02",
            created=created,
            source=Source(kind="parquet", uri="winter.parquet", rows=54_321),
            features=cells,
            prediction=CellReference(
                name="prediction", type="categorical", counts=[20, 10, 0], categories=["a", "b"]
            ),
            confidence=CellReference(
                name="confidence", type="numeric", counts=[10, 20], edges=[0.7]
            ),
        )
    )
