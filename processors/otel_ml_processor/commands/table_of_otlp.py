"""Inferences and feedback in files of telemetry, as the table that a profile is built from."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import pyarrow as pa
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_ml_processor.columns import Kind
from otel_ml_processor.commands.otlp_files import OtlpFileError, read_requests
from otel_ml_processor.compiled import IS_COMPILED
from otel_ml_processor.decode.fast import FastDecoder
from otel_ml_processor.decode.joined import joined
from otel_ml_processor.decode.spans import PlainDecoder
from otel_ml_processor.feedback.inbox import CountedRows
from otel_ml_processor.feedback.keys import NO_KEY, ways_to
from otel_ml_processor.feedback.predictions import names_of
from otel_ml_processor.feedback.reading import feedback_in_logs, feedback_in_traces
from otel_ml_processor.learn.names import class_names, feature_names
from otel_ml_processor.sketches.categories import category_of
from otel_ml_processor.sketches.moments import in_unit
from otel_ml_processor.windows.class_scores import MAX_CLASSES
from otel_ml_processor.windows.schemas import schemas_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from pathlib import Path

    from otel_ml_processor.columns import (
        BoolArray,
        FloatArray,
        InferenceColumns,
        StreamKey,
        ValueColumn,
    )
    from otel_ml_processor.decode.decoder import Decoded
    from otel_ml_processor.feedback.reading import Feedback

__all__ = ["CONFIDENCE", "PREDICTION", "TARGET", "TIME", "OtlpTable", "table_of_otlp"]

PREDICTION: Final = "(prediction)"
CONFIDENCE: Final = "(confidence)"
TARGET: Final = "(target)"
TIME: Final = "(time)"
_PROBABILITY: Final = "(probability of {})"


class OtlpTable(NamedTuple):
    """
    The inferences of one stream: their features, and as far as they say it the columns `(prediction)`, `(confidence)`, `(target)` and `(time)`.

    `probabilities` are by class the columns that say them, where there are truths too, `schemas` the hashes of those of the
    inputs. `labelled` rows have a truth.
    """

    table: pa.Table
    stream: StreamKey
    labelled: int
    probabilities: Mapping[str, str]
    schemas: Sequence[str]


class _Said(NamedTuple):
    """What spans of a stream name: its features, and the classes whose probabilities they say, as dictionaries for their order."""

    features: dict[str, None]
    classes: dict[str, None]


def table_of_otlp(
    paths: Sequence[Path], model: str, version: str, on_step: Callable[[str], None]
) -> OtlpTable:
    """
    Return the inferences of *model* in the files at *paths*, with the labels that feedback in the same files gives them.

    Args:
        paths: What a collector's file exporter writes: traces, and logs where feedback is told there.
        model: Whose inferences; empty: of the only model that there is.
        version: Of which version; empty: of the only one that there is.
        on_step: Told what is being read.

    Raises:
        OtlpFileError: If a file cannot be read, or there are no such inferences, or those of several streams.
    """
    for path in paths:
        if path.is_fifo():  # names first, then rows
            message = (
                "expected a file, found a pipe, which cannot be read twice; write it to a file"
            )
            raise OtlpFileError(f"{path}: {message}")
    names = _names(paths, on_step)
    stream = _only(names, model, version, paths)
    reading = _Reading(names[stream])
    for path in paths:
        on_step(str(path))
        for placed in read_requests(path):
            reading.read(placed.request, stream)
    return reading.table(stream)


def _names(paths: Sequence[Path], on_step: Callable[[str], None]) -> dict[StreamKey, _Said]:
    """Return every stream with the names that its spans say, in the order in which they come."""
    decoder = PlainDecoder(lambda _: None)
    found: dict[StreamKey, _Said] = {}
    for path in paths:
        on_step(f"names in {path}")
        for placed in read_requests(path):
            if isinstance(placed.request, ExportTraceServiceRequest):
                spans = decoder.decode(placed.request.SerializeToString()).spans
                for stream in spans.streams:
                    names = found.setdefault(stream, _Said({}, {}))
                    names.features.update(dict.fromkeys(feature_names(spans, stream)))
                    names.classes.update(dict.fromkeys(class_names(spans, stream)))
    return found


def _only(
    streams: Collection[StreamKey], model: str, version: str, paths: Sequence[Path]
) -> StreamKey:
    place = ", ".join(map(str, paths))
    if not streams:
        raise OtlpFileError(
            f"{place}: expected inferences (spans with ml.operation.name and ml.model.name), found none"
        )
    fitting = [s for s in streams if model in {"", s.model} and version in {"", s.version}]
    if len(fitting) != 1:
        wanted = " ".join(part for part in (model, version) if part) or "one model"
        known = "; ".join(sorted(map(str, fitting or streams)))
        raise OtlpFileError(
            f"{place}: expected the inferences of {wanted} of one service, found those of {known}; "
            "choose with --model and --version, or give the files of one service"
        )
    return fitting[0]


class _Reading:
    """What has been read of one stream so far."""

    def __init__(self, names: _Said) -> None:
        features = tuple(names.features)
        # Of more classes no inference says all.
        self._classes = tuple(names.classes) if len(names.classes) <= MAX_CLASSES else ()
        decoder = FastDecoder if IS_COMPILED else PlainDecoder
        self._decoder = decoder(lambda _: features, classes_of=lambda _: self._classes)
        self._parts: list[InferenceColumns] = []
        self._row_of: dict[int, int] = {}
        self._feedback: list[Feedback] = []
        self._n_rows = 0

    def read(self, request: object, stream: StreamKey) -> None:
        if isinstance(request, ExportLogsServiceRequest):
            self._feedback += feedback_in_logs(request.SerializeToString())
        if isinstance(request, ExportTraceServiceRequest):
            data = request.SerializeToString()
            self._feedback += feedback_in_traces(data)
            decoded = self._decoder.decode(data)
            for rows in decoded.columns:
                if rows.stream == stream:
                    self._add(decoded, rows)

    def _add(self, decoded: Decoded, rows: InferenceColumns) -> None:
        counted = CountedRows(
            stream=rows.stream,
            ids=decoded.spans.ids,
            spans=rows.spans,
            end_times_ns=rows.end_times_ns,
            labels=rows.labels,
            confidences=rows.confidences,
            values=rows.values,
            steps={},
            content=decoded.spans,
        )
        for keys in names_of([counted]):
            for row, key in enumerate(keys.tolist(), start=self._n_rows):
                if key != NO_KEY:
                    self._row_of[key] = row
        # Spans are numbered over all requests, so that the rows of one request stay together.
        self._parts.append(_renumbered(rows, self._n_rows))
        self._n_rows += len(rows)

    def table(self, stream: StreamKey) -> OtlpTable:
        rows = joined(self._parts)
        truths = self._truths()
        has_content = _has_content(rows)
        columns = {name: _arrow(column) for name, column in rows.features.items()}
        prediction = _prediction(rows)
        if prediction is not None:
            columns[PREDICTION] = prediction
        if np.isfinite(rows.confidences).any():
            columns[CONFIDENCE] = pa.array(rows.confidences, from_pandas=True)
        if truths:
            columns[TARGET] = _targets(truths, len(rows))
        # Only together with what was true do they mean something.
        probabilities = self._probabilities(rows, list(truths)) if prediction is not None else {}
        for column, said in probabilities.values():
            columns[column] = pa.array(said, from_pandas=True)
        columns[TIME] = pa.array(rows.end_times_ns, pa.int64()).cast(pa.timestamp("ns", "UTC"))
        table = pa.table(columns).filter(pa.array(has_content))
        of_classes = {name: column for name, (column, _) in probabilities.items()}
        return OtlpTable(table, stream, len(truths), of_classes, schemas_of(rows))

    def _probabilities(
        self, rows: InferenceColumns, true: list[int]
    ) -> dict[str, tuple[str, FloatArray]]:
        """Return by class the column of its probability, and that; nothing where no row that is *true* says those of all classes."""
        said = {name: in_unit(rows.probabilities[name]) for name in self._classes}
        known = [~np.isnan(column[true]) for column in said.values()]
        if not known or not np.logical_and.reduce(known).any():
            return {}
        return {name: (_PROBABILITY.format(name), column) for name, column in said.items()}

    def _truths(self) -> dict[int, Feedback]:
        """Return what was true, by row; of several the first."""
        found: dict[int, Feedback] = {}
        for feedback in self._feedback:
            says = feedback.label is not None or np.isfinite(feedback.value)
            row = self._row(feedback) if feedback.is_truth and says else None
            if row is not None:
                found.setdefault(row, feedback)
        return found

    def _row(self, feedback: Feedback) -> int | None:
        found = ways_to(feedback.keys, feedback.position)
        return next((self._row_of[way] for way in found if way in self._row_of), None)


def _renumbered(rows: InferenceColumns, first: int) -> InferenceColumns:
    return replace(rows, spans=rows.spans + first)


def _has_content(rows: InferenceColumns) -> BoolArray:
    """Return which rows have captured features; all, where none has: then their outputs alone are the profile."""
    has = np.zeros(len(rows), dtype=bool)
    for column in rows.features.values():
        has |= column.kinds != Kind.ABSENT
    return has if has.any() else np.ones(len(rows), dtype=bool)


def _prediction(rows: InferenceColumns) -> pa.Array | None:
    if (rows.labels.codes >= 0).any():
        codes = pa.array(rows.labels.codes, mask=rows.labels.codes < 0)
        return pa.DictionaryArray.from_arrays(codes, list(rows.labels.dictionary)).cast(pa.string())
    return pa.array(rows.values, from_pandas=True) if np.isfinite(rows.values).any() else None


def _targets(truths: dict[int, Feedback], n_rows: int) -> pa.Array:
    if any(feedback.label is not None for feedback in truths.values()):
        return pa.array(
            [truths[i].label if i in truths else None for i in range(n_rows)], pa.string()
        )
    numbers: FloatArray = np.full(n_rows, np.nan)
    for row, feedback in truths.items():
        numbers[row] = feedback.value
    return pa.array(numbers, from_pandas=True)


def _arrow(column: ValueColumn) -> pa.Array:
    """Return one type for all values: numbers where there are only those, else texts; a list or a map is missing."""
    kinds = {Kind(kind) for kind in np.unique(column.kinds).tolist()} & _SAID
    if kinds == {Kind.BOOLEAN}:
        is_missing = column.kinds != Kind.BOOLEAN
        return pa.array(column.numbers == 1, pa.bool_(), mask=is_missing)
    if Kind.TEXT not in kinds:
        return pa.array(column.numbers, from_pandas=True)
    return pa.array([_text(column, row) for row in range(len(column))], pa.string())


_SAID: Final = {Kind.NUMBER, Kind.BOOLEAN, Kind.TEXT}


def _text(column: ValueColumn, row: int) -> str | None:
    kind, number = column.kinds[row], float(column.numbers[row])
    if kind == Kind.TEXT:
        return str(column.dictionary[column.texts[row]])
    if kind == Kind.BOOLEAN:
        return str(bool(number))
    return category_of(number) if kind == Kind.NUMBER and np.isfinite(number) else None
