"""What the processor's test says of real flights: silence where nothing moved, April where something did."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pytest

from otel_ml_conventions.attributes import MlDriftStateValues
from otel_ml_processor.assess.promise import Promises, told
from otel_ml_processor.assess.window import assess_window
from otel_ml_processor.config import DriftConfig, StreamsConfig, WindowConfig
from otel_ml_processor.decode.spans import PlainDecoder
from otel_ml_processor.profile_file import read_profile
from otel_ml_processor.windows.placed import place
from otel_ml_processor.windows.references import References
from otel_ml_processor.windows.streams import Streams
from tests.integration.flights import FOLDER, requests_with, span_of

if TYPE_CHECKING:
    from otel_ml_processor.assess.reading import Reading


ROWS = 900
WINDOW = WindowConfig(name="rows", rows=ROWS)
NOW = 1_700_000_000_000_000_000


@pytest.fixture(scope="module", name="winter")
def _winter() -> pd.DataFrame:
    """The flights of January and February with what the model said of them: the rows of the reference."""
    import prepare

    prepare.prepare(FOLDER, print)
    return pd.read_parquet(FOLDER / "reference.parquet")


def readings(flights: pd.DataFrame, late: pd.Series[float]) -> list[Reading]:
    """Return what the processor reads from *flights*, in their order, sent as spans of 450 to a request."""
    import play

    references = References.of([("profile.json", read_profile(FOLDER / "profile.json"))])
    promises = Promises.of(DriftConfig(), [WINDOW], references.profiles.values())
    decoder = PlainDecoder(references.features)
    streams = Streams(StreamsConfig(), [WINDOW], references.reference)
    found: list[Reading] = []
    bodies = play.requests_for(flights)
    for begin in range(0, len(bodies), 450):
        portion = zip(bodies[begin : begin + 450], late.iloc[begin : begin + 450], strict=True)
        spans = [span_of(begin + i, body, p, NOW) for i, (body, p) in enumerate(portion)]
        (request,) = requests_with(spans, 450, "late-arrivals")
        columns = decoder.decode(request).columns
        streams.add([place(rows, references.reference(rows.stream)) for rows in columns], NOW)
        found += [
            assess_window(closed, promises=promises, min_rows=200, drift=DriftConfig())
            for closed in streams.close(NOW)
        ]
    return found


def test_winter_in_random_order_raises_no_alarm(winter: pd.DataFrame) -> None:
    """At least fifty windows of 900 of the reference's own rows, shuffled: not one is called drifting."""
    shuffled = winter.sample(frac=1.0, random_state=2013)
    found = readings(shuffled, shuffled["probability"])
    assert len(found) >= 50
    assert [r.window for r in found if r.state is MlDriftStateValues.DRIFTING] == []
    assert all(r.state is not MlDriftStateValues.INSUFFICIENT for r in found)


def test_over_several_orders_winter_alarms_no_more_often_than_promised(
    winter: pd.DataFrame,
) -> None:
    """
    One order without an alarm may be luck: at 1 % half of all orders have one.

    Four more orders, some 220 windows, at most three times the promised one in a hundred.
    """
    orders = [winter.sample(frac=1.0, random_state=seed) for seed in range(4)]
    found = [reading for order in orders for reading in readings(order, order["probability"])]
    alarms = [r for r in found if r.state is MlDriftStateValues.DRIFTING]
    assert len(found) >= 200
    assert len(alarms) <= 3 * 0.01 * len(found)


def test_from_april_on_temperature_and_dew_point_have_drifted_in_every_window(
    winter: pd.DataFrame,
) -> None:
    """A model that has seen only winter is told, window by window, until December, that this is not winter."""
    import departures
    import plan

    assert len(winter) > 50_000
    rest = plan.rest_of_the_year(departures.departures())
    flights = rest[rest["date"].dt.month >= 4]
    found = readings(flights, pd.Series(0.2, index=flights.index))
    assert len(found) == len(flights) // ROWS
    for reading in found:
        drifted = {t.name for t in reading.targets if t.state is MlDriftStateValues.DRIFTING}
        assert {"temp", "dewp"} <= drifted


def test_the_operator_is_told_that_days_are_not_independent_rows(winter: pd.DataFrame) -> None:
    """At load: the mode, that random order keeps the promise, and that the reference's own days do not."""
    assert len(winter) > 50_000
    lines = list(told(read_profile(FOLDER / "profile.json"), "rows", 0.01, 0.01))
    ((is_broken, by_time),) = [line for line in lines if "order of time" in line[1]]
    assert is_broken
    assert "mode iid" in by_time
    assert "windows of 1 day" in by_time
    assert "the promise does not hold there" in by_time
    assert [is_broken for is_broken, text in lines if "random order" in text] == [False]
