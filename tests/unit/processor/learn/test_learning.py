"""A model without a profile becomes useful by itself: what its inferences were like at first is what later ones are compared with."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest

from otel_ml_conventions.attributes import MlDriftCalibrationModeValues, MlDriftStateValues
from otel_ml_processor.columns import StreamKey
from otel_ml_processor.commands.profile import main
from otel_ml_processor.config_file import load_config
from otel_ml_processor.emit.page import ProcessorFacts, page_html
from otel_ml_processor.emit.readings import readings_json
from otel_ml_processor.learn import learner
from otel_ml_processor.learn.rows import BuiltProfile, profile_of_rows
from otel_ml_processor.profile import Source
from otel_ml_processor.profile_file import read_profile, write_profile
from otel_ml_processor.service import Service
from otel_ml_processor.windows.reference import build_profile
from tests.unit.processor.otlp_requests import inference, request_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from otel_ml_processor.columns import InferenceColumns
    from otel_ml_processor.profile import Profile

STREAM = StreamKey("shop", "", "fraud", "1")
SECOND_NS = 1_000_000_000


def numbered(random: np.random.Generator, number: int) -> dict[str, object]:
    """Return the features of an inference: two that can be learned, and one that names a person."""
    return {
        "amount": float(random.normal(50, 10)),
        "city": str(random.choice(["Oslo", "Bergen", "Narvik"], p=[0.6, 0.3, 0.1])),
        "customer": f"person-{number}",
    }


class House:
    """A processor without doors, and a model whose inferences come a second apart."""

    def __init__(self, folder: Path, *settings: str, seed: int = 1) -> None:
        said = [
            "receive={endpoint: '127.0.0.1:0'}",
            "http={endpoint: '127.0.0.1:0'}",
            "windows=[{name: rows, rows: 500}]",
            "bootstrap={rows: 4000, min_duration: 1h}",
            "drift={false_alarm_rate: 0.001}",
            f"state={{directory: '{folder}/state'}}",
        ]
        self.service = Service(load_config(None, [*said, *settings]), folder)
        self.random = np.random.default_rng(seed)
        self.number = 0
        self.begin_ns = time.time_ns() - 86_400 * SECOND_NS
        self.service._recall()

    def close(self) -> None:
        """Keep what there is, as an end does."""
        if self.service._keeper is not None:
            self.service._keeper.close()
        if self.service._learner is not None:
            self.service._learner.close()

    def send(
        self,
        rows: int,
        features: Callable[[np.random.Generator, int], dict[str, object]] = numbered,
        **said: str,
    ) -> House:
        """Have so many inferences happen, a hundred per request."""
        for _ in range(rows // 100):
            spans = []
            for _ in range(100):
                self.number += 1
                spans.append(
                    inference(
                        self.number,
                        end_ns=self.begin_ns + self.number * SECOND_NS,
                        features=features(self.random, self.number),
                        prediction_label="yes" if self.random.random() < 0.3 else "no",
                        prediction_confidence=float(self.random.uniform(0.5, 1)),
                        **said,
                    )
                )
            self.service._pipeline.take(request_of(spans).SerializeToString(), None)
            self.service.tick()
        return self

    @property
    def profile(self) -> Profile | None:
        """What the model is compared with."""
        return self.service._references.profile(STREAM)

    @property
    def states(self) -> set[MlDriftStateValues]:
        """The states of all columns in the last window that was looked at."""
        readings = [reading for view in self.service._book.views() for reading in view.readings]
        return {target.state for reading in readings for target in reading.targets}


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what was logged that somebody should look at."""
    return [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]


def test_the_first_rows_become_the_profile_and_later_ones_are_compared_with_it(
    tmp_path: Path,
) -> None:
    """Provisional and silent until rows and duration are reached; then a shift is an alarm, and the same as before is none."""
    house = House(tmp_path).send(900)
    before = house.profile
    assert before is None

    house.send(2000)
    assert house.profile is not None
    assert house.profile.provisional
    assert house.states == {MlDriftStateValues.INSUFFICIENT}

    complete = house.send(1200).profile
    assert complete is not None
    assert not complete.provisional
    assert 4000 <= complete.source.rows <= 4100

    house.send(1000)
    assert house.states == {MlDriftStateValues.STEADY}

    house.send(1000, lambda r, n: {**numbered(r, n), "amount": float(r.normal(60, 10))})
    assert MlDriftStateValues.DRIFTING in house.states


