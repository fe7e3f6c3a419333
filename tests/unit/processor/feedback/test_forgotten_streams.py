"""Versions that come and go: there is room for the labels of the last one, however many there have been, and no label is taken for that of another."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from otel_ml_conventions.attributes import MlFeedbackOutcomeValues
from otel_ml_processor.assess.performance import PerformanceReading
from otel_ml_processor.columns import StreamKey
from otel_ml_processor.config import (
    Config,
    Duration,
    PerformanceConfig,
    StreamsConfig,
    WindowConfig,
)
from otel_ml_processor.feedback.memory import JoiningMemory
from otel_ml_processor.feedback.totals import FeedbackTotals
from otel_ml_processor.signals import Signal
from tests.data.export_requests import RESOURCE, export_request, inference_span
from tests.data.labels import label_record, label_request, rooms

if TYPE_CHECKING:
    from collections.abc import Mapping

SECOND_NS = 1_000_000_000
BEGIN_NS = 1_750_000_000 * SECOND_NS
ROWS = 20
JOINED, UNMATCHED = MlFeedbackOutcomeValues.JOINED, MlFeedbackOutcomeValues.UNMATCHED


def config(max_streams: int = 1) -> Config:
    """Return a configuration with room for so many streams; one that was silent for a minute makes room."""
    return Config(
        windows=(WindowConfig(name="rows", rows=ROWS),),
        streams=StreamsConfig(max=max_streams, silent=Duration(60), min_rows=10),
        performance=PerformanceConfig(min_labels=1, coverage=0.5),
    )


class House:
    """A processor whose clock is put, what it told of labels, and spans and labels by number."""

    def __init__(self, max_streams: int = 1) -> None:
        """Begin with nothing."""
        self.now_ns = BEGIN_NS
        self.accuracies: dict[str, float] = {}
        self.totals: dict[str, FeedbackTotals] = {}
        self.config = config(max_streams)
        self.joining, self.pipeline = rooms(self.config, self, lambda: self.now_ns)

    def feedback(self, totals: FeedbackTotals) -> None:
        """Keep *totals*, by version."""
        self.totals[totals.stream.version if totals.stream else ""] = totals

    def performance(self, reading: PerformanceReading) -> None:
        """Keep the accuracy that *reading* tells, by version."""
        self.accuracies[reading.stream.version] = reading.realized["accuracy"]

    def predict(
        self,
        version: str,
        first: int,
        *,
        after_s: int = 0,
        said: Mapping[str, object] | None = None,
    ) -> None:
        """Have a window of *version* pass, spans from that number on, which say `yes`."""
        self.now_ns += after_s * SECOND_NS
        spans = [
            inference_span(
                {"ml.model.version": version, "ml.prediction.label": "yes", **(said or {})},
                span_id=first + i,
                end_ns=self.now_ns + i,
            )
            for i in range(ROWS)
        ]
        self.pipeline.take(export_request(spans), None)
        self.pipeline.tick(self.now_ns)

    def label(self, first: int, *true: str) -> None:
        """Say what was true of the spans from that number on."""
        records = [
            label_record({"ml.feedback.label": label}, first + i, self.now_ns)
            for i, label in enumerate(true)
        ]
        self.joining.inbox.hear(Signal.LOGS, label_request(records, RESOURCE))
        self.pipeline.tick(self.now_ns)

    def outcomes(self, version: str) -> dict[MlFeedbackOutcomeValues, int]:
        """Return how much feedback was told of *version*, by what came of it."""
        found: Counter[MlFeedbackOutcomeValues] = Counter()
        for joined, times in self.totals[version].joined.items() if version in self.totals else ():
            found[joined.outcome] += times
        return found


def test_labels_of_every_version_in_turn_are_joined() -> None:
    """With room for one stream at a time: three of four labels of each version agree with what was predicted."""
    house = House()
    for number in range(1, 5):
        house.predict(str(number), number * 100, after_s=61)
        house.label(number * 100, *["yes"] * 15, *["no"] * 5)

        assert house.accuracies[str(number)] == 0.75
        assert house.outcomes(str(number)) == {JOINED: ROWS}


def test_a_label_of_a_version_that_is_gone_is_not_that_of_the_one_in_its_place() -> None:
    """It finds nothing, as if its prediction never had been here; the version that is here now has no label then."""
    house = House()
    house.predict("1", 100)
    house.predict("2", 200, after_s=61)
    house.label(100, *["no"] * ROWS)
    house.now_ns += 121 * SECOND_NS
    house.pipeline.tick(house.now_ns)

    assert "2" not in house.accuracies
    assert house.outcomes("2") == {}
    assert house.outcomes("") == {UNMATCHED: ROWS}


def test_a_label_that_waited_while_its_version_went_finds_nothing() -> None:
    """It was to be looked up with the very tick in which another version took the room."""
    house = House()
    house.predict("1", 100)
    said = label_record({"ml.feedback.label": "no"}, 100, house.now_ns)
    house.joining.inbox.hear(Signal.LOGS, label_request([said], RESOURCE))
    house.predict("2", 200, after_s=61)
    house.pipeline.join_last(house.now_ns)

    assert house.outcomes("2") == {}
    assert house.outcomes("") == {UNMATCHED: 1}


def test_rows_that_nobody_kept_before_their_version_went_take_no_room() -> None:
    """As after a pause of the machine: no tick between the rows of the one and those of the other."""
    house = House()
    rows = [inference_span({"ml.model.version": "1"}, span_id=i, end_ns=BEGIN_NS) for i in (1, 2)]
    house.pipeline.take(export_request(rows), None)
    house.predict("2", 200, after_s=61)
    house.label(200, *["yes"] * ROWS)

    assert house.accuracies == {"2": 1.0}


def test_items_of_lists_of_a_version_that_is_gone_are_not_judged() -> None:
    """A list is found by its span as well: it goes with its version too."""
    house = House()
    items = {"ml.task.type": "ranking", "ml.batch.size": 3, "ml.prediction.scores": [0.9, 0.5, 0.1]}
    house.predict("1", 100, said=items)
    house.predict("2", 200, after_s=61)
    said = {"ml.feedback.score": 1.0, "ml.prediction.index": 1}
    request = label_request([label_record(said, 100, house.now_ns)], RESOURCE)
    house.joining.inbox.hear(Signal.LOGS, request)
    house.pipeline.join_last(house.now_ns)

    assert house.outcomes("2") == {}
    assert house.outcomes("") == {UNMATCHED: 1}


def test_the_others_keep_their_labels_when_one_goes_also_over_a_restart() -> None:
    """Of two versions the first goes: the second is known by the same number as before, now and in what is kept of it."""
    house = House(max_streams=2)
    house.predict("1", 100)
    house.predict("2", 200, after_s=50)
    house.predict("3", 300, after_s=50)
    kept = msgspec.msgpack.encode(house.joining.memory(1000, house.now_ns))
    after = House(max_streams=2)
    after.now_ns = house.now_ns
    after.joining.recall(msgspec.msgpack.decode(kept, type=JoiningMemory), counts_go_on=True)
    for one in (house, after):
        one.label(200, *["yes"] * 15, *["no"] * 5)
        one.label(300, *["yes"] * 5, *["no"] * 15)

        assert one.accuracies == {"2": 0.75, "3": 0.25}


def test_what_is_not_here_can_be_forgotten() -> None:
    """A stream that nobody has seen: nothing happens."""
    house = House()
    house.predict("1", 100)
    house.joining.forget(StreamKey("shop", "prod", "fraud", "9"))
    house.label(100, *["yes"] * ROWS)

    assert house.accuracies == {"1": 1.0}


def test_classes_of_versions_that_are_gone_leave_room_for_others() -> None:
    """Each version has some two hundred classes of its own: the last ones are known by their names too, or no label would be right."""
    house = House()
    for number in range(25):
        house.now_ns += 61 * SECOND_NS
        spans = [
            inference_span(
                {"ml.model.version": str(number), "ml.prediction.label": f"{number}-{i}"},
                span_id=1000 * number + i + 1,
                end_ns=house.now_ns,
            )
            for i in range(10 * ROWS)
        ]
        house.pipeline.take(export_request(spans), None)
        house.pipeline.tick(house.now_ns)
    house.label(24_001, *(f"24-{i}" for i in range(10 * ROWS)))

    assert house.accuracies["24"] == 1.0
