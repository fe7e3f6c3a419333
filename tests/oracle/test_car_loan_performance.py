"""The published estimates of the car loan data, told by the real service of windows that came over gRPC."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from otel_ml_processor.commands.profile import build_profile_from_table
from otel_ml_processor.profile_file import write_profile
from tests.integration.feedback_traffic import (
    SECOND_NS,
    START_NS,
    label_of,
    prediction,
    processor,
)

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from tests.oracle.conftest import CarLoan

CHUNK = 5000
PUBLISHED = {
    0: {"roc_auc": 0.97074, "accuracy": 0.94179, "f1": 0.94303, "precision": 0.95779},
    5: {"roc_auc": 0.96109, "accuracy": 0.91071, "f1": 0.91175, "precision": 0.94132},
}
"""By chunk; the drift begins with chunk 5."""
OUTPUTS = ["y_pred", "y_pred_proba", "repaid"]


def write_reference(folder: Path, reference: pd.DataFrame) -> None:
    """Write the profile of the reference's outputs into *folder*."""
    profile = build_profile_from_table(
        reference[OUTPUTS],
        model="fraud",
        version="1",
        label="y_pred",
        score="y_pred_proba",
        positive="1",
        target="repaid",
    )
    write_profile(profile, folder / "loan.json")


@pytest.mark.parametrize("chunk", PUBLISHED)
def test_estimates_of_the_service_are_as_published(
    car_loan: CarLoan, tmp_path: Path, chunk: int
) -> None:
    """To the five digits of NannyML's documentation, before the drift and after it began."""
    write_reference(tmp_path, car_loan.reference)
    rows = car_loan.analysis[chunk * CHUNK : (chunk + 1) * CHUNK]
    spans = [
        prediction(i, START_NS + i, prediction_label=str(said), prediction_confidence=sure)
        for i, (said, sure) in enumerate(zip(rows["y_pred"], confidence(rows), strict=True))
    ]
    with processor(
        tmp_path, f"windows=[{{name: rows, rows: {CHUNK}}}]", "profiles=[loan.json]"
    ) as p:
        p.traces(spans)
        p.tick()
        (reading,) = p.stream()["readings"]
    estimated = {name: reading["estimated"][name] for name in PUBLISHED[chunk]}
    assert estimated == pytest.approx(PUBLISHED[chunk], abs=1.1e-5)


def test_calibration_of_the_reference_is_as_published(car_loan: CarLoan, tmp_path: Path) -> None:
    """Of all 50 000 rows with their labels: the Brier score and the expected calibration error over ten bins."""
    reference = car_loan.reference
    sure = confidence(reference)
    spans = [
        prediction(i, START_NS + i, prediction_label=str(said), prediction_confidence=c)
        for i, (said, c) in enumerate(zip(reference["y_pred"], sure, strict=True))
    ]
    labels = [
        label_of(i, START_NS + SECOND_NS, label=str(int(true)))
        for i, true in enumerate(reference["repaid"])
    ]
    with processor(tmp_path, f"windows=[{{name: rows, rows: {len(reference)}}}]") as running:
        running.traces(spans, at_once=5000)
        running.logs(labels, at_once=5000)
        running.tick()
        found = running.performance()
    assert found["calibration"]["brier"] == pytest.approx(0.04557, abs=1e-5)
    assert found["calibration"]["ece"] == pytest.approx(0.01606, abs=1e-5)
    right = (reference["y_pred"] == reference["repaid"]).mean()
    assert found["realized"]["accuracy"] == pytest.approx(right)


def confidence(rows: pd.DataFrame) -> list[float]:
    """Return the probability of the predicted class."""
    sure: list[float] = np.where(
        rows["y_pred"] == 1, rows["y_pred_proba"], 1 - rows["y_pred_proba"]
    ).tolist()
    return sure