def test_people_and_programs_are_told_that_it_is_provisional(tmp_path: Path) -> None:
    """On the page and in `/readings`, with how many rows it has; not any more when it is complete."""
    facts = ProcessorFacts("tee", "127.0.0.1:1", "1")
    told = []
    house = House(tmp_path)
    for rows in (1500, 3000):
        views = house.send(rows).service._book.views()
        told.append((readings_json(views), page_html(views, facts, is_ready=True)))

    (readings, page), (later_readings, later_page) = told
    assert b'"provisional":true' in readings
    assert "compared with <b>provisional</b> profile" in page
    assert b'"provisional":true' not in later_readings
    assert "provisional" not in later_page


def test_what_was_learned_is_what_counting_all_rows_at_once_gives(tmp_path: Path) -> None:
    """Edges are those of the first rows; the counts of a category are those of every row that was counted."""
    cities: list[str] = []

    def noted(random: np.random.Generator, number: int) -> dict[str, object]:
        features = numbered(random, number)
        cities.append(str(features["city"]))
        return features

    house = House(tmp_path).send(4200, noted)

    profile = house.profile
    assert profile is not None
    column = next(feature for feature in profile.features if feature.name == "city")
    # The features are named by the first request, so that its own hundred rows are not among them.
    counted = cities[100 : 100 + profile.source.rows]
    expected = {name: counted.count(name) for name in ("Oslo", "Bergen", "Narvik")}
    assert dict(zip(column.categories, column.counts, strict=False)) == expected
    assert sum(column.counts) + column.missing + column.unseen == profile.source.rows
    amounts = next(feature for feature in profile.features if feature.name == "amount")
    assert sum(amounts.counts) == profile.source.rows


