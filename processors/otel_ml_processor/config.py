"""
Every setting of the processor: one frozen struct per room, with the defaults beside the fields.

A duration is written `500ms`, `30s`, `5m`, `1h` or `7d`; a size `64KiB`, `64MiB` or `1GiB` (or bytes, without a unit). Any text may
hold `${env:NAME}` or `${env:NAME:-default}`.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import msgspec
from msgspec import Meta

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "SECONDS",
    "BootstrapConfig",
    "Client",
    "ClientTls",
    "ConfidenceConfig",
    "Config",
    "CopyConfig",
    "Destination",
    "Door",
    "DriftConfig",
    "DriftScore",
    "Duration",
    "EmitConfig",
    "FeedbackConfig",
    "ForwardConfig",
    "HttpConfig",
    "HttpDoor",
    "LogsConfig",
    "ModelConfig",
    "PerformanceConfig",
    "ReceiveConfig",
    "Secret",
    "SegmentsConfig",
    "ServerTls",
    "Size",
    "StateConfig",
    "StreamsConfig",
    "TenantsConfig",
    "VerdictConfig",
    "WebhookConfig",
    "WindowConfig",
    "room_in",
]

SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_LONGEST_S = 36_500 * 86_400
"""A century: in nanoseconds it is a number of 64 bits."""
_BYTES = {"": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


class Duration(float):
    """A length of time in seconds, written with its unit."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: object) -> Duration:
        """Return the duration that *text* says; ValueError if it says none."""
        found = (
            re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", text) if isinstance(text, str) else None
        )
        if found is None:
            raise ValueError(
                f"expected a duration such as '500ms', '30s', '5m', '1h' or '7d', got {text!r}"
            )
        duration = cls(float(found[1]) * SECONDS[found[2]])
        if duration > _LONGEST_S:
            raise ValueError(f"expected a duration of at most 36500d, got {text!r:.60}")
        return duration

    def __str__(self) -> str:
        unit = next((u for u, s in reversed(SECONDS.items()) if self >= s), "ms")
        return f"{self / SECONDS[unit]:g}{unit}"


class Size(int):
    """A number of bytes, written with its unit."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: object) -> Size:
        """Return the size that *text* says; ValueError if it says none."""
        found = (
            re.fullmatch(r"(\d+)(|KiB|MiB|GiB)", str(text)) if not isinstance(text, bool) else None
        )
        if found is None:
            raise ValueError(f"expected a size such as '64KiB', '64MiB' or '1GiB', got {text!r}")
        return cls(int(found[1]) * _BYTES[found[2]])

    def __str__(self) -> str:
        unit = next(u for u, n in reversed(_BYTES.items()) if int(self) % n == 0)
        return f"{int(self) // _BYTES[unit]}{unit}"


class Room(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A part of the configuration; an unknown key is an error."""


class Secret(str):
    """A text that is not shown."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "[REDACTED]"


class ServerTls(Room, frozen=True):
    """Certificates of a receiver, in PEM; files that change are read again, paths are relative to the configuration file."""

    cert_file: str
    """Our certificate, with those that lead to its authority."""
    key_file: str
    """Its private key."""
    client_ca_file: str | None = None
    """Authorities one of which must have signed the certificate of every caller; without them callers need none."""


class ClientTls(Room, frozen=True):
    """Certificates towards a next hop, in PEM; files that change are read again, paths are relative to the configuration file."""

    ca_file: str | None = None
    """Authorities that may have signed the next hop's certificate; by default those that the gRPC library ships."""
    cert_file: str | None = None
    """Our certificate, where the next hop asks for one; needs `key_file`."""
    key_file: str | None = None
    """Its private key."""
    server_name_override: str | None = None
    """The name that the next hop's certificate has, where that is not the host in `endpoint`."""


class Client(Room, frozen=True):
    """How a next hop is spoken to."""

    tls: ClientTls | None = None
    """Over TLS; in the clear without it."""
    headers: dict[str, Secret] = {}
    """Sent with every request, for example `authorization: Bearer ${env:TOKEN}`; names in lower case. Never shown."""
    compression: Literal["none", "gzip"] = "none"
    """What requests are compressed with."""


class Door(Room, frozen=True, kw_only=True):
    """An address where telemetry comes in, and who may send there."""

    endpoint: str
    """Address to listen on; of this machine only, unless there is `tls` or `insecure_bind`."""
    tls: ServerTls | None = None
    """Over TLS; in the clear without it."""
    bearer_token_file: str | None = None
    """A file with the token that every caller has to know (`authorization: Bearer TOKEN`); read again when it changes."""
    basic_auth_file: str | None = None
    """A file with a line `user:password` for each who may send (`authorization: Basic ...`); read again when it changes. Together with
    `bearer_token_file` either will do."""


