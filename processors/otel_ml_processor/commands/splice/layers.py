"""The files of a collector as one tree, merged as it merges them; every value knows its file and line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import yaml

from otel_ml_processor.config_lines import not_yaml
from otel_ml_processor.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

__all__ = ["Place", "Setting", "read_layers", "resolved"]

Value: TypeAlias = "Mapping[str, Setting] | tuple[Setting, ...] | str | None"

_MAX_BYTES: Final = 1 << 20
_SHOWN: Final = 60  # letters of what was found in place of something else: it may be a whole table
_MAX_VALUES: Final = 100_000  # aliases of aliases can make of 1 kB more than a machine holds
_NULL: Final = "tag:yaml.org,2002:null"
_VARIABLE: Final = re.compile(r"\$\{(?:env:)?[A-Za-z_][A-Za-z0-9_]*:-(?P<default>[^{}]*)\}")


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a file, counted from 1."""

    file: Path
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Setting:
    """A value as it is written, and where: a mapping, a list, the text of anything else, or None for null."""

    value: Value
    place: Place

    def mapping(self, path: str) -> Mapping[str, Setting]:
        """Return the keys of this value, which stands at *path*; none where it is null. ConfigError if it is no mapping."""
        if self.value is None:
            return {}
        if isinstance(self.value, (tuple, str)):
            raise ConfigError(f"{self.place}: {path}: expected a mapping, found {self._kind()}")
        return self.value

    def names(self, path: str) -> tuple[tuple[str, Place], ...]:
        """Return the texts of this list, which stands at *path*, with their places; none where it is null. ConfigError if it is no such list."""
        if self.value is None:
            return ()
        if not isinstance(self.value, tuple):
            raise ConfigError(
                f"{self.place}: {path}: expected a list such as [otlp], found {self._kind()}"
            )
        return tuple((one.text(path), one.place) for one in self.value)

    def text(self, path: str) -> str:
        """Return the text of this value, an element of the list at *path*. ConfigError if it is none, or not to be printed."""
        if not isinstance(self.value, str) or not self.value.isprintable():
            raise ConfigError(f"{self.place}: {path}: expected a name, found {self._kind()}")
        return self.value.strip()

    def _kind(self) -> str:
        if self.value is None:
            return "nothing"
        if isinstance(self.value, str):
            elsewhere = ", which comes from elsewhere and is not read" * ("${" in self.value)
            rest = "..." * (len(self.value) > _SHOWN)
            return f"{self.value[:_SHOWN]!r}{rest}{elsewhere}"
        return "a list" if isinstance(self.value, tuple) else "a mapping"


def resolved(text: str) -> str:
    """Return *text* with `${env:NAME:-default}` replaced by the default; a variable without one stays as it is written."""
    return _VARIABLE.sub(lambda found: found["default"], text)


def read_layers(paths: Sequence[Path], *, appends: bool) -> Setting:
    """
    Return the configuration that a collector makes of the files *paths*, the last one winning.

    Mappings are merged key by key, everything else is replaced, by null too. Where the collector *appends* (its feature gate
    `confmap.enableMergeAppendOption`), the lists of receivers, exporters and extensions below `service` are joined instead, each value once.

    Args:
        paths: At least one file.
        appends: Whether lists are joined.

    Raises:
        ConfigError: Naming file and line, if a file cannot be read, is no YAML that a collector reads, or is too large.
    """
    merged = _read(paths[0])
    for path in paths[1:]:
        later = _read(path)
        if later.value is not None:  # an empty file overrides nothing
            merged = _merged(merged, later, appends=appends, path=())
    return merged


def _merged(earlier: Setting, later: Setting, *, appends: bool, path: tuple[str, ...]) -> Setting:
    one, two = earlier.value, later.value
    if isinstance(one, tuple) and isinstance(two, tuple) and appends and _is_appended(path):
        known = {_written(setting) for setting in one}
        added = tuple(setting for setting in two if _written(setting) not in known)
        return Setting(one + added, later.place)
    if one is None or two is None or isinstance(one, (tuple, str)) or isinstance(two, (tuple, str)):
        return later
    both = dict(one)
    for key, value in two.items():
        both[key] = (
            _merged(one[key], value, appends=appends, path=(*path, key)) if key in one else value
        )
    return Setting(both, later.place)


def _is_appended(path: tuple[str, ...]) -> bool:
    return path == ("service", "extensions") or (
        path[:1] == ("service",) and path[-1] in {"receivers", "exporters"}
    )


def _written(setting: Setting) -> object:
    """Return what can be compared: the value without its places."""
    value = setting.value
    if isinstance(value, tuple):
        return tuple(map(_written, value))
    if value is None or isinstance(value, str):
        return value
    return frozenset((key, _written(one)) for key, one in value.items())


def _read(path: Path) -> Setting:
    loader = None
    try:
        loader = yaml.SafeLoader(_contents(path))
        node = loader.get_single_node()
        if node is None:
            return Setting(None, Place(path, 1))
        root = _Reader(path, loader).setting(node)
    except yaml.YAMLError as error:
        raise not_yaml(path, error) from None
    except RecursionError:
        raise ConfigError(f"{path}: nested too deeply, or within itself") from None
    finally:
        if loader is not None:
            loader.dispose()
    root.mapping("the file")
    return root


def _contents(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            contents = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    if len(contents) > _MAX_BYTES:
        raise ConfigError(f"{path}: expected a configuration of at most 1 MiB, found more")
    return contents


class _Reader:
    """From the nodes of one file to settings."""

    def __init__(self, path: Path, loader: yaml.SafeLoader) -> None:
        self._path, self._loader, self._left = path, loader, _MAX_VALUES
        self._flat: set[int] = set()

    def setting(self, node: yaml.Node) -> Setting:
        place = self._place(node)
        self._left -= 1
        if self._left < 0:
            raise ConfigError(f"{place}: expected at most {_MAX_VALUES} values, found more")
        if isinstance(node, yaml.MappingNode):
            return Setting(dict(self._entries(node)), place)
        if isinstance(node, yaml.SequenceNode):
            return Setting(tuple(self.setting(one) for one in node.value), place)
        return Setting(None if node.tag == _NULL else str(node.value), place)

    def _place(self, node: yaml.Node) -> Place:
        return Place(self._path, node.start_mark.line + 1)

    def _entries(self, node: yaml.MappingNode) -> Iterator[tuple[str, Setting]]:
        if id(node) not in self._flat:  # an anchor is met again at each of its aliases
            self._check_keys(node)
            self._loader.flatten_mapping(node)  # `<<: *anchor`; what comes by it stands first
            self._flat.add(id(node))
        for key, value in node.value:
            yield str(key.value).strip(), Setting(self.setting(value).value, self._place(key))

    def _check_keys(self, node: yaml.MappingNode) -> None:
        """Raise ConfigError as a collector does: for a key that is no name, or stands there twice."""
        seen: dict[str, int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or not str(key.value).isprintable():
                raise ConfigError(f"{self._place(key)}: expected a name as key")
            if key.value in seen:
                raise ConfigError(
                    f"{self._place(key)}: expected each key once, found {key.value!r} again; it stands in line {seen[key.value]}, too"
                )
            seen[key.value] = self._place(key).line