def test_no_alarm_comes_from_a_provisional_profile(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Even where the second half of what is learned is nothing like the first."""
    house = House(tmp_path, "bootstrap={rows: 100000, min_duration: 1h}").send(26_000)
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        house.send(1000, lambda r, n: {**numbered(r, n), "amount": float(r.normal(500, 10))})

    assert house.profile is not None
    assert house.profile.provisional
    assert house.states == {MlDriftStateValues.INSUFFICIENT}
    assert not warnings(caplog)


def test_a_duration_that_is_not_covered_keeps_it_provisional(tmp_path: Path) -> None:
    """Rows enough, but all of one hour: no day is described by them."""
    house = House(tmp_path, "bootstrap={rows: 1000, min_duration: 2h}").send(3000)
    house.close()

    assert house.profile is not None
    assert house.profile.provisional
    assert house.profile.source.rows > 1000


def test_a_first_request_from_the_future_covers_nothing(tmp_path: Path) -> None:
    """There is no event time yet with which a duration could begin."""
    house = House(tmp_path, "bootstrap={rows: 1000, min_duration: 2h}")
    begin_ns, house.begin_ns = house.begin_ns, time.time_ns() + 86_400 * SECOND_NS
    house.send(100)
    house.begin_ns = begin_ns
    house.send(3000)
    house.close()

    assert house.profile is not None
    assert house.profile.provisional


def test_a_first_request_from_1970_covers_nothing(tmp_path: Path) -> None:
    """A machine that begins without the time has it after a minute: the fifty years between are no duration that was looked at."""
    house = House(tmp_path, "bootstrap={rows: 1000, min_duration: 2h}")
    begin_ns, house.begin_ns = house.begin_ns, 5 * SECOND_NS
    house.send(100)
    house.begin_ns = begin_ns
    house.send(3000)
    assert house.profile is not None
    assert house.profile.provisional
    house.send(5000)
    assert house.profile is not None
    assert not house.profile.provisional


def test_a_name_of_a_thousand_characters_is_no_feature(tmp_path: Path) -> None:
    """It would be on every series of it, and in every snapshot."""

    def named(random: np.random.Generator, _: int) -> dict[str, object]:
        value = float(random.normal())
        return {"amount": value, "x" * 257: value, "y" * 256: value}

    house = House(tmp_path).send(2000, named)
    house.close()

    assert house.profile is not None
    assert [column.name for column in house.profile.features] == ["amount", "y" * 256]


def test_nothing_that_was_sent_is_in_the_files(tmp_path: Path) -> None:
    """Neither the ids that every row has of its own, nor a rare name, nor a number as it was."""

    def rare(random: np.random.Generator, number: int) -> dict[str, object]:
        features = numbered(random, number)
        features["amount"] = 50.0 + (number % 997) / 7
        return {**features, "city": "Hell" if number % 400 == 0 else features["city"]}

    house = House(tmp_path).send(4200, rare)
    house.close()

    written = [path.read_bytes() for path in (tmp_path / "state").rglob("*") if path.is_file()]
    assert any(b"Narvik" in content for content in written)
    for content in written:
        assert b"person-" not in content
        assert b"Hell" not in content
    profile = house.profile
    assert profile is not None
    said = {number for f in profile.features for number in (*f.edges, f.min, f.max)}
    assert not said & {50.0 + n / 7 for n in range(997)} - {50.0}


def test_ids_are_left_out_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A value that no other row has is no category; one line says which feature is not watched and why."""
    with caplog.at_level(logging.INFO):
        house = House(tmp_path).send(1500)

    assert house.profile is not None
    assert [feature.name for feature in house.profile.features] == ["amount", "city"]
    assert "feature customer is not learned: most values are rare" in caplog.text


def test_a_restart_goes_on_where_it_was(tmp_path: Path) -> None:
    """Counts are kept, without a warning and without counting anything twice; the rows of memory alone begin anew."""
    first = House(tmp_path).send(2500)
    first.close()
    before = first.profile
    assert before is not None

    second = House(tmp_path, seed=2)
    second.number, second.begin_ns = first.number, first.begin_ns
    assert second.profile == read_profile(next((tmp_path / "state/learned").glob("*.json")))
    assert second.profile.source.rows == first.number - 100
    second.send(2000)

    assert second.profile is not None
    assert not second.profile.provisional
    assert sum(second.profile.features[0].counts) == second.profile.source.rows


def test_after_a_restart_windows_are_compared_as_before(tmp_path: Path) -> None:
    """What the learned rows' own windows said counts on: what alarms is calibrated on it, and how often they did stands beside what is promised."""
    settings = (
        "bootstrap={rows: 8000, min_duration: 1h}",
        "windows=[{name: rows, rows: 200}]",
        "drift={calibration: scaled}",
    )

    def told(house: House) -> list[tuple[object, object, object]]:
        return [
            (view.reference and view.reference.measured, reading.mode, reading.measured)
            for view in house.service._book.views()
            for reading in view.readings
        ]

    before = House(tmp_path, *settings).send(10_000)
    ((of_reference, mode, measured),) = told(before)
    assert mode is MlDriftCalibrationModeValues.SCALED
    assert of_reference
    assert measured is not None
    before.close()

    after = House(tmp_path, *settings)
    after.number = before.number

    assert told(after.send(100)) == [(of_reference, mode, measured)], "of the last window"
    assert told(after.send(500)) == [(of_reference, mode, measured)], "of a new one"


def test_a_restart_without_a_word_of_a_lost_window(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Windows that were open are still of the same reference: a provisional one stays the same while it grows."""
    House(tmp_path).send(2700).close()
    caplog.clear()

    with caplog.at_level(logging.WARNING):
        House(tmp_path)

    assert not warnings(caplog)


def test_a_profile_can_be_frozen_by_hand(tmp_path: Path) -> None:
    """`otel-ml profile freeze` on the file in the state folder; the processor takes note, with the rows that it has by then."""
    house = House(tmp_path, "bootstrap={rows: 100000, min_duration: 24h}").send(27_000)
    path = next((tmp_path / "state/learned").glob("*.json"))
    assert read_profile(path).provisional

    assert main(["freeze", str(path)]) == 0
    house.send(100)

    assert house.profile is not None
    assert not house.profile.provisional
    assert house.profile.source.rows == house.number - 100
    assert not read_profile(path).provisional


def test_a_profile_that_somebody_makes_comes_before_what_is_learned(tmp_path: Path) -> None:
    """From the moment at which the file is there."""
    path = tmp_path / "fraud.json"
    made = build_profile(
        {"amount": np.random.default_rng(3).normal(50, 10, 5000)},
        model="fraud",
        version="1",
        created="2026-01-01T00:00:00Z",
        source=Source(kind="array", uri="", rows=5000),
    )
    write_profile(msgspec.structs.replace(made, model="other"), path)
    house = House(tmp_path, f"profiles=['{path}']").send(1500)
    assert house.profile is not None
    assert house.profile.provisional

    write_profile(made, path)
    house.send(600)

    assert house.profile == made
    assert house.states == {MlDriftStateValues.STEADY}


def test_the_range_is_that_of_all_rows_that_were_learned(tmp_path: Path) -> None:
    """Also of those that came when the edges were known; rounded outwards, so that no row's value can be read from it."""

    def rising(_random: np.random.Generator, number: int) -> dict[str, object]:
        return {"amount": number / 7}

    house = House(tmp_path).send(4300, rising)

    profile = house.profile
    assert profile is not None
    (column,) = profile.features
    assert column.max is not None
    assert column.max >= 4100 / 7
    assert column.max <= 620
    assert column.min == 14  # of the 101st row, the first that told its features


def test_a_stream_that_made_room_makes_room_for_what_is_learned(tmp_path: Path) -> None:
    """Of many versions over the years the newest are learned, as they are the ones that are counted; those at work stay, over a restart too."""

    def learned(house: House) -> set[str]:
        return {profile.model for profile in house.service._references.profiles.values()}

    settings = "streams={max: 2}", "bootstrap={rows: 1000, min_duration: 1h}"
    house = House(tmp_path, *settings)
    house.send(600, model="a").send(600, model="b")
    assert learned(house) == {"a", "b"}
    longest_silent = StreamKey("shop", "", "a", "1")
    house.service._pipeline.ledger._streams._streams[longest_silent].heard_ns = 0
    house.send(700, model="c")
    assert learned(house) == {"b", "c"}
    assert len(list((tmp_path / "state/learned").glob("*.json"))) == 2
    house.close()

    again = House(tmp_path, *settings).send(600, model="d")

    assert learned(again) == {"b", "c"}


def test_of_streams_that_were_never_learned_nothing_stays(tmp_path: Path) -> None:
    """Versions that come and go with a few rows each, for months: not even their names are kept."""
    house = House(tmp_path, "streams={max: 20}", "bootstrap={rows: 1000, min_duration: 1h}")
    for number in range(40):
        house.send(100, version=str(number))
        for stream in house.service._pipeline.ledger._streams._streams.values():
            stream.heard_ns = 0

    learner = house.service._learner
    assert learner is not None
    assert len(learner._growing) <= 8
    assert set(learner._gone) <= set(learner._growing)


def test_only_so_many_streams_are_learned(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """As many as may be kept: who names a new model with every request fills nothing; of a further one that is not promised."""
    caplog.set_level(logging.INFO, logger="otel_ml_processor")
    house = House(tmp_path, "streams={max: 2}", "bootstrap={rows: 1000, min_duration: 1h}")
    for model in ("a", "b", "c", "d"):
        house.send(600, model=model)

    assert house.service._references.n_learned == 2
    assert len(list((tmp_path / "state/learned").glob("*.json"))) == 2
    told = [r.getMessage() for r in caplog.records if "no profile" in r.getMessage()]
    assert ["yet" in line for line in told] == [True, True, False]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ((), "no profile yet, its first 4000 rows are learned, so no drift; predictions"),
        (("bootstrap=null",), "no profile, so no drift; predictions"),
    ],
)
def test_a_new_model_is_told_in_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, settings: tuple[str, ...], told: str
) -> None:
    """What will be done about its profile, and nothing that says otherwise."""
    caplog.set_level(logging.INFO, logger="otel_ml_processor")
    House(tmp_path, *settings).send(200)
    lines = [r.getMessage() for r in caplog.records if str(STREAM) in r.getMessage()]
    assert lines == [f"new stream {STREAM}: {told} and confidence are counted"]


