"""The composition root: makes every part and hands each what it needs; nothing else knows who is behind a callable."""

from __future__ import annotations

import logging
import os
import time
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from msgspec import structs

from otel_ml_conventions.metrics import (
    METRIC_ML_PROCESSOR_EXPORT_FAILED,
    METRIC_ML_PROCESSOR_FAILURES,
    METRIC_ML_PROCESSOR_OVERFLOW,
    METRIC_ML_PROCESSOR_REFUSED,
    METRIC_ML_PROCESSOR_STRIPPED,
    METRIC_ML_PROCESSOR_UNANNOTATED,
    METRIC_ML_PROCESSOR_UNDECODED,
)
from otel_ml_processor.assess.confidence import confidence_budget
from otel_ml_processor.assess.promise import Promises, told, told_of_evidence
from otel_ml_processor.compiled import IS_COMPILED
from otel_ml_processor.config import ClientTls
from otel_ml_processor.decode.decoder import Cause
from otel_ml_processor.decode.fast import FastDecoder
from otel_ml_processor.decode.items import n_log_records, n_metric_points, n_spans
from otel_ml_processor.decode.spans import PlainDecoder
from otel_ml_processor.decode.strip import stripped
from otel_ml_processor.emit.annotations import UnannotatedCause
from otel_ml_processor.emit.confidence_samples import ConfidenceSamples
from otel_ml_processor.emit.feature_bins import FeatureBins
from otel_ml_processor.emit.metrics import SERIES_BUDGET, MetricBook
from otel_ml_processor.emit.otlp import Identity, metrics_requests
from otel_ml_processor.emit.outlet import Outlet
from otel_ml_processor.emit.page import ProcessorFacts
from otel_ml_processor.emit.pages import pages
from otel_ml_processor.emit.push import Pusher
from otel_ml_processor.emit.server import HttpServer
from otel_ml_processor.emit.webhook import Webhook
from otel_ml_processor.endpoint import leads_to
from otel_ml_processor.errors import ConfigError, ProfileError
from otel_ml_processor.feedback.explaining import DROPPED_EXPLANATIONS, Explaining
from otel_ml_processor.feedback.joining import DROPPED_FEEDBACK, Joining
from otel_ml_processor.forward.forwarding import Forwarding, grpc_client
from otel_ml_processor.learn.learned_files import LearnedFiles
from otel_ml_processor.learn.learner import Learner
from otel_ml_processor.pass_through import PassThrough
from otel_ml_processor.pipeline import STEPS, STRANGERS, UNTOLD, Emit, Pipeline
from otel_ml_processor.profile_sources import ProfileSources
from otel_ml_processor.receive.door import ByTenant
from otel_ml_processor.receive.doors import Doors
from otel_ml_processor.receive.repeats import Repeats
from otel_ml_processor.refusal import RefusalCause
from otel_ml_processor.self_metrics import SelfMetrics
from otel_ml_processor.signals import Signal
from otel_ml_processor.state.folder import LEARNED
from otel_ml_processor.state.keeper import STATE_STEPS, Keeper, Kept
from otel_ml_processor.state.ledger import Ledger
from otel_ml_processor.state.seen_spans import SeenSpans
from otel_ml_processor.warm import prepare_decoder
from otel_ml_processor.windows.divided import Divisions
from otel_ml_processor.windows.references import References
from otel_ml_processor.windows.streams import Streams

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from otel_ml_processor.columns import StreamKey
    from otel_ml_processor.config import Client, Config
    from otel_ml_processor.pass_through import NextHop
    from otel_ml_processor.receive.door import Takes

__all__ = ["Service", "load_references", "make_pipeline", "new_self_metrics"]

_LOGGER: Final = logging.getLogger(__name__)
_COUNTS: Final = {
    Signal.TRACES: n_spans,
    Signal.METRICS: n_metric_points,
    Signal.LOGS: n_log_records,
}
_DECODER: Final = FastDecoder if IS_COMPILED else PlainDecoder
_DEFAULT_PUSH: Final = "127.0.0.1:14319"
_PUSH_TIMEOUT_S: Final = 5.0
_GRACE_S: Final = 10.0
_TICK: Final = "tick"
"""The cause under which `ml.processor.failures` counts what fails as time passes and no step has contained."""
_FLUSH_S: Final = 10.0