class HttpDoor(Door, frozen=True, kw_only=True):
    """Where OTLP over HTTP comes in: `/v1/traces`, `/v1/metrics` and `/v1/logs`, protobuf or JSON. Who may send there is said here."""

    endpoint: str = "127.0.0.1:14318"
    """Address to listen on; of this machine only, unless there is `tls` or `insecure_bind`."""


class ReceiveConfig(Door, frozen=True, kw_only=True):
    """Where telemetry comes in (OTLP over gRPC, and over HTTP where `http` is said) and how much at once, all together."""

    endpoint: str = "127.0.0.1:14317"
    """Address of OTLP over gRPC; of this machine only, unless there is `tls` or `insecure_bind`."""
    http: HttpDoor | None = None
    """OTLP over HTTP too, for example `{}`. Without a `receive` in the configuration both doors are open."""
    max_message: Size = Size(64 << 20)
    """Largest request, after decompression, above 0 and below 2GiB; beyond it RESOURCE_EXHAUSTED."""
    max_in_flight: Size = Size(128 << 20)
    """Bytes of all requests being worked on, above 0; beyond it UNAVAILABLE with RetryInfo."""
    threads: Annotated[int, Meta(ge=1)] = 16
    """Requests worked on at once per door, at least 1. Each waits for the next hop, so more hide its latency."""
    repeats: Duration = Duration(600)
    """For so long a request that comes again, byte for byte, is answered as before and neither forwarded nor counted; above 0s. At least
    twice as long as your senders repeat themselves."""


class Destination(Client, frozen=True, kw_only=True):
    """Where telemetry goes on to."""

    endpoint: str
    """host:port of an OTLP receiver; over HTTP with the path before `/v1/traces`, if there is one."""
    protocol: Literal["grpc", "http"] = "grpc"
    """OTLP over gRPC, or over HTTP (protobuf)."""
    timeout: Duration = Duration(10)
    """Longest wait for it when the caller set no deadline; above 0s."""


class CopyConfig(Destination, frozen=True, kw_only=True):
    """A further destination that gets what the next hop gets."""

    delivery: Literal["required", "best_effort"] = "best_effort"
    """`required`: a sender has its acknowledgement when this destination has it too; where only one refuses, the others get the
    request again. `best_effort`: nobody waits, and what does not fit in `queue` is dropped and counted."""
    signals: tuple[Literal["traces", "metrics", "logs"], ...] = ("traces", "metrics", "logs")
    """What it gets."""
    queue: Size = Size(32 << 20)
    """Bytes that wait for a best-effort destination."""


class ForwardConfig(Destination, frozen=True, kw_only=True):
    """The next hop of traces, metrics and logs; needed in mode `inline`, refused in mode `tee`."""

    max_message: Size = Size(4 << 20)
    """What the next hop accepts, above 0; a request that annotations would push beyond it is forwarded as received."""
    also: tuple[CopyConfig, ...] = ()
    """Further destinations."""


class WindowConfig(Room, frozen=True):
    """Disjoint windows of one kind: by event time (`length`) or by number of rows (`rows`), exactly one of the two."""

    name: str
    """What `ml.window.name` says."""
    length: Duration | None = None
    """Of event time (span end), at least 1s; windows start at whole multiples since 1970."""
    pane: Duration | None = None
    """How often numbers of a window of time are fresh: at least 1s, a whole part of `length`; by default its twelfth part, of a day or more the 24th. What is
    decided is decided once per window."""
    rows: int | None = None
    """Every so many samples, at least `min_rows`."""


class StreamsConfig(Room, frozen=True):
    """Which rows are compared together, and how time passes for them."""

    min_rows: Annotated[int, Meta(ge=2)] = 200
    """A time window with fewer rows is carried into the next one; its state is `insufficient`."""
    lateness: Duration = Duration(120)
    """How far behind the newest event time a span may end and still be counted."""
    idle: Duration = Duration(30)
    """After so long without a span, event time goes on with the clock, so that a quiet stream closes its windows."""
    max: Annotated[int, Meta(ge=1)] = 100
    """Streams (service, environment, model, version) that are kept; samples of further ones are counted together, in one stream named `(overflow)`."""
    silent: Duration = Duration(86400)
    """After so long without a span, at least 1m, a stream makes room where a new one needs it, the longest silent first."""


