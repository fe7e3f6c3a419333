"""The composition root: makes every part and hands each what it needs; nothing else knows who is behind a callable."""

from __future__ import annotations

import logging
import os
import time
from functools import partial
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import grpc

from otel_ml_conventions.metrics import (
    METRIC_ML_PROCESSOR_EXPORT_FAILED,
    METRIC_ML_PROCESSOR_FAILURES,
    METRIC_ML_PROCESSOR_OVERFLOW,
    METRIC_ML_PROCESSOR_REFUSED,
    METRIC_ML_PROCESSOR_UNANNOTATED,
    METRIC_ML_PROCESSOR_UNDECODED,
)
from otel_ml_processor.assess.promise import Promises, told
from otel_ml_processor.decode.compiled import IS_COMPILED
from otel_ml_processor.decode.decoder import Cause
from otel_ml_processor.decode.fast import FastDecoder, warm
from otel_ml_processor.decode.spans import PlainDecoder
from otel_ml_processor.emit.annotations import UnannotatedCause
from otel_ml_processor.emit.metrics import SERIES_BUDGET, MetricBook
from otel_ml_processor.emit.otlp import Identity, metrics_requests
from otel_ml_processor.emit.outlet import Outlet
from otel_ml_processor.emit.page import ProcessorFacts
from otel_ml_processor.emit.pages import pages
from otel_ml_processor.emit.push import Pusher
from otel_ml_processor.emit.server import HttpServer
from otel_ml_processor.errors import ConfigError
from otel_ml_processor.forward.deadline import forward_timeout
from otel_ml_processor.forward.otlp_client import LOGS, METRICS, TRACES, OtlpClient
from otel_ml_processor.forward.tls import channel_credentials, channel_options
from otel_ml_processor.pipeline import STEPS, Emit, NextHop, Pipeline
from otel_ml_processor.profile import read_profile
from otel_ml_processor.receive.grpc_server import GrpcServer
from otel_ml_processor.refusal import RefusalCause
from otel_ml_processor.self_metrics import SelfMetrics
from otel_ml_processor.windows.references import References
from otel_ml_processor.windows.streams import Streams

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from otel_ml_processor.columns import StreamKey
    from otel_ml_processor.config import Client, Config

__all__ = ["Service", "load_references", "make_pipeline", "new_self_metrics"]

_LOGGER: Final = logging.getLogger(__name__)
_COMPRESSION: Final = {
    "none": grpc.Compression.NoCompression,
    "gzip": grpc.Compression.Gzip,
}
_DECODER: Final = FastDecoder if IS_COMPILED else PlainDecoder
_DEFAULT_PUSH: Final = "127.0.0.1:14319"
_PUSH_TIMEOUT_S: Final = 5.0
_GRACE_S: Final = 10.0
_FLUSH_S: Final = 10.0


