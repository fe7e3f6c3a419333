"""The configuration's file: YAML read into the rooms and written from them, and what is said of one that does not fit."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, get_args, get_origin

import msgspec
import yaml

from otel_ml_processor.config import (
    Config,
    Duration,
    ModelConfig,
    Room,
    Secret,
    Size,
    room_in,
)
from otel_ml_processor.config_lines import document_of, line_of, not_yaml
from otel_ml_processor.config_rules import validate
from otel_ml_processor.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

__all__ = ["configuration_text", "load_config", "said_by"]

_NOT_YAML = (yaml.YAMLError, ValueError, RecursionError)
"""What the parser raises: a ValueError for what looks like a date and is none, a RecursionError for brackets without end."""
_NO_TEXT = re.compile(r"[\0\ud800-\udfff]")
_ENVIRONMENT = re.compile(r"\$\{env:(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}")

_HIDDEN = "which is not shown, for there may be secrets in it"

_UNREAD = re.compile(r"\$\{env:[\w.-]*")
"""What begins as one of those does, and none more than that: what follows may be a secret."""


def load_config(path: Path | None, settings: Sequence[str] = ()) -> Config:
    """
    Return the configuration in *path*, or the defaults without one, with *settings* in place of what it says.

    A setting is `key=value`: the key a path such as `receive.endpoint`, the value YAML.

    Raises:
        ConfigError: If the file cannot be read, is not YAML, has an unknown key, a value of the wrong kind or out of its range, or
            parts that contradict each other. One line: file, path within it, what was expected, what was found, and in which line of the file.
    """
    document = {} if path is None else _document(path)
    for setting in settings:
        document = _with(document, setting)
    file = str(path or "defaults")
    try:
        config = _converted(_inherited(_resolved(document, "$", file)), file)
        validate(config, file)
    except RecursionError:  # an anchor within itself, or brackets without end
        raise ConfigError(f"{file}: not a configuration: nesting that is too deep") from None
    except ConfigError as error:
        raise ConfigError(said_by(str(error).removeprefix(f"{file}: "), path, settings)) from None
    return config


def said_by(message: str, path: Path | None, settings: Sequence[str]) -> str:
    """
    Return a *message* about a place in the configuration with who says what stands there: a setting or the file, and in which line.

    A message that begins with no place such as `$.receive.endpoint` is about the file.
    """
    place = re.match(r"\$[\w.\[\]]*", message)
    if place is None:
        return f"{path or 'defaults'}: {message}"
    unknown = re.search(r"unknown key '(\w+)'", message)
    key = unknown[1] if unknown else ""
    line = None if path is None else _line(path, place[0], key)
    said = next((s for s in reversed(settings) if _is_about(s, place[0], key)), None)
    if said is None and line is None:  # then what stands there is made of parts that settings say
        said = next((s for s in reversed(settings) if f"$.{s}".startswith(f"{place[0]}.")), None)
    if said is not None:
        return f"--set {said.partition('=')[0]}: {message}"
    return f"{path or 'defaults'}: {message}" + ("" if line is None else f" (line {line})")


def _line(path: Path, place: str, key: str) -> int | None:
    try:
        return line_of(path.read_bytes(), place, key)
    except OSError:  # gone since it was read
        return None


def _is_about(setting: str, place: str, key: str) -> bool:
    """Return whether a setting says what stands at *place*, or has the unknown *key* there."""
    said = f"$.{setting.partition('=')[0]}"
    if key:
        return f"{said}.".startswith(f"{place}.{key}.")
    return re.match(rf"{re.escape(said)}(?!\w)", place) is not None


def configuration_text(config: Config) -> str:
    """Return *config* as YAML that says every key, defaults too; it reads back as the same, except for secrets, which are not shown."""
    shown = msgspec.structs.replace(config, models=tuple(_effective(config)))
    text: str = yaml.safe_dump(_plain(shown), sort_keys=False, width=100)
    return text


def _effective(config: Config) -> Iterator[ModelConfig]:
    """Yield what is in force for the models of each entry, all of it."""
    for entry in config.models:
        own = config.with_own(entry)
        yield ModelConfig(
            name=entry.name,
            version=entry.version,
            min_rows=own.streams.min_rows,
            windows=own.windows,
            drift=own.drift,
            performance=own.performance,
            verdicts=own.verdicts,
        )


def _inherited(document: object) -> object:
    """Return *document* with what the rooms of its `models` leave out, as it is said for all."""
    if not isinstance(document, dict) or not isinstance(document.get("models"), list):
        return document
    models = [_with_rooms(entry, document) for entry in document["models"]]
    return {**document, "models": models}


def _with_rooms(entry: object, document: Mapping[str, object]) -> object:
    if not isinstance(entry, dict):
        return entry
    filled = dict(entry)
    for room in ("drift", "performance", "verdicts"):
        said, for_all = entry.get(room), document.get(room)
        if isinstance(said, dict) and isinstance(for_all, dict):
            filled[room] = {**for_all, **said}
    return filled


def _plain(value: Any) -> Any:
    if isinstance(value, Room):
        keys = value.__struct_fields__
        return {key: _plain(getattr(value, key)) for key in keys}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, Secret):
        return repr(value)
    return str(value) if isinstance(value, Duration | Size) else value


def _with(document: object, setting: str) -> object:
    """Return *document* with one `key=value` written into it; what it says elsewhere stays."""
    key, separator, text = setting.partition("=")
    if not separator or not all(key.split(".")):
        said = re.split(r"[:\s]", key)[0]  # what follows may be a secret
        raise ConfigError(
            f"--set {said}{separator}: expected key=value such as receive.endpoint=127.0.0.1:14317"
        )
    try:
        value = yaml.safe_load(text)
    except _NOT_YAML:
        got = _HIDDEN if _holds_secret(_kind_at(f"$.{key}")) else f"{text!r:.60}"
        message = f"--set {key}: expected YAML behind the '=', got {got}; a text with brackets stands in quotes, as '\"[::1]:4317\"'"
        raise ConfigError(message) from None
    return _placed(document, key.split("."), value)


def _placed(document: object, keys: Sequence[str], value: object) -> object:
    if not keys:
        return value
    # What is no mapping gives way, as the last of several configuration files does in a collector.
    known = document if isinstance(document, dict) else {}
    return {**known, keys[0]: _placed(known.get(keys[0]), keys[1:], value)}


def _document(path: Path) -> object:
    try:
        document = document_of(path.read_bytes())
    except OSError as error:
        message = f"{path}: cannot read the configuration: {error.strerror}"
        raise ConfigError(message) from None
    except _NOT_YAML as error:
        raise not_yaml(path, error) from None
    return {} if document is None else document


def _resolved(node: object, place: str, file: str) -> object:
    """Return *node* with every `${env:...}` replaced; a text that is nothing else is read as YAML again, as the collector does."""
    if isinstance(node, dict):
        for key in node:
            _check_text(key, place, file)
        return {key: _resolved(value, f"{place}.{key}", file) for key, value in node.items()}
    if isinstance(node, list | set):  # a set is how YAML writes `!!set`
        return [_resolved(value, f"{place}[{i}]", file) for i, value in enumerate(node)]
    if not isinstance(node, str):
        return node
    unread = _UNREAD.search(_ENVIRONMENT.sub("", node))
    if unread is not None:
        message = f"{file}: {place}: expected ${{env:NAME}} or ${{env:NAME:-default}}, with letters, digits and _ in the name, got {unread[0]}"
        raise ConfigError(message)
    text = _ENVIRONMENT.sub(lambda found: _variable(found, place, file), node)
    _check_text(text, place, file)
    if not _ENVIRONMENT.fullmatch(node) or _kind_at(place) is Secret:
        return text  # a secret may look like a number, or have a # in it
    try:
        return yaml.safe_load(text)
    except _NOT_YAML:  # its value may be a secret, so it is not said
        message = f"{file}: {place}: expected YAML in {node!r:.60}, found something else"
        raise ConfigError(message) from None


def _check_text(text: object, place: str, file: str) -> None:
    """Raise ConfigError where *text* holds what no name of a file, no label and no message can: a zero, or half of a character."""
    if isinstance(text, str) and _NO_TEXT.search(text):
        message = f"{file}: {place}: expected a text, found one with \\0 in it, or with bytes that are no UTF-8"
        raise ConfigError(message)


def _variable(found: re.Match[str], place: str, file: str) -> str:
    value = os.environ.get(found["name"]) or found["default"]
    if value is None:
        name = found["name"]
        message = f"{file}: {place}: the environment has no {name}; set it or write ${{env:{name}:-default}}"
        raise ConfigError(message)
    return value


def _unit(kind: type, value: object) -> Any:
    parse: dict[type, Callable[[object], object]] = {
        Duration: Duration.parse,
        Size: Size.parse,
        Secret: _secret,
    }
    return parse[kind](value)


def _secret(value: object) -> Secret:
    if not isinstance(value, str):
        raise ValueError("expected a text")  # noqa: TRY004 - the converter takes this one for the user's mistake
    return Secret(value)


def _converted(document: object, file: str) -> Config:
    try:
        return msgspec.convert(document, Config, dec_hook=_unit)
    except msgspec.ValidationError as error:
        text, _, place = str(error).partition(" - at ")
        *of_key, where = re.findall(r"`([^`]+)`", place) or ["$"]
        found = _found_at(document, where)
        worded = _key_worded(found) if of_key else _worded(text, where, found)
        raise ConfigError(f"{file}: {where}: {worded}") from None


def _key_worded(found: object) -> str:
    """Return what is wrong with the keys of *found*, a mapping: YAML has numbers and dates among them too."""
    odd = [key for key in found if not isinstance(key, str)] if isinstance(found, dict) else []
    return f"expected texts as keys, got {', '.join(map(repr, odd)):.60}; put it in quotes"


def _found_at(document: Any, place: str) -> object:
    """Return what *document* has at *place*, as the error messages of the converter name places."""
    for key, index in re.findall(r"\.(\w+)|\[(\d+|\.\.\.)\]", place):
        if index == "...":  # somewhere in a mapping: the converter does not tell the key
            break
        document = document[key] if key else document[int(index)]
    return document


def _worded(text: str, place: str, found: object) -> str:
    """Return msgspec's finding in our words, with what is known beside what is not."""
    kind = _kind_at(place)
    unknown = re.search(r"unknown field `(.+)`", text)
    if unknown is not None:
        known = sorted(getattr(room_in(kind), "__struct_fields__", ()))
        return f"unknown key '{unknown[1]}'; known: {', '.join(known)}"
    if "Invalid enum value" in text:
        return f"expected one of {', '.join(sorted(_choices(kind)))}, got {found!r}"
    expected = re.sub(r"(?s), got .*$", "", text[:1].lower() + text[1:]).replace("`", "")
    if found and _holds_secret(kind):
        return f"{expected}, got {type(found).__name__}, {_HIDDEN}"
    return f"{expected}, got {found!r:.60}"


def _holds_secret(kind: Any) -> bool:
    return kind is Secret or any(map(_holds_secret, [*get_args(kind), *_field_kinds(kind)]))


def _field_kinds(kind: Any) -> list[Any]:
    """Return what the fields of *kind* are; none of what is no room."""
    is_room = isinstance(kind, type) and issubclass(kind, Room)
    return [field.type for field in msgspec.structs.fields(kind)] if is_room else []


def _kind_at(place: str) -> Any:
    """Return the declared type at *place*, a path such as `$.windows[0].length`; of what is not known that of the part around it."""
    kind: Any = Config
    for key in re.findall(r"\.(\w+)", place):
        kind = _kind_within(kind, key)
    return kind


def _kind_within(kind: Any, key: str) -> Any:
    if get_origin(kind) is dict:
        return get_args(kind)[1]
    room = room_in(kind)
    fields = msgspec.structs.fields(room) if room else ()
    return next((field.type for field in fields if field.name == key), kind)


def _choices(kind: Any) -> list[str]:
    parts = get_args(kind)
    return [
        choice for part in parts for choice in ([part] if isinstance(part, str) else _choices(part))
    ]