DriftScore = Literal[
    "psi",
    "jensen_shannon",
    "kolmogorov_smirnov",
    "chi_squared",
    "hellinger",
    "kullback_leibler",
    "total_variation",
    "l_infinity",
    "wasserstein",
    "wasserstein_iqr",
]


class TenantsConfig(Room, frozen=True):
    """
    How tenants are told apart: by `header` or by `attribute`, exactly one of the two.

    A stream is then one of its tenant, with a model that another tenant may have too. `streams.max` holds for each tenant.
    """

    header: str | None = None
    """Name of the HTTP header, or of the gRPC metadata, that names the tenant of all that a request holds; in lower case. Whoever may set it
    decides whose the request is: let a gateway set it."""
    attribute: str | None = None
    """Name of the attribute of a resource that names the tenant of its spans, for example `tenant.id`."""
    max: Annotated[int, Meta(ge=1)] = 20
    """Tenants that are kept, at least 1. Samples of no tenant, or of a further one, are counted together, in the stream named `(overflow)`."""
    profiles: dict[str, tuple[str, ...]] = {}
    """Profiles of one tenant only, by its name, each written as in `profiles`; they come before those, which are for all tenants."""


class DriftConfig(Room, frozen=True):
    """The promise, and what is too small to matter."""

    false_alarm_interval: Duration = Duration(30 * 86400)
    """Expected time between false alarms per model, all time windows together; above 0s."""
    false_alarm_rate: Annotated[float, Meta(gt=0, lt=0.5)] = 0.01
    """Promised share of undrifted *row* windows that alarm, in (0, 0.5)."""
    calibration: Literal["auto", "iid", "scaled", "empirical"] = "iid"
    """How p-values are made to keep the promise; see "calibration" in the concepts. `iid`: rows are independent. `scaled`, `empirical`: as the windows of the
    reference vary, where its profile was built with times. `auto`: the strictest that the profile has windows enough for."""
    windows_between_alarms: Annotated[float, Meta(ge=10, le=1e9)] = 1000
    """Promised mean number of undrifted windows between two alarms of slow drift, per stream and window, 10 to 1e9. Larger: later found."""
    effect_floor: Annotated[float, Meta(ge=0, le=100)] = 0.01
    """Smallest debiased PSI that can alarm, 0 to 100; .01 is about a shift of .1 standard deviations."""
    scores: tuple[DriftScore, ...] = ("psi",)
    """Which drift scores are exported per feature; each is one series per feature."""


class SegmentsConfig(Room, frozen=True):
    """Parts of a stream that are watched apart and compared with the rest: regions, kinds of customers, versions of a client."""

    attributes: tuple[str, ...] = ()
    """Names of attributes, of inference spans or of their resource, or of features that are texts; at most 8. Their values leave the processor
    as attributes of metrics, so nothing personal belongs here."""
    max_values: Annotated[int, Meta(ge=1, le=64)] = 16
    """Values of each that are told apart: those of the profile first, then the shorter ones; the rest is `other`. Each is some 30 series
    per window."""


class ConfidenceConfig(Room, frozen=True):
    """How sure the model is."""

    classes: Annotated[int, Meta(ge=1, le=50)] | None = 10
    """Confidence is told for each predicted class too, where there are at most so many; `null`: for all together only. Each class is
    seven series per window."""


class FeedbackConfig(Room, frozen=True):
    """Labels that come later, as events `ml.feedback`: which predictions they can still be of."""

    max: Annotated[int, Meta(ge=1000, le=1_000_000_000)] = 1_000_000
    """Predictions that are kept until their label comes, 1000 to a billion; some 50 bytes each, up to 100 where they have ids, places of features and segments,
    and labels come. Where there are more, a random half is kept, and each that is found counts twice."""
    horizon: Duration = Duration(30 * 86400)
    """A label that comes so long after its prediction is late and says nothing; above 0s."""
    early: Duration = Duration(120)
    """How long feedback waits for its prediction: the two travel on different ways, and the label may be here first."""


class PerformanceConfig(Room, frozen=True):
    """When labels are enough to say how good predictions were."""

    min_labels: Annotated[int, Meta(ge=1)] = 100
    """Labels of a window below which no score is told, >= 1."""
    baseline: Annotated[float, Meta(gt=0, lt=1)] | None = 0.9
    """Part of the reference's score below which a realised one is an alarm, in (0, 1); of errors (mae, rmse ...) above its inverse. A mean confidence that
    drifts is another alarm below that part of the reference's. `null`: none."""
    coverage: Annotated[float, Meta(gt=0, le=1)] = 0.8
    """Share of a window's predictions that must have a label, in (0, 1]; a window that is older than 95 % of labels take needs no more."""


