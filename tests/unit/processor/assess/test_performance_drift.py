"""Labels say whether predictions came out worse than those of the reference, and how sure that is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from otel_ml_processor.assess.performance import realized_scores, scores_in_need
from otel_ml_processor.assess.performance_drift import performance_drift
from otel_ml_processor.commands.profile import build_profile_from_table
from otel_ml_processor.sketches.outcomes import Outcomes
from otel_ml_processor.windows.reference import Reference
from otel_ml_processor.windows.summary import Summary

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROLES: dict[str, Any] = {"model": "m", "label": "said", "target": "true"}


def numbers(seed: int, n: int, spread: float = 1.0) -> pd.DataFrame:
    """Return predicted numbers whose errors are normal with that *spread*."""
    random = np.random.default_rng(seed)
    said = random.normal(0, 3, n)
    return pd.DataFrame({"said": said, "true": said + spread * random.normal(size=n)})


def classes(seed: int, n: int, wrong: float = 0.2) -> pd.DataFrame:
    """Return predicted classes of which that share is wrong, at a confidence of .7 or .9."""
    random = np.random.default_rng(seed)
    said = random.choice(["a", "b", "c"], n)
    true = np.where(random.random(n) < wrong, "d", said)
    return pd.DataFrame({"said": said, "true": true, "sure": random.choice([0.7, 0.9], n)})


def errors(rows: pd.DataFrame) -> NDArray[np.float64]:
    """Return the absolute errors of *rows*."""
    return np.asarray(np.abs(rows["said"] - rows["true"]), dtype=np.float64)


def of_numbers(rows: pd.DataFrame) -> dict[str, float]:
    """Return what labels say of predicted numbers."""
    outcomes = Outcomes()
    outcomes.add_numbers(rows["said"].to_numpy(), rows["true"].to_numpy())
    return realized_scores(outcomes)


@pytest.fixture(scope="module")
def reference() -> Reference:
    """Return the reference of 20 000 predicted numbers."""
    return Reference.of(build_profile_from_table(numbers(1, 20_000), **ROLES))


def test_the_test_of_numbers_is_welchs(reference: Reference) -> None:
    """The p-value is that of scipy's test of two means of absolute errors, one-sided, to the normal tail."""
    now = numbers(2, 400, spread=1.15)
    found = performance_drift(of_numbers(now), 400, reference, alpha=0.01)
    assert found is not None
    before = errors(numbers(1, 20_000))
    t = stats.ttest_ind(errors(now), before, equal_var=False).statistic
    assert found.p_value == pytest.approx(stats.norm.sf(t), rel=0.02)
    assert found.rise == pytest.approx((errors(now).mean() - before.mean()) / before.std())
    assert (found.before, found.now) == pytest.approx((before.mean(), errors(now).mean()))


def test_without_a_change_it_alarms_as_rarely_as_promised(reference: Reference) -> None:
    """Of 1000 windows at a promised 5 %, and whatever small rise: 50 give or take, four standard deviations are 28."""
    found = [
        performance_drift(of_numbers(numbers(9 + i, 300)), 300, reference, alpha=0.05)
        for i in range(1_000)
    ]
    low = sum(drift is not None and drift.p_value <= 0.05 for drift in found)
    assert 50 - 28 <= low <= 50 + 28


@pytest.mark.parametrize(("spread", "is_alarm"), [(1.3, True), (1.0, False), (0.7, False)])
def test_worse_is_an_alarm_and_better_is_none(
    reference: Reference, spread: float, is_alarm: bool
) -> None:
    """Errors that grew by a third are found among 1000 labels; those that shrank never are."""
    found = performance_drift(of_numbers(numbers(3, 1_000, spread)), 1_000, reference, alpha=0.001)
    assert found is not None
    assert found.is_alarm is is_alarm


def test_a_rise_too_small_to_matter_is_no_alarm(reference: Reference) -> None:
    """Half a million labels prove that errors grew by two hundredths; nobody has to get up for that."""
    found = performance_drift(of_numbers(numbers(4, 500_000, 1.03)), 500_000, reference, alpha=0.01)
    assert found is not None
    assert found.p_value < 0.01
    assert not found.is_alarm


def test_of_classes_it_is_the_share_that_is_wrong() -> None:
    """Thirty of a hundred wrong against twenty: the rise is a quarter of sqrt(.2 * .8), found among 1000 labels."""
    table = classes(5, 10_000)
    known = Reference.of(build_profile_from_table(table, **ROLES, confidence="sure"))
    before = float((table["said"] != table["true"]).mean())
    found = performance_drift({"accuracy": 0.7}, 1_000, known, alpha=0.001)
    assert found is not None
    assert found.is_alarm
    assert found.rise == pytest.approx((0.3 - before) / np.sqrt(before * (1 - before)))
    in_need = scores_in_need(Summary(known))
    assert in_need == ("macro_precision", "macro_recall", "macro_f1", "macro_roc_auc")


@pytest.mark.parametrize("realized", [{}, {"ndcg": 0.5}, {"mae": 1.0}])
def test_what_cannot_be_compared_is_not(reference: Reference, realized: dict[str, float]) -> None:
    """No score, a score of another kind, half of what a test needs, no reference, no label: no answer, and no error."""
    assert performance_drift(realized, 500, reference, alpha=0.01) is None
    assert performance_drift({"mae": 1.0, "rmse": 2.0}, 500, None, alpha=0.01) is None
    assert performance_drift({"mae": 1.0, "rmse": 2.0}, 0, reference, alpha=0.01) is None
    assert scores_in_need(Summary()) == scores_in_need(Summary(reference)) == ()
