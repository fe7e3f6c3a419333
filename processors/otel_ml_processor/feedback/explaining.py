"""
Explanations, gathered window by window.

Requests leave what they have; as time passes (`settle`) explanations are read and counted, and a window that closes takes what has
come since the last one (`taken`).
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

import numpy as np

from otel_ml_processor.assess.explanations import FEWEST, Explained, ExplanationReference
from otel_ml_processor.decode.fast_search import occurs
from otel_ml_processor.decode.said import EXPLANATION_MARK, Said
from otel_ml_processor.decode.whose import Whose
from otel_ml_processor.feedback.explained_memory import ExplainingMemory
from otel_ml_processor.feedback.explanations import explanations_in
from otel_ml_processor.feedback.inbox import MAX_HEARD_BYTES, CountedRows, Heard, counted_rows
from otel_ml_processor.feedback.keys import NO_KEY, ways_to
from otel_ml_processor.feedback.predictions import names_of
from otel_ml_processor.refusal import Refusal
from otel_ml_processor.signals import Signal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from otel_ml_processor.assess.explanations import Attributions
    from otel_ml_processor.columns import IntArray, StreamKey
    from otel_ml_processor.decode.inference_spans import InferenceSpans
    from otel_ml_processor.feedback.explanations import Explanation
    from otel_ml_processor.windows.placed import PlacedRows
    from otel_ml_processor.windows.reference import Reference

__all__ = ["DROPPED_EXPLANATIONS", "FIRST", "Explaining"]

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")

DROPPED_EXPLANATIONS: Final = "explanations"
"""Cause under which `ml.processor.overflow` counts explanations, and requests with some, for which there was no room."""
FIRST: Final = 500
"""Explanations of a stream that say what is usual, where its profile does not."""
_TOP: Final = 3
"""Features that count most: two inputs are near where they are in the same bins of these, and alike where their own are the same."""
_MAX_INPUTS: Final = 10_000
"""Inputs, and groups of near ones, that are remembered per stream, the latest ones; and explanations that wait for their prediction, the first ones."""


class _Inputs(NamedTuple):
    rows: CountedRows
    cells: IntArray
    """Of the features that count most, shape (n_features, n_rows)."""


@dataclass(slots=True)
class _Stream:
    reference: ExplanationReference | None
    near_by: tuple[int, ...]
    """Positions of the features that decide which inputs are near."""
    first: list[Attributions] = field(default_factory=list)
    windows: dict[str, Explained] = field(default_factory=dict)
    cells: OrderedDict[int, tuple[int, ...]] = field(default_factory=OrderedDict)
    """Of the latest inputs, by the keys of their predictions."""
    alike: OrderedDict[tuple[int, ...], frozenset[str]] = field(default_factory=OrderedDict)
    """What counted most for the last input in each of the latest groups of near ones."""

    @property
    def held(self) -> int:
        """How many explanations no window has taken."""
        return len(self.first) + max((each.rows for each in self.windows.values()), default=0)


def _nobodys(_keys: set[int]) -> Mapping[int, StreamKey]:
    return {}


def _always(_stream: StreamKey) -> bool:
    return True


class Explaining:
    """
    The explanations of one processor; `hear` and `remember` are safe to use from any thread, all else is for the thread that ticks.

    *tenants* is the attribute of a resource that says its tenant, empty where none does. *predicted* says by its keys whose a prediction is: an
    explanation that names no model is looked up there, again and again for *patience_ns*, for it may overtake its prediction. A stream that *is_counted*
    does not know, for nobody has sent a prediction of it, makes room for another. *dropped* is told of what there is no room for.

    Memory is at most `MAX_HEARD_BYTES`, and per stream counts of a hundred features per window name and some ten thousand small tuples.
    """

    def __init__(
        self,
        reference_of: Callable[[StreamKey], Reference | None],
        windows_of: Callable[[StreamKey], Sequence[str]],
        max_streams: int,
        tenants: str = "",
        predicted: Callable[[set[int]], Mapping[int, StreamKey]] = _nobodys,
        patience_ns: int = 0,
        is_counted: Callable[[StreamKey], bool] = _always,
        dropped: Callable[[int], object] = lambda _: None,
    ) -> None:
        self._is_counted = is_counted
        self._dropped = dropped
        self._tenants = tenants
        self._predicted = predicted
        self._patience_ns = patience_ns
        self._waiting: list[tuple[int, Explanation]] = []
        self._reference_of = reference_of
        self._windows_of = windows_of
        self._max_streams = max_streams
        self._streams: dict[StreamKey, _Stream] = {}
        self._lock = threading.Lock()
        self._heard: list[Heard] = []
        self._bytes = 0
        self._inputs: list[_Inputs] = []
        self._rows_held = 0
        self.contained: AbstractContextManager[None, bool | None] = nullcontext()
        """What counts and logs a mistake of ours, so that it costs one request, or one stream, and not all that came since the last tick."""

    def hear(self, signal: Signal, request: bytes, caller: str = "") -> None:
        """Hold *request* where there may be an explanation in it; where there is no room, it is dropped."""
        if occurs(EXPLANATION_MARK, request):
            self._hear(signal, request, caller)

    def hear_spans(self, spans: InferenceSpans, caller: str = "") -> None:
        """Do the same with the request that *spans* are of."""
        if spans.said & Said.EXPLANATIONS:
            self._hear(Signal.TRACES, spans.request, caller)

    def _hear(self, signal: Signal, request: bytes, caller: str) -> None:
        with self._lock:
            if self._bytes + len(request) > MAX_HEARD_BYTES:
                self._dropped(1)
                return
            self._heard.append(Heard(signal, request, caller))
            self._bytes += len(request)

    def remember(self, spans: InferenceSpans, counted: Sequence[PlacedRows]) -> None:
        """Hold in which bins inputs are, of streams whose predictions are explained."""
        for placed in counted:
            stream = self._streams.get(placed.rows.stream)
            if stream is None or not stream.near_by or placed.reference is None or not len(placed):
                continue
            # Rows wait for at most one tick; those beyond are not compared with others.
            inputs = _Inputs(counted_rows(spans, placed, {}), placed.places[list(stream.near_by)])
            with self._lock:
                if self._rows_held < _MAX_INPUTS:
                    self._inputs.append(inputs)
                    self._rows_held += len(placed)

    def settle(self, now_ns: int | None = None) -> None:
        """Count the explanations that have come, in every window of their stream; None for the time: nothing waits any longer."""
        with self._lock:
            heard, self._heard, self._bytes = self._heard, [], 0
            inputs, self._inputs, self._rows_held = self._inputs, [], 0
        for each in inputs:
            with self.contained:
                self._keep(each)
        read = [explanation for each in heard for explanation in self._read(each)]
        by_stream: dict[StreamKey, list[Explanation]] = {}
        for explanation in (*(e for e in read if e.stream.model), *self._found(read, now_ns)):
            by_stream.setdefault(explanation.stream, []).append(explanation)
        for key, explanations in by_stream.items():
            with self.contained:
                stream = self._stream(key)
                if stream is None:
                    self._dropped(len(explanations))
                else:
                    self._count(key, stream, explanations)

    def _read(self, heard: Heard) -> list[Explanation]:
        told: list[Explanation] = []
        with self.contained:
            try:
                told += explanations_in(
                    heard.signal, heard.request, Whose(heard.caller, self._tenants)
                )
            except Refusal:  # nobody is left who could be told
                return []
        return told

    def _found(self, read: Sequence[Explanation], now_ns: int | None) -> Iterator[Explanation]:
        """Yield the explanations without a model, of those that were *read* now and before, whose prediction is known; the others wait on."""
        new = [(now_ns or 0, each) for each in read if not each.stream.model]
        waiting, self._waiting = [*self._waiting, *new], []
        known = self._predicted(
            {way for _, each in waiting for way in ways_to(each.keys, each.position)}
        )
        for since_ns, each in waiting:
            streams = [known[way] for way in ways_to(each.keys, each.position) if way in known]
            stream = next((s for s in streams if s.tenant == each.stream.tenant), None)
            if stream is not None:
                yield each._replace(stream=stream)
            elif now_ns is not None and now_ns - since_ns < self._patience_ns:
                self._waiting.append((since_ns, each))
        self._dropped(len(self._waiting[_MAX_INPUTS:]))
        del self._waiting[_MAX_INPUTS:]

    def taken(self, key: StreamKey, window: str) -> Explained | None:
        """Return the explanations since a window of that name last took some, and hold them no more; None while there are fewer than `FEWEST`."""
        stream = self._streams.get(key)
        explained = None if stream is None else stream.windows.get(window)
        if stream is None or explained is None or explained.rows < FEWEST:
            return None
        del stream.windows[window]
        return explained

    def forget(self, key: StreamKey) -> None:
        """Drop all that is held of a stream; of an unknown one there is nothing to drop."""
        self._streams.pop(key, None)

    def memories(self) -> list[ExplainingMemory]:
        """Return all that is remembered, for `recall`; explanations that wait for their prediction are not."""
        return [_memory(key, stream) for key, stream in self._streams.items()]

    def recall(self, said: ExplainingMemory) -> None:
        """
        Remember what was remembered before of a stream that has the same reference now.

        Raises:
            ValueError: If its windows were counted against something else than it says.
        """
        stream = self._stream(said.stream)
        if stream is None:
            return
        if said.usual and stream.reference is None:
            stream.reference = ExplanationReference.of(said.usual, is_provisional=True)
            stream.near_by = self._near_by(said.stream, stream.reference)
        stream.first = list(said.first)
        usual = stream.reference
        if usual is not None:
            stream.windows = {n: Explained.of_memory(usual, w) for n, w in said.windows.items()}
        cells = map(tuple, said.cells.tolist())
        stream.cells.update(zip(said.keys.tolist(), cells, strict=True))
        stream.alike.update((at, frozenset(top)) for at, top in said.alike)

    def _stream(self, key: StreamKey) -> _Stream | None:
        stream = self._streams.get(key)
        if stream is None and key.model and self._has_room():
            reference = self._reference_of(key)
            known = reference.explanations if reference is not None else None
            usual = ExplanationReference.of(known) if known else None
            stream = self._streams[key] = _Stream(usual, self._near_by(key, usual))
        return stream

    def _has_room(self) -> bool:
        """Return whether there is room for one stream more; that which nobody counts, and which came first of those, makes it."""
        if len(self._streams) >= self._max_streams:
            nobodys = next((key for key in self._streams if not self._is_counted(key)), None)
            if nobodys is None:
                return False
            self._dropped(self._streams.pop(nobodys).held)
        return True

    def _near_by(self, key: StreamKey, usual: ExplanationReference | None) -> tuple[int, ...]:
        reference = self._reference_of(key)
        if usual is None or reference is None:
            return ()
        names = reference.feature_names
        return tuple(names.index(name) for name in usual.top if name in names)[:_TOP]

    def _count(self, key: StreamKey, stream: _Stream, explanations: Sequence[Explanation]) -> None:
        attributions = [explanation.attributions for explanation in explanations]
        if stream.reference is None:
            stream.first += attributions
            if len(stream.first) >= FIRST:
                stream.reference = ExplanationReference.first(stream.first)
                stream.first = []
                stream.near_by = self._near_by(key, stream.reference)
            return
        agreements = list(_agreements(stream, explanations))
        for name in self._windows_of(key):
            explained = stream.windows.get(name)
            if explained is None:
                explained = stream.windows[name] = Explained(stream.reference)
            explained.add(attributions)
            for share in agreements:
                explained.agree(share)

    def _keep(self, inputs: _Inputs) -> None:
        """Remember where each input is, under all keys that lead to it."""
        stream = self._streams.get(inputs.rows.stream)
        if stream is None or len(stream.near_by) != len(inputs.cells):
            return
        cells = list(zip(*inputs.cells.tolist(), strict=True))
        for of_rows in names_of([inputs.rows]):
            for key, at in zip(of_rows.tolist(), cells, strict=True):
                if key != NO_KEY:
                    _note(stream.cells, key, at)


def _memory(key: StreamKey, stream: _Stream) -> ExplainingMemory:
    usual = stream.reference
    cells = np.array(list(stream.cells.values()), dtype=np.int64)
    return ExplainingMemory(
        stream=key,
        usual=usual.columns if usual is not None and usual.is_provisional else (),
        first=tuple(stream.first),
        windows={name: explained.memory() for name, explained in stream.windows.items()},
        keys=np.array(list(stream.cells), dtype=np.uint64),
        cells=cells.reshape(len(stream.cells), len(stream.near_by)),
        alike=tuple((at, tuple(sorted(top))) for at, top in stream.alike.items()),
    )


def _agreements(stream: _Stream, explanations: Sequence[Explanation]) -> Iterator[float]:
    """Yield, for each explanation of an input that is near an earlier one, which share of what counts most is the same."""
    for explanation in explanations:
        cells = next(
            (
                c
                for k in ways_to(explanation.keys, explanation.position)
                if (c := stream.cells.get(k)) is not None
            ),
            None,
        )
        if cells is None:
            continue
        said = explanation.attributions
        top = frozenset(sorted(said, key=lambda name: -abs(said[name]))[:_TOP])
        before = stream.alike.get(cells)
        _note(stream.alike, cells, top)
        if before is not None:
            yield len(before & top) / max(len(before | top), 1)


def _note(held: OrderedDict[_Key, _Value], key: _Key, value: _Value) -> None:
    """Remember *value* as the latest, and forget the oldest beyond the cap."""
    held[key] = value
    held.move_to_end(key)
    if len(held) > _MAX_INPUTS:
        held.popitem(last=False)
