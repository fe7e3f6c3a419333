"""The rules between the options of a configuration: what one option alone cannot say of itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from otel_ml_processor.config import SECONDS, Client, ClientTls, Duration
from otel_ml_processor.endpoint import is_target, leads_to
from otel_ml_processor.errors import ConfigError

if TYPE_CHECKING:
    from otel_ml_processor.config import (
        Config,
        CopyConfig,
        Destination,
        Size,
        StateConfig,
        TenantsConfig,
        WebhookConfig,
        WindowConfig,
    )

__all__ = ["validate"]

_OUR_HEADERS: Final = frozenset(
    {"connection", "content-encoding", "content-length", "content-type", "te", "transfer-encoding"}
)
_MAX_SEGMENTS: Final = 8
_MAX_MESSAGE: Final = (1 << 31) - 1

_Rule = tuple[str, bool, str, object]
"""Where, whether it holds, what was expected, what was found."""


def validate(config: Config, file: str) -> None:
    """Raise ConfigError naming *file* and path for the first parts that contradict each other."""
    for place, holds, expected, found in _rules(config):
        if not holds:
            raise ConfigError(f"{file}: $.{place}: expected {expected}, got {found}")
    for index, window in enumerate(config.windows):
        _validate_window(window, f"{file}: $.windows[{index}]", config.streams.min_rows)
    for number, entry in enumerate(config.models):
        own = config.with_own(entry)
        for index, window in enumerate(own.windows):
            place = f"{file}: $.models[{number}].windows[{index}]"
            _validate_window(window, place, own.streams.min_rows)


def _rules(config: Config) -> list[_Rule]:
    names = [window.name for window in config.windows]
    inline = config.mode == "inline"
    forward = config.forward.endpoint if config.forward else "nothing"
    pushed = f"{config.emit.interval:g}s"
    return [
        ("forward", inline == (config.forward is not None), _forwarding(inline), forward),
        *_address_rules(config),
        *_above_zero_rules(config),
        (
            "receive.max_message",
            config.receive.max_message <= _MAX_MESSAGE,
            "a size below 2GiB, more than which gRPC does not take",
            str(config.receive.max_message),
        ),
        (
            "streams.silent",
            config.streams.silent >= SECONDS["m"],
            "a duration >= 1m",
            str(config.streams.silent),
        ),
        (
            "windows",
            len(set(names)) == len(names) and all(names),
            "names that differ, and none empty",
            names,
        ),
        *_segment_rules(config.segments.attributes),
        *_client_rules("forward", config.forward or Client()),
        *_client_rules("emit", config.emit),
        *(
            rule
            for index, copy in enumerate(config.forward.also if config.forward else ())
            for rule in _copy_rules(f"forward.also[{index}]", copy)
        ),
        ("emit.interval", config.emit.interval >= 1, "a duration >= 1s", pushed),
        *_webhook_rules(config.emit.webhook),
        *(
            (
                f"models[{index}].windows",
                sorted(names) == sorted(own),
                f"the names of `windows` ({', '.join(names)})",
                own,
            )
            for index, entry in enumerate(config.models)
            if (own := [window.name for window in entry.windows or config.windows])
        ),
        *_tenant_rules(config.tenants),
        *_state_rules(config.state),
    ]


def _above_zero_rules(config: Config) -> list[_Rule]:
    """Return the rules of what would stand still, or divide by it, with 0 of it."""
    values: list[tuple[str, Duration | Size]] = [
        ("receive.repeats", config.receive.repeats),
        ("receive.max_message", config.receive.max_message),
        ("receive.max_in_flight", config.receive.max_in_flight),
        ("feedback.horizon", config.feedback.horizon),
        ("drift.false_alarm_interval", config.drift.false_alarm_interval),
    ]
    if config.forward is not None:
        values += [
            ("forward.timeout", config.forward.timeout),
            ("forward.max_message", config.forward.max_message),
        ]
        values += [
            (f"forward.also[{i}].timeout", copy.timeout)
            for i, copy in enumerate(config.forward.also)
        ]
    if config.emit.webhook is not None:
        values.append(("emit.webhook.timeout", config.emit.webhook.timeout))
    if config.bootstrap is not None:
        values.append(("bootstrap.min_duration", config.bootstrap.min_duration))
    values += [
        (f"models[{i}].drift.false_alarm_interval", entry.drift.false_alarm_interval)
        for i, entry in enumerate(config.models)
        if entry.drift is not None
    ]
    return [
        (
            place,
            value > 0,
            "a duration above 0s" if isinstance(value, Duration) else "a size above 0",
            str(value),
        )
        for place, value in values
    ]


def _tenant_rules(tenants: TenantsConfig | None) -> list[_Rule]:
    if tenants is None:
        return []
    said = [name for name in (tenants.header, tenants.attribute) if name is not None]
    header = "x" if tenants.header is None else tenants.header
    is_header = re.fullmatch(r"[a-z0-9_.-]+", header) and not header.endswith("-bin")
    is_free = header not in {"authorization", "content-type", "content-encoding"}
    return [
        ("tenants", len(said) == 1, "exactly one of 'header' and 'attribute'", said or "none"),
        ("tenants.attribute", tenants.attribute != "", "a name", "none"),
        (
            "tenants.header",
            bool(is_header and is_free),
            "a header of its own, in lower case",
            repr(header),
        ),
        ("tenants.profiles", "" not in tenants.profiles, "names of tenants", "an empty one"),
    ]


def _segment_rules(names: tuple[str, ...]) -> list[_Rule]:
    fit = len(set(names)) == len(names) <= _MAX_SEGMENTS and all(names)
    expected = f"at most {_MAX_SEGMENTS} names that differ"
    is_class = "ml.prediction.label" in names
    own = "no 'ml.prediction.label', for which there is `confidence.classes`"
    return [
        ("segments.attributes", fit, expected, list(names)),
        ("segments.attributes", not is_class, own, "it"),
    ]


def _webhook_rules(webhook: WebhookConfig | None) -> list[_Rule]:
    if webhook is None:
        return []
    secrets = (webhook.secret is None) + (webhook.secret_file is None)
    return [
        (
            "emit.webhook.url",
            re.match(r"[^/]*//[^/?#]*@", webhook.url) is None,
            "no user and password before the host: they would not be sent",
            "some, which are not shown",
        ),
        (
            "emit.webhook.url",
            _is_url(webhook.url),
            "http://... or https://...",
            re.split(r"(?<=[^:/])[/?#]", webhook.url)[0],  # what follows may be a key
        ),
        (
            "emit.webhook.secret",
            secrets == 1,
            "exactly one of 'secret' and 'secret_file'",
            "none" if secrets else "both",
        ),
        _pair_rule("emit.webhook", webhook.tls),
        (
            "emit.webhook.tls",
            webhook.tls is None or not webhook.url.startswith("http:"),
            "nothing, because `url` is http://..., which is in the clear",
            "certificates",
        ),
    ]


def _is_url(text: str) -> bool:
    try:
        port = urlsplit(text).port
    except ValueError:  # no port
        return False
    return port != 0 and re.fullmatch(r"https?://[^/\s]+(/\S*)?", text) is not None


def _state_rules(state: StateConfig) -> list[_Rule]:
    has_place = state.directory is not None or not state.journal
    interval, retention = f"{state.interval:g}s", str(state.retention)
    return [
        ("state.interval", state.interval >= 1, "a duration >= 1s", interval),
        ("state.retention", state.retention >= SECONDS["h"], "a duration >= 1h", retention),
        ("state.directory", has_place, "a folder, because of 'state.journal'", "nothing"),
        ("state.directory", state.directory != "", "a folder, or null", "an empty text"),
    ]


def _address_rules(config: Config) -> list[_Rule]:
    http = config.receive.http
    ours = [config.receive.endpoint, *([http.endpoint] if http else [])]
    targets: list[tuple[str, str, str]] = []
    if config.forward is not None:
        copies = enumerate(config.forward.also)
        targets = [_target("forward", config.forward)]
        targets += [_target(f"forward.also[{i}]", copy) for i, copy in copies]
    if config.emit.endpoint is not None:
        targets.append(("emit.endpoint", config.emit.endpoint, config.emit.endpoint))
    form = "host:port such as 127.0.0.1:4317, without http:// before it"
    path = "a path without ?, # or spaces; a key stands in `headers`"
    hidden = "another one, which is not shown"
    other = "another address than that of our own receiver, which would be a loop"
    return [
        *((place, is_target(address), form, repr(said)) for place, said, address in targets),
        # `/v1/traces` is put behind it.
        *((place, not re.search(r"[\s?#]", said), path, hidden) for place, said, _ in targets),
        *(
            (place, not any(leads_to(address, own) for own in ours), other, said)
            for place, said, address in targets
        ),
        (
            "receive.http.endpoint",
            len(set(ours)) == len(ours) or ours[0].endswith(":0"),
            "another address than `receive.endpoint`",
            ours[-1],
        ),
    ]


def _target(place: str, target: Destination) -> tuple[str, str, str]:
    """Return where the address of *target* stands, what is said there, and the address without the path that it may have over HTTP."""
    said = target.endpoint
    return f"{place}.endpoint", said, said.partition("/")[0] if target.protocol == "http" else said


def _copy_rules(place: str, copy: CopyConfig) -> list[_Rule]:
    signals = list(copy.signals)
    is_each_once = len(set(signals)) == len(signals) > 0
    expected = "at least one signal, each once"
    return [*_client_rules(place, copy), (f"{place}.signals", is_each_once, expected, signals)]


def _client_rules(place: str, client: Client) -> list[_Rule]:
    odd = [n for n in client.headers if not re.fullmatch(r"[a-z0-9_.-]+", n) or n.endswith("-bin")]
    ours = [n for n in client.headers if n in _OUR_HEADERS or n.startswith("grpc-")]
    torn = [n for n, value in client.headers.items() if not re.fullmatch(r"[ -~]*", value)]
    said = "values of printable ASCII in one line"
    return [
        _pair_rule(place, client.tls),
        (f"{place}.headers", not odd, "names in lower case, without '-bin' at the end", odd),
        (f"{place}.headers", not ours, "none of those that say how a message is sent", ours),
        (f"{place}.headers", not torn, said, f"another one, which is not shown, of {torn}"),
    ]


def _pair_rule(place: str, tls: ClientTls | None) -> _Rule:
    has_both = tls is None or (tls.cert_file is None) == (tls.key_file is None)
    return f"{place}.tls", has_both, "both of 'cert_file' and 'key_file', or none", "one of them"


def _forwarding(inline: bool) -> str:
    if inline:
        return "an endpoint, because in mode 'inline' the spans go on through us"
    return (
        "nothing, because in mode 'tee' the spans take the path they have (mode 'inline' forwards)"
    )


def _validate_window(window: WindowConfig, place: str, min_rows: int) -> None:
    if (window.length is None) == (window.rows is None):
        raise ConfigError(f"{place}: expected exactly one of 'length' and 'rows'")
    if window.length is not None and window.length < 1:
        raise ConfigError(
            f"{place}.length: expected a duration >= 1s, got {window.length * 1000:g}ms"
        )
    if window.pane is not None:
        _validate_pane(window.pane, window.length, f"{place}.pane")
    if window.rows is not None and window.rows < min_rows:
        raise ConfigError(
            f"{place}.rows: expected a number >= min_rows ({min_rows}), got {window.rows}"
        )


def _validate_pane(pane: Duration, length: Duration | None, place: str) -> None:
    if length is None:
        raise ConfigError(f"{place}: expected nothing, because windows of rows have no panes")
    if pane < 1 or round(length * 1e9) % round(pane * 1e9):
        raise ConfigError(
            f"{place}: expected a duration >= 1s that {length} is a multiple of, got {pane}"
        )
