"""
What is fuzzed: everything that reads bytes of somebody else's.

A target is handed any bytes. It raises where a promise is broken: the two ways to the same answer differ, or something else is raised than
what is documented.
"""

from __future__ import annotations

import functools
import random
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
import numpy as np
from google.protobuf.json_format import MessageToJson
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from otel_ml_processor.config_file import configuration_text, load_config
from otel_ml_processor.decode.fast import FastDecoder
from otel_ml_processor.decode.fast_splice import spliced
from otel_ml_processor.decode.spans import PlainDecoder
from otel_ml_processor.decode.strip import content_keys, stripped
from otel_ml_processor.decode.wire import MalformedRequest, splice
from otel_ml_processor.errors import ConfigError, ProfileError
from otel_ml_processor.feedback.explanations import explanations_in
from otel_ml_processor.feedback.reading import feedback_in_logs, feedback_in_traces
from otel_ml_processor.profile_file import read_profile, write_profile
from otel_ml_processor.receive.otlp_json import protobuf_of
from otel_ml_processor.refusal import Refusal
from otel_ml_processor.signals import Signal
from otel_ml_processor.state.journal import Journal, _framed, read_journal
from otel_ml_processor.state.sealed_file import UnusableFileError, read_sealed, write_sealed
from otel_ml_processor.state.snapshot import read_snapshot
from otel_ml_processor.windows.reference import Reference
from tests.data.decodings import outcome
from tests.data.export_requests import attributes
from tests.data.state_house import House, profile
from tests.data.state_house import request as counted_request
from tests.fuzz.damage import NAMES, request

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["TARGETS", "Target"]

_FILES: Final = Path("/dev/shm")
"""Memory: a file for each input costs no disk."""
_TENANTS: Final = "tenant.id"
_SAID: Final = {
    "ml.prediction.id": "order-1",
    "ml.feedback.label": "late",
    "ml.prediction.index": 2,
}


class Target(NamedTuple):
    """What is tried with each input, and valid inputs to begin with."""

    what: str
    begin: Callable[[Path], Callable[[bytes], None]]
    seeds: Callable[[], Sequence[bytes]]


def _requests() -> list[bytes]:
    chance = random.Random(1)
    return [request(chance) for _ in range(200)]


def _log_requests() -> list[bytes]:
    told = [
        LogRecord(
            event_name=name,
            trace_id=b"t" * 16,
            span_id=b"s" * 8,
            time_unix_nano=5,
            attributes=attributes(_SAID | more),
        )
        for name, more in (
            ("ml.feedback", {"ml.feedback.value": 1.5}),
            ("ml.explanation", {"ml.explanation.attributions": {"age": 0.5, "city": -1.0}}),
            ("ml.explanation", {"ml.explanation.attributions": '{"age": 0.5}'}),
        )
    ]
    whole = ResourceLogs(
        resource=Resource(attributes=attributes({"service.name": "shop", _TENANTS: "acme"})),
        scope_logs=[ScopeLogs(log_records=told)],
    )
    return [ExportLogsServiceRequest(resource_logs=[whole]).SerializeToString()]


def _json_requests() -> list[bytes]:
    requests = [ExportTraceServiceRequest.FromString(one) for one in _requests()[:50]]
    return [MessageToJson(one, indent=None).encode() for one in requests]


def _decoders(_: Path) -> Callable[[bytes], None]:
    plain = PlainDecoder(lambda _: NAMES, ("city", "region"), _TENANTS)
    fast = FastDecoder(lambda _: NAMES, ("city", "region"), _TENANTS)

    def try_(content: bytes) -> None:
        assert outcome(plain, content) == outcome(fast, content), "the decoders differ"

    return try_


def _http_json(_: Path) -> Callable[[bytes], None]:
    fast = FastDecoder(lambda _: NAMES)

    def try_(content: bytes) -> None:
        for signal in Signal:
            try:
                read = protobuf_of(content, signal)
            except Refusal:
                continue
            signal.request.FromString(read)
            if signal is Signal.TRACES:
                fast.decode(read)

    return try_


def _feedback(_: Path) -> Callable[[bytes], None]:
    readers: tuple[Callable[[bytes], object], ...] = (
        feedback_in_logs,
        feedback_in_traces,
        functools.partial(explanations_in, Signal.LOGS),
        functools.partial(explanations_in, Signal.TRACES),
    )

    def try_(content: bytes) -> None:
        for read in readers:
            try:
                read(content)
            except MalformedRequest:  # noqa: PERF203 - each reader on its own
                continue

    return try_


def _verdicts(_: Path) -> Callable[[bytes], None]:
    decoder = FastDecoder(lambda _: NAMES)
    said = KeyValue(key="ml.verdict.confidence")
    said.value.string_value = "low"
    body = said.SerializeToString()
    additions = [b"\x4a" + bytes([len(body)]) + body, b"\x4a\x03\x0a\x01x" * 60]

    def try_(content: bytes) -> None:
        try:
            spans = decoder.decode(content).spans
        except MalformedRequest:
            return
        if not len(spans):
            return
        codes = np.arange(len(spans), dtype=np.int64) % 3 - 1
        edits = [(spans[i].place, additions[codes[i]]) for i in np.flatnonzero(codes >= 0).tolist()]
        whole = splice(content, edits)
        assert whole == spliced(
            content, len(content), spans.places, spans.messages, codes, additions
        )
        assert len(decoder.decode(whole).spans) == len(spans), "a span was lost or made"

    return try_