class Service:
    """
    A processor that can be started, told that time has passed, and stopped.

    It compares with the profiles of *config*, or with what *before*, of the same configuration, has compared with: their files may be gone by now.

    Raises:
        ConfigError: If parts of *config* contradict each other.
        ProfileError: If a profile cannot be used.
    """

    def __init__(self, config: Config, folder: Path, before: Service | None = None) -> None:
        self._config = config
        self._folder = folder
        self._sources = ProfileSources(config.profiles, folder, config.profiles_of_tenants)
        self._references: References = (
            before._references if before else References.of(*self._sources.read_all())  # noqa: SLF001 - one of its kind
        )
        self._learner = _learner(config, folder, self._references)
        self._promises = self._tested_promises()
        self._told: set[str] = set()
        self._mistakes: set[type[Exception]] = set()
        self._self_metrics = new_self_metrics()
        self._bins = FeatureBins() if config.emit.feature_bins else None
        self._confidences = ConfidenceSamples(config.max_streams)
        self._book = MetricBook(
            windows=tuple(self._promises.alphas),
            scores=_scores(config),
            self_metrics=self._self_metrics,
            bins=self._bins,
            confidences=self._confidences,
        )
        self._identity = Identity()
        self._pusher = self._make_pusher()
        self._forwarding = (
            Forwarding(config.forward, _COUNTS, self._self_metrics, folder)
            if config.forward
            else None
        )
        webhook = config.emit.webhook
        self._webhook = Webhook(webhook, folder, self._self_metrics) if webhook else None
        self._outlet = self._make_outlet()
        self._joining = Joining(
            config,
            self._references.reference,
            self._outlet,
            self._counts_overflow(DROPPED_FEEDBACK),
        )
        self._explaining = Explaining(
            self._references.reference,
            lambda s: [w.name for w in config.of_model(s.model, s.version).windows],
            config.max_streams,
            config.tenant_attribute,
            self._joining.streams_of,
            round(config.feedback.early * 1e9),
            lambda s: s in self._pipeline.ledger.streams,
            self._counts_overflow(DROPPED_EXPLANATIONS),
        )
        self._pipeline = self._make_pipeline()
        self._keeper = self._make_keeper()
        self._passing = {
            signal: PassThrough(signal, _COUNTS[signal], self._next_hop(signal), self._self_metrics)
            for signal in (Signal.METRICS, Signal.LOGS)
        }
        header = config.tenants.header if config.tenants else None
        by_tenant = ByTenant(header, self._takes) if header else None
        self._doors = Doors(config, self._takes(), self._self_metrics, folder, by_tenant)
        self._is_ready = False
        http = config.receive.http.endpoint if config.receive.http else ""
        facts = ProcessorFacts(config.mode, config.receive.endpoint, self._identity.version, http)
        page = pages(self._book, facts, lambda: self._is_ready)
        self._http = HttpServer(config.http.endpoint, page, insecure_bind=config.insecure_bind)

    def start(self, before_receiving: Callable[[], None] = lambda: None) -> None:
        """
        Serve, or, where an address cannot be listened on, start nothing.

        Until *before_receiving* is called nothing has been received: whoever ends the process loses nothing.

        Raises:
            ConfigError: Naming the address, or the folder of the state, that is in use.
        """
        self._recall()
        if self._keeper is not None:
            self.tick()  # what was brought back is told before anybody can ask
        try:
            self._listen()
        except ConfigError:
            if self._keeper is not None:
                self._keeper.close()
            if self._forwarding is not None:
                self._forwarding.close(0)
            raise
        prepare_decoder()
        before_receiving()
        self._doors.start()
        self._pusher.start()
        if self._webhook is not None:
            self._webhook.start()
        self._is_ready = True
        self._say_what_is_promised()
        http = self._config.receive.http
        _LOGGER.info(
            "mode %s; OTLP/gRPC on %s, OTLP/HTTP %s; page, /metrics and /readings on http://%s/",
            self._config.mode,
            self._config.receive.endpoint,
            f"on {http.endpoint}" if http else "off",
            self._http.endpoint,
        )

    def _recall(self) -> None:
        """Bring back what has been learned and what was kept; the promises of what was learned first, for windows are assessed with them."""
        if self._learner is not None:
            self._learner.recall()
        if self._references.n_learned:
            self._promises = self._tested_promises()
            self._pipeline.refer_anew(self._promises, time.time_ns())
        if self._keeper is not None:
            self._keeper.restore()

    def _listen(self) -> None:
        self._http.start()
        try:
            self._doors.bind()
        except ConfigError:
            self._http.stop()
            raise

    def tick(self) -> None:
        """Let time pass: close and assess windows. A mistake of ours is said once and counted; whoever sends traces is served on."""
        self._do(lambda: self._pipeline.tick(time.time_ns()))
        self._do(self._look_at_profiles)
        if self._keeper is not None:
            self._do(self._keeper.save_if_due)

    def _do(self, step: Callable[[], None]) -> None:
        try:
            step()
        except Exception as error:  # without the next tick no window is closed any more
            self._self_metrics.add(METRIC_ML_PROCESSOR_FAILURES, cause=_TICK)
            if type(error) not in self._mistakes:
                self._mistakes.add(type(error))
                _LOGGER.exception("a tick failed; further ones are counted")

    def _look_at_profiles(self) -> None:
        """Read profiles that have changed again, and go on learning others; compare with what there is now."""
        now_ns = time.time_ns()
        is_changed = self._sources.have_changed() and self._have_reread()
        grown = self._learner.settle(now_ns) if self._learner is not None else []
        for stream in grown:
            self._register(stream)
        if is_changed or grown:
            self._refer_anew(now_ns)

    def _have_reread(self) -> bool:
        try:
            self._references.replace(*self._sources.read_all())
        except ProfileError as error:
            _LOGGER.error("%s; the profiles before stay in force", error)  # noqa: TRY400 - one line, as at the start
            return False
        _LOGGER.info("profiles were read again")
        return True

    def _refer_anew(self, now_ns: int) -> None:
        self._promises = self._tested_promises()
        self._say_what_is_promised()
        changed = self._pipeline.refer_anew(self._promises, now_ns)
        for stream in changed:
            self._introduce(stream)
        if changed and self._keeper is not None:
            self._keeper.save()  # windows that are kept belong to the reference that is in force

    def _tested_promises(self) -> Promises:
        profiles = self._references.profiles.values()
        return Promises.of_config(self._config, profiles)

    def stop(self) -> None:
        """Leave everything to others, and then deliver what is left to say."""
        self.leave()
        self.flush()
        _LOGGER.info("stopped")

    def leave(self) -> None:
        """Refuse new requests, end those in flight, keep what is still open or assess it, and let go of all addresses and of the state."""
        self._is_ready = False
        self._doors.stop(_GRACE_S)
        self._pipeline.ledger.count()
        if self._learner is not None:
            self._learner.close()
        if self._keeper is None:
            self._do(self._pipeline.finish)
        else:  # windows go on after the restart
            self._do(lambda: self._pipeline.tick(time.time_ns()))
        self._do(lambda: self._pipeline.join_last(time.time_ns()))
        if self._keeper is not None:  # what is counted now is told, and counted on from
            self._do(self._keeper.close)
        self._http.stop()

    def flush(self) -> None:
        """Push what is known, and let go of everything, whatever does not take it in time."""
        if not self._pusher.flush(_FLUSH_S):
            _LOGGER.warning("some metrics or events were not delivered before the end")
        if self._webhook is not None:
            self._webhook.close(_FLUSH_S)
        if self._forwarding is not None:
            self._forwarding.close(_GRACE_S)

    def _make_keeper(self) -> Keeper | None:
        if self._config.state.directory is None:
            return None
        kept = Kept(
            self._pipeline.ledger,
            self._pipeline.states,
            self._book,
            self._references.reference,
            self._self_metrics,
            self._pipeline,
            self._joining,
            self._outlet.labels,
            self._pipeline.patterns,
            self._explaining,
        )
        return Keeper(self._config.state, self._folder / self._config.state.directory, kept)

    def _make_pusher(self) -> Pusher:
        endpoint, client = _push_target(self._config)
        send = {
            signal: grpc_client(client, endpoint, signal.method, self._folder, "$.emit")
            for signal in Signal
        }
        return Pusher(
            metrics=lambda: metrics_requests(self._book.collect(), self._identity, time.time_ns()),
            send_metrics=partial(send[Signal.METRICS].send, timeout_s=_PUSH_TIMEOUT_S),
            send_logs=partial(send[Signal.LOGS].send, timeout_s=_PUSH_TIMEOUT_S),
            send_traces=partial(send[Signal.TRACES].send, timeout_s=_PUSH_TIMEOUT_S),
            interval_s=self._config.emit.interval,
            count_failure=partial(self._self_metrics.add, METRIC_ML_PROCESSOR_EXPORT_FAILED),
        )

    def _takes(self, tenant: str = "") -> Takes:
        """Return who takes what of a tenant: traces are read, all else goes by."""
        return {
            Signal.TRACES: partial(self._pipeline.take, tenant=tenant),
            Signal.METRICS: self._passing[Signal.METRICS].take,
            Signal.LOGS: partial(self._take_logs, self._passing[Signal.LOGS], tenant=tenant),
        }

    def _take_logs(
        self, way: PassThrough, request: bytes, remaining_s: float | None, tenant: str = ""
    ) -> bytes:
        """Pass *request* on; then, and only where it was delivered, keep what it says of predictions for the next tick."""
        response = way.take(request, remaining_s)
        self._joining.inbox.hear(Signal.LOGS, request, tenant)
        self._explaining.hear(Signal.LOGS, request, tenant)
        return response

    def _next_hop(self, signal: Signal) -> NextHop | None:
        if self._forwarding is None:
            return None
        forward = self._forwarding.send[signal]
        if self._config.privacy == "as_received":
            return forward

        def forward_without_content(request: bytes, remaining_s: float | None) -> bytes:
            rest, n_stripped = stripped(request, signal)
            self._self_metrics.add(METRIC_ML_PROCESSOR_STRIPPED, n_stripped)
            return forward(rest, remaining_s)

        return forward_without_content

    def _make_outlet(self) -> Outlet:
        config = self._config
        return Outlet(
            book=self._book,
            pusher=self._pusher,
            identity=self._identity,
            self_metrics=self._self_metrics,
            effect_floor=lambda s: config.of_model(s.model, s.version).drift.effect_floor,
            max_annotated_bytes=config.forward.max_message if config.forward else 0,
            verdicts_per_second=config.verdicts.per_second,
            register=self._introduce,
            webhook=self._webhook,
        )

    def _make_pipeline(self) -> Pipeline:
        return make_pipeline(
            self._config,
            self._references,
            self._promises,
            forward=self._next_hop(Signal.TRACES),
            emit=self._outlet,
            self_metrics=self._self_metrics,
            clock_ns=time.time_ns,
            joining=self._joining,
            explaining=self._explaining,
            bins=self._bins,
            confidences=self._confidences,
            learner=self._learner,
        )

    def _counts_overflow(self, cause: str) -> Callable[[int], None]:
        return partial(self._self_metrics.add, METRIC_ML_PROCESSOR_OVERFLOW, cause=cause)

    def _introduce(self, stream: StreamKey) -> None:
        profile = self._references.profile(stream)
        if profile is None:
            is_learned = self._learner is not None and self._learner.learns(stream)
            rows = self._config.bootstrap.rows if self._config.bootstrap and is_learned else 0
            what = f"no profile yet, its first {rows} rows are learned" if rows else "no profile"
            _LOGGER.info(
                "new stream %s: %s, so no drift; predictions and confidence are counted",
                stream,
                what,
            )
            return
        _LOGGER.info(
            "new stream %s: compared with %sprofile %s%s",
            stream,
            "provisional " if profile.provisional else "",
            profile.id[:19],
            f" of version {profile.version}" if profile.version != stream.version else "",
        )
        self._register(stream)

    def _register(self, stream: StreamKey) -> None:
        profile = self._references.profile(stream)
        if profile is not None:
            own = self._config.of_model(stream.model, stream.version)
            low_confidence = own.verdicts.low_confidence
            self._book.register(
                stream,
                profile,
                self._promises.measured_rates(profile.id),
                budget=confidence_budget(self._references.reference(stream), low_confidence),
            )

    def _say_what_is_promised(self) -> None:
        """Say of every profile that is new here what its own windows did, beside what is promised."""
        for profile in self._references.profiles.values():
            if profile.provisional or profile.id in self._told:
                continue
            self._told.add(profile.id)
            drift = self._config.of_model(profile.model, profile.version).drift
            alphas = self._promises.of_model(profile.model, profile.version).alphas
            of_windows = (
                told(profile, window, alpha, drift.effect_floor, drift.calibration)
                for window, alpha in alphas.items()
            )
            of_evidence = told_of_evidence(profile, drift.windows_between_alarms)
            for is_broken, text in chain(*of_windows, of_evidence):
                _LOGGER.log(logging.WARNING if is_broken else logging.INFO, "%s", text)