class VerdictConfig(Room, frozen=True):
    """What is said on the inference's own trace."""

    low_confidence: Annotated[float, Meta(gt=0, lt=1)] | None = None
    """Below it a prediction's confidence is `low`, in (0, 1); by default the profile's 5 % quantile, .7 without a profile."""
    per_second: Annotated[float, Meta(gt=0, le=1e6)] = 10.0
    """Mode `tee`: verdict spans per second and model, > 0; what is left out is counted."""


class WebhookConfig(Room, frozen=True, kw_only=True):
    """Who is told by HTTP when something begins to drift: the event as JSON, signed as Standard Webhooks says, and repeated until it is taken."""

    url: Secret
    """Where it is sent: `https://...`, or `http://...` in the clear. Many services have a key in it, so it is never shown."""
    secret: Secret | None = None
    """What it is signed with, `whsec_` and 24 to 64 bytes in base64, best as `${env:NAME}`. Never shown."""
    secret_file: str | None = None
    """A file with the secret; read for each event, so it can be changed at any time. Exactly one of the two."""
    timeout: Duration = Duration(10)
    """Longest wait for an answer, above 0s."""
    tls: ClientTls | None = None
    """Certificates of our own; without it those that the system trusts."""


class EmitConfig(Client, frozen=True):
    """Where our own metrics, events and (tee) verdict spans go, by OTLP over gRPC."""

    endpoint: str | None = None
    """host:port; by default the host and port of OTEL_EXPORTER_OTLP_ENDPOINT (`https://`: over TLS), else 127.0.0.1:14319. Nothing is lost for the
    traces when nobody listens there: it is counted and tried again."""
    interval: Duration = Duration(10)
    """Between two pushes, at least 1s."""
    feature_bins: bool = False
    """Tell how samples fall into the bins of each feature, and how the reference did: up to 66 series per feature and stream, as many as
    everything else of it. For a model that is spread over several processors, whose counts are added up, and for pictures of a distribution."""
    webhook: WebhookConfig | None = None
    """Tell somebody by HTTP when something begins to drift, for example to train again."""


class BootstrapConfig(Room, frozen=True):
    """
    How a profile is learned from the inferences of a model that has none.

    Its first rows are taken to be as they should be. Until there are enough the profile is provisional, and nothing raises an alarm.
    """

    rows: Annotated[int, Meta(ge=1000)] = 50_000
    """Rows that it is made of at least, >= 1000. Fewer: sooner complete; more: smaller drift is found."""
    min_duration: Duration = Duration(86400)
    """How much event time they cover at least, above 0s; a day, so that no hour is taken for drift."""


class HttpConfig(Room, frozen=True):
    """The page for people, `/metrics`, `/healthz` and `/readyz`."""

    endpoint: str = "127.0.0.1:19464"
    """Address to listen on; of this machine only, unless `insecure_bind`."""


class StateConfig(Room, frozen=True):
    """What survives a restart: counts, and which spans and requests have been counted, as hashes; never a value of a feature."""

    directory: str | None = None
    """A folder of this processor's own, made where there is none; a relative path is relative to the configuration file. Without it nothing is kept:
    after a restart all windows begin anew."""
    interval: Duration = Duration(30)
    """Between two snapshots, at least 1s; at the end there is one more. Without a `journal` a crash loses what was counted since the last."""
    journal: bool = False
    """`on`: each request is written down, and is on the disk, before it is acknowledged; a crash then loses nothing. Costs its sender a
    write to the disk, shared by those that come together."""
    predictions: Annotated[int, Meta(ge=0)] = 100_000
    """Predictions that wait for their label and are in a snapshot, some 100 bytes each. Where there are more, a random half is, and each that is found
    counts twice. 0: none, and labels of predictions before a restart find nothing."""
    retention: Duration = Duration(30 * 86400)
    """Streams that have been silent for so long are left out of the state, and a state that is older is not read but deleted; at least 1h."""


class LogsConfig(Room, frozen=True):
    """What the processor writes to standard error."""

    format: Literal["text", "json"] = "text"
    """Lines for people, or one JSON object per line."""