def _aggregate_only(_: Path) -> Callable[[bytes], None]:
    keys = [key.encode() for key in content_keys()]
    nothing: frozenset[str] = frozenset()

    def try_(content: bytes) -> None:
        for signal in (Signal.TRACES, Signal.LOGS):
            try:
                rest, n = stripped(content, signal)
            except MalformedRequest:
                continue
            assert stripped(rest, signal) == (rest, 0), "content was left"
            assert (rest == content) == (n == 0), "something else was changed"
            assert stripped(content, signal, nothing) == (content, 0)
        assert keys

    return try_


def _profiles(folder: Path) -> Callable[[bytes], None]:
    path = folder / "profile.json"

    def try_(content: bytes) -> None:
        path.write_bytes(content)
        try:
            read = read_profile(path)
        except ProfileError:
            return
        Reference.of(read)

    return try_


def _profile_texts() -> list[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "profile.json")
        write_profile(profile(), path)
        return [path.read_bytes()]


def _configurations(folder: Path) -> Callable[[bytes], None]:
    path = folder / "processor.yaml"

    def try_(content: bytes) -> None:
        path.write_bytes(content)
        try:
            config = load_config(path)
        except ConfigError:
            return
        path.write_text(configuration_text(config))

    return try_


def _configuration_texts() -> list[bytes]:
    settings = (
        ["mode=inline", "forward.endpoint=127.0.0.1:4317", "forward.also=[{endpoint: 'a:1'}]"],
        ["tenants={header: x-tenant, profiles: {acme: [a.json]}}", "segments.attributes=[region]"],
        [
            "windows=[{name: rows, rows: 500}, {name: d, length: 1d, pane: 1h}]",
            "models=[{name: a*}]",
        ],
    )
    texts = [configuration_text(load_config(None, one)) for one in ([], *settings)]
    shorter = [b"mode: ${env:MODE:-tee}\nstate: {directory: s, journal: on}\nstreams: {max: 3}\n"]
    return [*(text.encode() for text in texts), *shorter]


def _snapshots(folder: Path) -> Callable[[bytes], None]:
    path = folder / "snapshot"
    reference = Reference.of(profile())

    def try_(content: bytes) -> None:
        path.write_bytes(content)
        try:
            read_sealed(path)
        except UnusableFileError:
            # Its checksum is right, and what is in it is not.
            write_sealed(path, [content, b"\0" * 8])
        try:
            stored = read_snapshot(path)
        except UnusableFileError:
            return
        for stream in stored.snapshot.streams:
            try:
                stream.copy(lambda _: reference)
            except ValueError:  # noqa: PERF203 - each stream on its own
                continue

    return try_


def _snapshot_texts() -> list[bytes]:
    return [
        read_sealed(_state_folder() / "snapshot")[0],
        (_state_folder() / "snapshot").read_bytes(),
    ]


def _journals(folder: Path) -> Callable[[bytes], None]:
    path = folder / "journal"
    reference = Reference.of(profile())
    journal = Journal(folder / "begun")
    journal.close()
    begun = (folder / "begun").read_bytes()

    def try_(content: bytes) -> None:
        for text in (content, begun + b"".join(_framed(msgspec.Raw(content)))):  # type: ignore[arg-type] # bytes in place of a record
            path.write_bytes(text)
            for record in read_journal(path).records:
                for each in record.increments:
                    try:
                        each.increment(lambda _: reference)
                    except ValueError:  # noqa: PERF203 - each increment on its own
                        continue

    return try_


def _journal_texts() -> list[bytes]:
    path = next(_state_folder().glob("journal*"))
    return [path.read_bytes(), *(msgspec.msgpack.encode(one) for one in read_journal(path).records)]


@functools.cache
def _state_folder() -> Path:
    """Return the folder of a processor that was killed after some requests."""
    folder = Path(tempfile.mkdtemp())
    house = House(folder, journal=True)
    house.take(counted_request(range(50)))
    house.save()
    house.take(counted_request(range(50, 60)), counted_request(range(60, 64), model="churn"))
    house.vanish()
    return folder


TARGETS: Final = {
    "decoders": Target("plain and compiled decoder say the same", _decoders, _requests),
    "http-json": Target("OTLP as JSON", _http_json, _json_requests),
    "feedback": Target(
        "feedback and explanations in logs and spans",
        _feedback,
        lambda: [*_log_requests(), *_requests()],
    ),
    "verdicts": Target("verdicts spliced in, compiled and plain the same", _verdicts, _requests),
    "aggregate-only": Target(
        "content taken out, all of it and nothing else",
        _aggregate_only,
        lambda: [*_requests(), *_log_requests()],
    ),
    "profiles": Target("a profile's file", _profiles, _profile_texts),
    "configurations": Target("a configuration's file", _configurations, _configuration_texts),
    "snapshots": Target("a snapshot's file", _snapshots, _snapshot_texts),
    "journals": Target("a journal's file", _journals, _journal_texts),
}
"""By name, in the order in which they are tried."""