def make_pipeline(
    config: Config,
    references: References,
    promises: Promises,
    *,
    forward: NextHop | None,
    emit: Emit,
    self_metrics: SelfMetrics,
    clock_ns: Callable[[], int],
    joining: Joining | None = None,
    explaining: Explaining | None = None,
    bins: FeatureBins | None = None,
    confidences: ConfidenceSamples | None = None,
    learner: Learner | None = None,
) -> Pipeline:
    """Return the spine with all that it is made of, as *config* says."""
    low_confidence = config.verdicts.low_confidence
    ledger = Ledger(
        streams=Streams(
            config.streams,
            config.windows,
            references.reference,
            low_confidence,
            Divisions.of(config),
            config if config.models else None,
            config.tenants.max if config.tenants else None,
        ),
        spans=SeenSpans(config.receive.repeats),
        repeats=Repeats(config.receive.repeats),
        self_metrics=self_metrics,
        clock_ns=clock_ns,
    )
    return Pipeline(
        config=config,
        decoder=_DECODER(
            (learner or references).features,
            config.segments.attributes,
            config.tenant_attribute,
            references.classes,
        ),
        ledger=ledger,
        reference_of=references.reference,
        promises=promises,
        forward=forward,
        emit=emit,
        self_metrics=self_metrics,
        joining=joining,
        explaining=explaining,
        bins=bins,
        confidences=confidences,
        learner=learner,
    )


