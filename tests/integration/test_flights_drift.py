"""A year of real flights through the processor's own windows and tests, without the wire: what is promised of them in the demo."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import joblib
import numpy as np
import pyarrow as pa
import pytest
from scipy import stats
from threadpoolctl import threadpool_limits

from otel_ml_conventions.attributes import MlDriftStateValues
from otel_ml_processor.assess.promise import Promises
from otel_ml_processor.assess.window import assess_window
from otel_ml_processor.columns import InferenceColumns, StreamKey, TextColumn
from otel_ml_processor.commands.table_columns import value_column
from otel_ml_processor.config import DriftConfig, StreamsConfig, WindowConfig
from otel_ml_processor.profile import read_profile
from otel_ml_processor.windows.reference import Reference
from otel_ml_processor.windows.streams import Streams
from tests.integration.flights import FOLDER

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from otel_ml_processor.assess.reading import Reading

pytestmark = pytest.mark.timeout(300)

ROWS = 900
DRIFTING = MlDriftStateValues.DRIFTING
KEY = StreamKey("late-arrivals", "demo", "late-arrival", "1")


class Year:
    """The flights, the model, and the processor's reading of any of them."""

    def __init__(self) -> None:
        import departures
        import prepare

        prepare.prepare(FOLDER, print)
        self.rows = departures.departures()
        self.features = list(departures.FEATURES)
        self._model = joblib.load(FOLDER / "model.joblib")
        self._profile = read_profile(FOLDER / "profile.json")

    def readings(self, rows: pd.DataFrame) -> list[Reading]:
        """Return the reading of each full window of 900 of *rows*, in their order."""
        windows = [WindowConfig(name="rows", rows=ROWS)]
        reference = Reference.of(self._profile)
        streams = Streams(StreamsConfig(), windows, lambda _: reference)
        streams.add([self._columns(rows)], now_ns=1)
        drift = DriftConfig()
        promises = Promises.of(drift, windows, [self._profile])
        return [
            assess_window(window, promises=promises, min_rows=200, drift=drift)
            for window in streams.close(now_ns=1)
        ]

    def _columns(self, rows: pd.DataFrame) -> InferenceColumns:
        inputs = rows[self.features]
        with threadpool_limits(1, user_api="openmp"):
            late = self._model.predict_proba(inputs)[:, 0]
        n, table = len(rows), pa.Table.from_pandas(inputs, preserve_index=False)
        unsaid = np.full(n, np.nan)
        return InferenceColumns(
            stream=KEY,
            spans=np.arange(n),
            end_times_ns=np.ones(n, dtype=np.int64),
            labels=TextColumn((late < 0.5).astype(np.int64), ("late", "on_time")),
            confidences=np.maximum(late, 1 - late),
            entropies=unsaid,
            margins=unsaid,
            values=unsaid,
            features={name: value_column(table, name) for name in self.features},
        )


@pytest.fixture(scope="module", name="year")
def _year() -> Year:
    """The data and the model, once for all tests of this file."""
    return Year()


def alarms(readings: list[Reading]) -> int:
    """Return how many of *readings* are in alarm."""
    return sum(reading.state == DRIFTING for reading in readings)


def winter(year: Year, seed: int) -> pd.DataFrame:
    """Return the flights of January and February in random order."""
    return year.rows[year.rows["date"].dt.month <= 2].sample(frac=1, random_state=seed)


def test_winter_flights_in_random_order_raise_no_alarm(year: Year) -> None:
    """
    Rows like those of training are no news: not one alarm in 55 windows, the whole of January and February.

    In this order; a promise of 1 % allows one in half of all orders, which the next test counts.
    """
    readings = year.readings(winter(year, seed=0))
    assert len(readings) >= 50
    assert alarms(readings) == 0


def test_false_alarms_over_many_orders_keep_the_promise(year: Year) -> None:
    """The silence is not the luck of one order: over 440 windows in eight orders no more alarms than 1 % allows."""
    counts = [alarms(year.readings(winter(year, seed))) for seed in range(8)]
    allowed = stats.binom.ppf(0.999, 8 * 55, 0.01)
    assert sum(counts) <= allowed


def _every_flight(rows: pd.DataFrame) -> pd.DataFrame:
    return rows


def _thinned(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.iloc[::30]


@pytest.mark.parametrize("portion", [_every_flight, _thinned])
def test_from_april_on_the_weather_is_in_alarm_in_every_window(
    year: Year, portion: Callable[[Any], Any]
) -> None:
    """Silence is not all it can: whether a window is a day or a month, temperature and dew point have left the winter."""
    readings = year.readings(portion(year.rows[year.rows["date"].dt.month >= 4]))
    drifted = [
        {target.name for target in reading.targets if target.state == DRIFTING}
        for reading in readings
    ]
    assert len(drifted) >= 8
    assert all(names >= {"temp", "dewp"} for names in drifted)
