"""The predictions that wait for labels: how they come to be kept, and how feedback finds them."""

from __future__ import annotations

import math
from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from otel_ml_processor.columns import TextColumn
from otel_ml_processor.feedback.cohorts import NO_COHORT
from otel_ml_processor.feedback.keys import NO_KEY, ways_to
from otel_ml_processor.feedback.label_numbers import LabelNumbers
from otel_ml_processor.feedback.lists import ShownList, ShownLists, lists_of
from otel_ml_processor.feedback.places import NO_SERIAL, KeptPlaces
from otel_ml_processor.feedback.predictions import names_of
from otel_ml_processor.feedback.ring import JoinRing, empty_predictions
from otel_ml_processor.feedback.segment_numbers import NO_SEGMENT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from otel_ml_processor.config import Config
    from otel_ml_processor.feedback.inbox import CountedRows
    from otel_ml_processor.feedback.reading import Feedback
    from otel_ml_processor.feedback.ring import Prediction, Records
    from otel_ml_processor.feedback.streams import LabelledStreams

__all__ = ["WaitingPredictions"]


class _Part(NamedTuple):
    """Rows that were counted, and the number of their stream."""

    stream: int
    rows: CountedRows


class WaitingPredictions:
    """
    The predictions of *streams*: samples in `ring`, whole lists in `lists`.

    `labels` has the classes that their numbers are of, `places` where their features were counted.
    """

    __slots__ = ("_config", "_streams", "labels", "lists", "places", "ring")

    def __init__(self, config: Config, streams: LabelledStreams) -> None:
        self._config = config
        self._streams = streams
        self.ring = JoinRing(
            config.feedback.max,
            len(config.windows),
            round(config.feedback.horizon * 1e9),
            len(config.segments.attributes),
        )
        self.lists = ShownLists()
        self.labels = LabelNumbers()
        self.places = KeptPlaces()

    def keep(self, counted: Sequence[CountedRows]) -> None:
        """Keep the predictions of all parts at once: most of what it takes does not depend on how many parts there are, nor on how many streams."""
        numbers = [self._streams.number(rows.stream) for rows in counted]
        parts = [
            _Part(number, rows)
            for number, rows in zip(numbers, counted, strict=True)
            if number is not None
        ]
        if not parts:
            return
        if self.labels.is_full:
            self.labels.keep_only(self.ring.labels())
        lengths = [len(part.rows.spans) for part in parts]
        times_ns = np.concatenate([part.rows.end_times_ns for part in parts])
        keys, names = names_of([part.rows for part in parts])
        self.ring.add(
            {
                "key": keys,
                "name": names,
                "time_ns": times_ns,
                "confidence": np.concatenate([part.rows.confidences for part in parts]),
                "value": np.concatenate([part.rows.values for part in parts]),
                "label": self.labels.numbers([part.rows.labels for part in parts]),
                "stream": np.repeat([part.stream for part in parts], lengths),
                **self._placed(parts, lengths),
                "flags": np.zeros(len(keys), dtype=np.uint8),
            }
        )
        newest_ns = np.maximum.reduceat(times_ns, [0, *accumulate(lengths[:-1])]).tolist()
        for part, newest in zip(parts, newest_ns, strict=True):
            stream = self._streams[part.stream]
            stream.newest_ns = max(stream.newest_ns, newest)
            stream.is_changed = True

    def bring(self, feedback: Sequence[Feedback]) -> None:
        """Keep the predictions that *feedback* itself repeats, of windows that labels are still counted for, where they are not kept already."""
        repeated = [one for one in feedback if one.carried is not None]
        ways = [tuple(ways_to(one.keys, one.position)) for one in repeated]
        known = self.ring.rows_of({way for each in ways for way in each})
        missing = [f for f, each in zip(repeated, ways, strict=True) if not known.keys() & {*each}]
        brought = [found for f in missing if (found := self._brought(f)) is not None]
        if brought:
            self.ring.add(np.concatenate(brought))

    def found(self, feedback: Sequence[Feedback]) -> Iterator[Prediction | ShownList | None]:
        """Yield what each of *feedback* is about: a list where it names an item of one, else a prediction; None where nothing is kept."""
        ways = [tuple(ways_to(one.keys, one.position)) for one in feedback]
        row_of = self.ring.rows_of({way for each in ways for way in each})
        for one, each in zip(feedback, ways, strict=True):
            shown = self.lists.find(one)
            if shown is not None and self._can_be_of(one, shown.stream):
                yield shown
            else:
                predictions = (self.ring.prediction(row_of[way]) for way in each if way in row_of)
                yield next((p for p in predictions if self._can_be_of(one, p.stream)), None)

    def is_left_out(self, feedback: Feedback) -> bool:
        """Return whether the prediction that *feedback* is about would be left out of `ring`, which has been full."""
        way = next(ways_to(feedback.keys, feedback.position), None)
        return way is not None and not self.ring.keeps(way)

    def forget(self, stream: int) -> None:
        """Keep nothing of the *stream* with that number any more, so that another may have it."""
        self.ring.forget(stream)
        self.lists.forget(stream)

    def label_of(self, prediction: Prediction) -> str | None:
        """Return the class that was predicted; None of none, or where it is not known by its name."""
        return self.labels.texts[prediction.label] if prediction.label >= 0 else None

    def _placed(self, parts: Sequence[_Part], lengths: Sequence[int]) -> dict[str, NDArray[Any]]:
        """Count rows into their windows, and return what predictions remember of that; keep the lists among them."""
        n_rows, names = sum(lengths), self._config.segments.attributes
        windows = np.full((n_rows, len(self._config.windows)), NO_COHORT, dtype=np.int32)
        segments = np.full((n_rows, len(names)), NO_SEGMENT, dtype=np.int16)
        serials = np.full(n_rows, NO_SERIAL, dtype=np.int64)
        end = 0
        for (number, rows), length in zip(parts, lengths, strict=True):
            begin, end = end, end + length
            stream = self._streams[number]
            for column, (window, cohorts) in enumerate(stream.cohorts.items()):
                steps = rows.steps.get(window, ())
                cohorts.place(steps, windows[begin:end, column], rows.reference)
            if names:
                segments[begin:end] = stream.segments.numbers(rows.segments, length)
            if rows.places is not None and rows.reference is not None and len(rows.places):
                serials[begin:end] = self.places.add(rows.places, rows.reference)
            if rows.content is not None:
                self._keep_lists(number, rows, windows[begin:end])
        return {"windows": windows, "segments": segments, "serial": serials}

    def _keep_lists(self, number: int, rows: CountedRows, windows: NDArray[np.int32]) -> None:
        for seen in lists_of(rows):
            of_list = tuple(windows[seen.row].tolist())
            shown = ShownList(number, of_list, int(rows.end_times_ns[seen.row]), seen.places)
            if self.lists.add(seen, shown):
                for cohort in self._streams[number].cohorts_of(of_list):
                    cohort.lists += 1

    def _brought(self, feedback: Feedback) -> Records | None:
        number, carried = self._streams.find(feedback.stream), feedback.carried
        if number is None or carried is None or not feedback.keys:
            return None
        stream = self._streams[number]
        windows = [cohorts.at(carried.time_ns) for cohorts in stream.cohorts.values()]
        if max(windows) == NO_COHORT:
            return None
        brought = empty_predictions(1, len(windows), len(stream.segments.names))
        brought["key"], brought["name"] = next(ways_to(feedback.keys, feedback.position)), NO_KEY
        brought["time_ns"], brought["confidence"] = carried.time_ns, carried.confidence
        label = TextColumn(np.zeros(1, dtype=np.int64), (carried.label,))
        brought["label"], brought["value"] = self.labels.numbers([label]), math.nan
        brought["windows"], brought["segments"] = windows, NO_SEGMENT
        brought["stream"], brought["serial"] = number, NO_SERIAL
        return brought

    def _can_be_of(self, feedback: Feedback, stream: int) -> bool:
        """Return whether that stream is of the feedback's tenant, and its model that which the feedback names, if it does."""
        key = self._streams[stream].key
        said = feedback.stream
        if said.tenant != key.tenant:
            return False
        return said.model in {"", key.model} and said.version in {"", key.version}