def _scores(config: Config) -> tuple[str, ...]:
    """Return what any model is to have exported; each exports what is computed of it."""
    own = [config.with_own(entry).drift.scores for entry in config.models]
    return tuple(dict.fromkeys(score for scores in (config.drift.scores, *own) for score in scores))


def _learner(config: Config, folder: Path, references: References) -> Learner | None:
    if config.bootstrap is None:
        return None
    state = config.state.directory
    files = LearnedFiles(None if state is None else folder / state / LEARNED)
    most, silent_s = config.max_streams, config.streams.silent
    return Learner(config.bootstrap, config.drift, references, files, most, silent_s)


def load_references(config: Config, folder: Path) -> References:
    """
    Return the profiles of *config*, whose paths are relative to *folder*.

    Raises:
        ProfileError: If one cannot be used.
    """
    sources = ProfileSources(config.profiles, folder, config.profiles_of_tenants)
    return References.of(*sources.read_all())


def new_self_metrics() -> SelfMetrics:
    """Return the counters of a processor, with every cause that there is."""
    return SelfMetrics(
        {
            METRIC_ML_PROCESSOR_UNDECODED: Cause,
            METRIC_ML_PROCESSOR_UNANNOTATED: UnannotatedCause,
            METRIC_ML_PROCESSOR_REFUSED: RefusalCause,
            METRIC_ML_PROCESSOR_FAILURES: (*STEPS, *STATE_STEPS, _TICK),
            METRIC_ML_PROCESSOR_OVERFLOW: [
                "streams",
                STRANGERS,
                UNTOLD,
                SERIES_BUDGET,
                DROPPED_FEEDBACK,
                DROPPED_EXPLANATIONS,
            ],
        }
    )


def _push_target(config: Config) -> tuple[str, Client]:
    """
    Return host:port of whoever takes our own telemetry, and how they are spoken to: over TLS where the environment says `https`.

    Raises:
        ConfigError: If that is our own receiver: what we say would come back to us.
    """
    if config.emit.endpoint is not None:
        return config.emit.endpoint, config.emit
    said = os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "")
    # Over gRPC it may be said without a scheme.
    url = urlsplit(said if "//" in said else f"//{said}")
    endpoint = url.netloc or _DEFAULT_PUSH
    http = config.receive.http
    ours = [config.receive.endpoint, *([http.endpoint] if http else [])]
    if any(leads_to(endpoint, own) for own in ours):
        message = (
            "OTEL_EXPORTER_OTLP_ENDPOINT: expected another address than that of our own receiver, "
            f"got {endpoint}; say another one, or `emit.endpoint`"
        )
        raise ConfigError(message)
    needs_tls = url.scheme == "https" and config.emit.tls is None
    client = structs.replace(config.emit, tls=ClientTls()) if needs_tls else config.emit
    return endpoint, client