def test_of_what_is_counted_together_nothing_is_said_to_be_learned(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Rows of no tenant are rows of any model: there is no profile of them, and none to come."""
    caplog.set_level(logging.INFO, logger="otel_ml_processor")
    House(tmp_path, "tenants={header: x-tenant}").send(200)
    lines = [r.getMessage() for r in caplog.records if "new stream" in r.getMessage()]
    told = "no profile, so no drift; predictions and confidence are counted"
    assert lines == [f"new stream (overflow) of (overflow): {told}"]


def test_what_cannot_be_learned_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One line with the reason; inferences go on being counted, and another model is learned."""

    def broken(rows: InferenceColumns, **rest: Any) -> BuiltProfile:
        if rows.stream == STREAM:
            raise ZeroDivisionError("broken")
        return profile_of_rows(rows, **rest)

    monkeypatch.setattr(learner, "profile_of_rows", broken)
    house = House(tmp_path).send(1500).send(1500, model="churn")

    assert f"{STREAM} cannot be learned" in caplog.text
    profile = house.profile
    assert profile is None
    assert house.service._references.profile(StreamKey("shop", "", "churn", "1")) is not None


def test_few_and_whole_predicted_numbers_are_counted_as_numbers(tmp_path: Path) -> None:
    """A regression that says stars of 1 to 5: from the first to the last window they are compared."""
    house = House(tmp_path, "bootstrap={rows: 1000, min_duration: 1s}")
    for _ in range(25):
        spans = []
        for _ in range(100):
            house.number += 1
            spans.append(
                inference(
                    house.number,
                    end_ns=house.begin_ns + house.number * SECOND_NS,
                    prediction_value=float(house.random.integers(1, 6)),
                )
            )
        house.service._pipeline.take(request_of(spans).SerializeToString(), None)
        house.service.tick()

    profile = house.profile
    assert profile is not None
    assert profile.prediction is not None
    assert profile.prediction.type == "numeric"
    assert sum(profile.prediction.counts) == profile.source.rows
    readings = [r for view in house.service._book.views() for r in view.readings]
    assert [t.rows for r in readings for t in r.targets] == [500]


def test_nothing_is_learned_where_it_is_switched_off(tmp_path: Path) -> None:
    """`bootstrap: null`: no feature is read, and nothing compared."""
    house = House(tmp_path, "bootstrap=null").send(2000)

    assert house.profile is None
    assert house.states == set()
    assert not (tmp_path / "state/learned").exists()


def test_the_self_test_is_that_of_the_rows_that_were_learned(tmp_path: Path) -> None:
    """Block by block as they came; over independent rows few alarm, and over rows that wander nearly all do."""
    even = House(tmp_path / "even", seed=5).send(4300).profile
    wandering = House(tmp_path / "wandering").send(
        4300, lambda r, n: {"amount": float(r.normal(n // 300 % 7, 1))}
    )

    rates = []
    for profile in (even, wandering.profile):
        assert profile is not None
        (test,) = profile.self_tests
        assert test.order == "time"
        p_values = test.p_values["features"]
        assert len(p_values) >= 10
        rates.append(sum(p <= 0.005 for p in p_values) / len(p_values))
    assert rates[0] <= 0.2
    assert rates[1] >= 0.8


def test_a_model_that_tells_outputs_alone_is_learned_too(tmp_path: Path) -> None:
    """Classes and confidence need no captured content."""
    house = House(tmp_path).send(1500, lambda _r, _n: {})

    profile = house.profile
    assert profile is not None
    assert profile.features == []
    assert profile.prediction is not None
    assert set(profile.prediction.categories) == {"yes", "no"}
    assert profile.confidence is not None


def test_odd_values_cost_one_count_each(tmp_path: Path) -> None:
    """Numbers that no float can hold, lists, nulls, texts among numbers: the column is learned all the same."""
    odd: list[object] = [None, "oops", [1], 1e300, float("nan"), True, 10**40, {}]

    def some(random: np.random.Generator, number: int) -> dict[str, object]:
        value = odd[number % len(odd)] if number % 50 == 0 else float(random.normal())
        return {"amount": value}

    house = House(tmp_path).send(4300, some)

    profile = house.profile
    assert profile is not None
    (column,) = profile.features
    assert column.type == "numeric"
    said = sum(column.counts) + column.missing + column.non_finite + column.type_error
    assert said == profile.source.rows
    assert column.type_error > 0
    house.send(600, some)
    assert house.states == {MlDriftStateValues.STEADY}
