"""Logs of a replay: they are heard when the traces have come to their time, in whatever files they lie."""

from __future__ import annotations

import heapq
from itertools import chain, count, islice
from typing import TYPE_CHECKING

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from otel_ml_processor.commands.otlp_files import read_requests
from otel_ml_processor.decode.said import EXPLANATION_MARK

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    from otel_ml_processor.commands.otlp_files import Placed

__all__ = ["ReplayedLogs", "logs_first", "newest_end_ns"]


class ReplayedLogs:
    """Requests of logs with explanations, the oldest first; in memory until their time has come."""

    __slots__ = ("_number", "_waiting")

    def __init__(self) -> None:
        self._waiting: list[tuple[int, int, bytes]] = []
        self._number = count()

    def add(self, request: ExportLogsServiceRequest) -> None:
        """Hold *request* where there may be an explanation in it."""
        content = request.SerializeToString()
        if EXPLANATION_MARK in content:
            heapq.heappush(self._waiting, (_newest_ns(request), next(self._number), content))

    def until(self, time_ns: int | None = None) -> Iterator[bytes]:
        """Yield what was said up to then, and hold it no more; without a time all that is left."""
        while self._waiting and (time_ns is None or self._waiting[0][0] <= time_ns):
            yield heapq.heappop(self._waiting)[-1]


def logs_first(paths: Sequence[Path]) -> list[tuple[Path, Iterator[Placed]]]:
    """
    Return *paths* with the requests in each, those first that begin with logs: what is said of a trace is to be known when it comes.

    Raises:
        OtlpFileError: If a file cannot be used.
    """
    begun = sorted(map(_begun, paths), key=lambda one: not one[0])
    return [(path, requests) for _, path, requests in begun]


def newest_end_ns(request: ExportTraceServiceRequest) -> int:
    """Return when the last span of *request* ended, 0 where there is none."""
    spans = (
        span
        for resource in request.resource_spans
        for scoped in resource.scope_spans
        for span in scoped.spans
    )
    return max((span.end_time_unix_nano for span in spans), default=0)


def _begun(path: Path) -> tuple[bool, Path, Iterator[Placed]]:
    """Return whether *path* begins with logs, and its requests."""
    requests = read_requests(path)
    begin = [*islice(requests, 1)]
    is_of_logs = any(isinstance(each.request, ExportLogsServiceRequest) for each in begin)
    # A pipe can be read once; of files too many would be open.
    return is_of_logs, path, read_requests(path) if path.is_file() else chain(begin, requests)


def _newest_ns(request: ExportLogsServiceRequest) -> int:
    records = (
        record
        for resource in request.resource_logs
        for scoped in resource.scope_logs
        for record in scoped.log_records
    )
    return max((r.time_unix_nano or r.observed_time_unix_nano for r in records), default=0)