class Service:
    """
    A processor that can be started, told that time has passed, and stopped.

    Raises:
        ConfigError: If parts of *config* contradict each other.
        ProfileError: If a profile cannot be used.
    """

    def __init__(self, config: Config, folder: Path) -> None:
        self._config = config
        self._folder = folder
        self._references = load_references(config, folder)
        profiles = self._references.profiles.values()
        self._promises = Promises.of(config.drift, config.windows, profiles)
        self._self_metrics = new_self_metrics()
        self._book = MetricBook(
            windows=tuple(self._promises.alphas),
            scores=config.drift.scores,
            self_metrics=self._self_metrics,
        )
        self._identity = Identity()
        self._pusher = self._make_pusher()
        self._next_hop = (
            self._client(config.forward, config.forward.endpoint, TRACES, "$.forward")
            if config.forward
            else None
        )
        self._pipeline = self._make_pipeline()
        self._receiver = GrpcServer(
            config.receive,
            self._pipeline.take,
            self._self_metrics,
            folder=folder,
            insecure_bind=config.insecure_bind,
        )
        self._is_ready = False
        facts = ProcessorFacts(config.mode, config.receive.endpoint, self._identity.version)
        page = pages(self._book, facts, lambda: self._is_ready)
        self._http = HttpServer(config.http.endpoint, page, insecure_bind=config.insecure_bind)

    def start(self) -> None:
        """
        Serve, or, where an address cannot be listened on, start nothing.

        Raises:
            ConfigError: Naming the address that is in use.
        """
        self._http.start()
        try:
            self._receiver.bind()
        except ConfigError:
            self._http.stop()
            raise
        _prepare_decoder()
        self._receiver.start()
        self._pusher.start()
        self._is_ready = True
        self._say_what_is_promised()
        _LOGGER.info(
            "mode %s; OTLP/gRPC on %s; page, /metrics and /readings on http://%s/",
            self._config.mode,
            self._config.receive.endpoint,
            self._http.endpoint,
        )

    def tick(self) -> None:
        """Let time pass: close and assess windows."""
        self._pipeline.tick(time.time_ns())

    def stop(self) -> None:
        """Refuse new requests, end those in flight, assess what is still open, push it, and let go of everything."""
        self._is_ready = False
        self._receiver.stop(_GRACE_S)
        self._pipeline.finish()
        if not self._pusher.flush(_FLUSH_S):
            _LOGGER.warning("some metrics or events were not delivered before the end")
        self._http.stop()
        if self._next_hop is not None:
            self._next_hop.close()
        _LOGGER.info("stopped")

    def _make_pusher(self) -> Pusher:
        endpoint = _push_endpoint(self._config)
        send = {
            method: self._client(self._config.emit, endpoint, method, "$.emit")
            for method in (METRICS, LOGS, TRACES)
        }
        return Pusher(
            metrics=lambda: metrics_requests(self._book.collect(), self._identity, time.time_ns()),
            send_metrics=partial(send[METRICS].send, timeout_s=_PUSH_TIMEOUT_S),
            send_logs=partial(send[LOGS].send, timeout_s=_PUSH_TIMEOUT_S),
            send_traces=partial(send[TRACES].send, timeout_s=_PUSH_TIMEOUT_S),
            interval_s=self._config.emit.interval,
            count_failure=partial(self._self_metrics.add, METRIC_ML_PROCESSOR_EXPORT_FAILED),
        )

    def _client(self, config: Client, endpoint: str, method: str, place: str) -> OtlpClient:
        tls = channel_credentials(config.tls, self._folder, place) if config.tls else None
        return OtlpClient(
            endpoint,
            method,
            tls=tls,
            headers=config.headers,
            compression=_COMPRESSION[config.compression],
            options=channel_options(config.tls),
        )

    def _make_pipeline(self) -> Pipeline:
        config, references = self._config, self._references
        outlet = Outlet(
            book=self._book,
            pusher=self._pusher,
            identity=self._identity,
            self_metrics=self._self_metrics,
            effect_floor=config.drift.effect_floor,
            max_annotated_bytes=config.forward.max_message if config.forward else 0,
            verdicts_per_second=config.verdicts.per_second,
            register=self._introduce,
        )
        return make_pipeline(
            config,
            references,
            self._promises,
            forward=self._forward if config.forward else None,
            emit=outlet,
            self_metrics=self._self_metrics,
            clock_ns=time.time_ns,
        )

    def _forward(self, request: bytes, remaining_s: float | None) -> bytes:
        if self._next_hop is None or self._config.forward is None:
            return b""
        timeout_s = forward_timeout(remaining_s, self._config.forward.timeout)
        return self._next_hop.send(request, timeout_s)

    def _introduce(self, stream: StreamKey) -> None:
        profile = self._references.profile(stream)
        if profile is None:
            _LOGGER.info(
                "new stream %s: no profile, so no drift; predictions and confidence are counted",
                stream,
            )
            return
        _LOGGER.info("new stream %s: compared with profile %s", stream, profile.id[:19])
        self._book.register(stream, profile, self._promises.measured_rates(profile.id))

    def _say_what_is_promised(self) -> None:
        floor = self._config.drift.effect_floor
        for profile in self._references.profiles.values():
            for window, alpha in self._promises.alphas.items():
                for is_broken, text in told(profile, window, alpha, floor):
                    _LOGGER.log(logging.WARNING if is_broken else logging.INFO, "%s", text)


def _prepare_decoder() -> None:
    if not IS_COMPILED:
        _LOGGER.info("decoder: plain; the extra `fast` (numba) makes it some ten times as fast")
        return
    begin = time.monotonic()
    warm()
    _LOGGER.info("decoder: compiled; ready after %.1f s", time.monotonic() - begin)


def make_pipeline(
    config: Config,
    references: References,
    promises: Promises,
    *,
    forward: NextHop | None,
    emit: Emit,
    self_metrics: SelfMetrics,
    clock_ns: Callable[[], int],
) -> Pipeline:
    """Return the spine with all that it is made of, as *config* says."""
    low_confidence = config.verdicts.low_confidence
    return Pipeline(
        config=config,
        decoder=_DECODER(references.features),
        streams=Streams(config.streams, config.windows, references.reference, low_confidence),
        reference_of=references.reference,
        promises=promises,
        forward=forward,
        emit=emit,
        self_metrics=self_metrics,
        clock_ns=clock_ns,
    )


def load_references(config: Config, folder: Path) -> References:
    """
    Return the profiles of *config*, whose paths are relative to *folder*.

    Raises:
        ProfileError: If one cannot be used.
    """
    paths = [folder / name for name in config.profiles]
    return References.of((str(path), read_profile(path)) for path in paths)


def new_self_metrics() -> SelfMetrics:
    """Return the counters of a processor, with every cause that there is."""
    return SelfMetrics(
        {
            METRIC_ML_PROCESSOR_UNDECODED: Cause,
            METRIC_ML_PROCESSOR_UNANNOTATED: UnannotatedCause,
            METRIC_ML_PROCESSOR_REFUSED: RefusalCause,
            METRIC_ML_PROCESSOR_FAILURES: STEPS,
            METRIC_ML_PROCESSOR_OVERFLOW: ["streams", SERIES_BUDGET],
        }
    )


def _push_endpoint(config: Config) -> str:
    """
    Return host:port of whoever takes our own telemetry.

    Raises:
        ConfigError: If that is our own receiver: what we say would come back to us.
    """
    said = urlsplit(os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", ""))
    endpoint = config.emit.endpoint or said.netloc or _DEFAULT_PUSH
    if endpoint == config.receive.endpoint:
        where = "$.emit.endpoint" if config.emit.endpoint else "OTEL_EXPORTER_OTLP_ENDPOINT"
        message = f"{where}: expected another address than that of our own receiver, got {endpoint}"
        raise ConfigError(message)
    return endpoint