class ModelConfig(Room, frozen=True):
    """What is different for some models; what is not said here is as it is said for all. Of several that fit a model the first holds."""

    name: str
    """Which models: their `ml.model.name`; `*` stands for any characters, `?` for one."""
    version: str = "*"
    """Which versions of them: `ml.model.version`, written as `name`."""
    min_rows: Annotated[int, Meta(ge=2)] | None = None
    """As `streams.min_rows`, at least 2."""
    windows: tuple[WindowConfig, ...] | None = None
    """All of `windows` with other lengths or rows; their names stay."""
    drift: DriftConfig | None = None
    """As `drift`: a key that is left out is as there."""
    performance: PerformanceConfig | None = None
    """As `performance`: a key that is left out is as there."""
    verdicts: VerdictConfig | None = None
    """As `verdicts`: a key that is left out is as there, and `per_second` is for all models alike."""

    def fits(self, model: str, version: str) -> bool:
        """Whether this is for that version of that model."""
        return fnmatchcase(model, self.name) and fnmatchcase(version, self.version)


class Config(Room, frozen=True):
    """The whole configuration; every room has defaults that need no file."""

    mode: Literal["tee", "inline"] = "tee"
    """`tee`: a copy comes in, nothing is forwarded. `inline`: spans go on to `forward.endpoint`, annotated."""
    insecure_bind: bool = False
    """Listen on addresses beyond this machine too, although nothing is encrypted and nobody has to say who they are: for networks that
    are closed themselves, such as that of a compose file."""
    privacy: Literal["as_received", "aggregate_only"] = "as_received"
    """`aggregate_only`: attributes that the conventions call large or personal data are taken off whatever is forwarded; they are read
    here for the windows and go no further."""
    receive: ReceiveConfig = ReceiveConfig(http=HttpDoor())
    forward: ForwardConfig | None = None
    windows: Annotated[tuple[WindowConfig, ...], Meta(min_length=1)] = (
        WindowConfig(name="1h", length=Duration(3600)),
        WindowConfig(name="24h", length=Duration(86400)),
    )
    """All of them run side by side; their names differ."""
    streams: StreamsConfig = StreamsConfig()
    tenants: TenantsConfig | None = None
    """`null`: tenants are not told apart."""
    drift: DriftConfig = DriftConfig()
    segments: SegmentsConfig = SegmentsConfig()
    confidence: ConfidenceConfig = ConfidenceConfig()
    feedback: FeedbackConfig = FeedbackConfig()
    performance: PerformanceConfig = PerformanceConfig()
    verdicts: VerdictConfig = VerdictConfig()
    emit: EmitConfig = EmitConfig()
    http: HttpConfig = HttpConfig()
    state: StateConfig = StateConfig()
    bootstrap: BootstrapConfig | None = BootstrapConfig()
    """`null`: models without a profile are not learned, and nothing is compared."""
    logs: LogsConfig = LogsConfig()
    profiles: tuple[str, ...] = ()
    """Files made by `otel-ml profile build`; relative paths are relative to the configuration file. A file that changes is read again at once. Of
    a model in MLflow's registry `models:/name/version` (or `models:/name@alias`) is the profile that was logged with it."""

    models: tuple[ModelConfig, ...] = ()
    """What is different for some models."""

    @property
    def max_streams(self) -> int:
        """Streams that are kept, of all tenants together."""
        return self.streams.max * (self.tenants.max if self.tenants else 1)

    @property
    def tenant_attribute(self) -> str:
        """The attribute of a resource that names its tenant; empty where none does."""
        return (self.tenants.attribute or "") if self.tenants else ""

    @property
    def profiles_of_tenants(self) -> Mapping[str, tuple[str, ...]]:
        """The profiles that are for one tenant only, by its name."""
        return self.tenants.profiles if self.tenants else {}

    def of_model(self, model: str, version: str) -> Config:
        """Return the configuration that is in force for one version of a model."""
        own = next((entry for entry in self.models if entry.fits(model, version)), None)
        return self if own is None else self.with_own(own)

    def with_own(self, own: ModelConfig) -> Config:
        """Return the configuration of the models that *own* is for."""
        streams = self.streams
        if own.min_rows is not None:
            streams = msgspec.structs.replace(streams, min_rows=own.min_rows)
        return msgspec.structs.replace(
            self,
            streams=streams,
            windows=own.windows or self.windows,
            drift=own.drift or self.drift,
            performance=own.performance or self.performance,
            verdicts=own.verdicts or self.verdicts,
        )


def room_in(kind: Any) -> Any:
    """Return the struct that *kind* is, or holds (`Room | None`, `tuple[Room, ...]`); None without one."""
    if hasattr(kind, "__struct_fields__"):
        return kind
    return next((room for part in get_args(kind) if (room := room_in(part))), None)
