"""How many models are in memory, and that nothing waits when one goes."""

import gc
import sys
from pathlib import Path
from typing import Any

import pytest

from otel_ml.record.in_memory import ModelsInMemory
from otel_ml.testing import Capture

CHURN = {"ml.model.name": "churn"}
FRAUD = {"ml.model.name": "fraud"}


class Held:
    """What can be weakly referenced."""


def numbers(seen: Capture) -> dict[str, Any]:
    """Return how many models there are, by their names."""
    points = seen.metric("ml.model.loaded")
    return {point.attributes["ml.model.name"]: point.value for point in points}


@pytest.fixture(name="seen")
def _seen() -> Capture:
    """A capture of metrics."""
    return Capture()


@pytest.fixture(name="models")
def _models(seen: Capture) -> ModelsInMemory:
    """Models that are counted there."""
    return ModelsInMemory(seen.meter_provider.get_meter("test"), seen.meter_provider)


def test_models_count_for_as_long_as_they_live(seen: Capture, models: ModelsInMemory) -> None:
    """By their attributes; of what was here before there are none, which is a number too."""
    assert numbers(seen) == {}
    one, other, third = Held(), Held(), Held()
    for held, attributes in ((one, CHURN), (other, CHURN), (third, FRAUD)):
        models.count(held, attributes)
    assert numbers(seen) == {"churn": 2, "fraud": 1}
    del one, third, held
    assert numbers(seen) == {"churn": 1, "fraud": 0}


def test_those_of_several_recorders_are_told_together(seen: Capture) -> None:
    """Instrumented anew, or with other settings for another framework: one provider, one number."""
    meter, held = seen.meter_provider.get_meter("test"), Held()
    before = ModelsInMemory(meter, seen.meter_provider)
    before.count(held, CHURN)
    after = ModelsInMemory(meter, seen.meter_provider)
    after.count(held, CHURN)
    after.count(held, FRAUD)
    elsewhere = ModelsInMemory(Capture().meter_provider.get_meter("test"), None)
    elsewhere.count(held, FRAUD)
    assert numbers(seen) == {"churn": 2, "fraud": 1}
    del before
    assert numbers(seen) == {"churn": 1, "fraud": 1}


def test_what_cannot_be_referenced_is_refused_and_not_counted(
    seen: Capture, models: ModelsInMemory
) -> None:
    """Its end would not be seen, so it would count for ever."""
    with pytest.raises(TypeError):
        models.count((1, 2), CHURN)
    assert numbers(seen) == {}


def test_nothing_is_recorded_while_a_model_goes(seen: Capture, models: ModelsInMemory) -> None:
    """The collector of garbage may come under a lock of the SDK: no code runs then that could want it."""
    held = Held()
    models.count(held, CHURN)
    run: list[str] = []
    gc.disable()  # a collection that is due just then runs what others have it call
    sys.setprofile(lambda frame, *_: run.append(frame.f_code.co_filename))
    try:
        del held
    finally:
        sys.setprofile(None)
        gc.enable()
    assert {Path(file).name for file in run} <= {"weakref.py", Path(__file__).name}
    assert numbers(seen) == {"churn": 0}


def test_a_provider_does_not_keep_what_counts(seen: Capture) -> None:
    """It keeps its callbacks for ever, and those say nothing any more."""
    models = ModelsInMemory(seen.meter_provider.get_meter("test"), seen.meter_provider)
    held = Held()
    models.count(held, CHURN)
    del models
    gc.collect()
    assert numbers(seen) == {}
