"""What a collector's configuration says: its parts, its pipelines, where spans go and where it listens."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final, NamedTuple

from otel_ml_processor.commands.splice.layers import resolved
from otel_ml_processor.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from otel_ml_processor.commands.splice.layers import Place, Setting

__all__ = ["Collector", "Listener", "Named", "Pipeline", "type_of"]

_KINDS: Final = ("receivers", "processors", "exporters")
_SECTIONS: Final = (*_KINDS, "connectors", "extensions", "service")
_SERVED_BY_OTLP: Final = {"grpc": 4317, "http": 4318}
_ADDRESS: Final = re.compile(r"(?:\w+://)?(?P<host>.*):(?P<port>[0-9]{1,5})/?")


class Named(NamedTuple):
    """The name of a part in a list of a pipeline, and where it stands there."""

    name: str
    place: Place


class Listener(NamedTuple):
    """An address that the collector listens on, and the part that does."""

    host: str
    port: int
    owner: Named


@dataclass(frozen=True, slots=True)
class Pipeline:
    """One pipeline: what comes in, what is done, where it goes; each in order."""

    name: str
    place: Place
    receivers: tuple[Named, ...]
    processors: tuple[Named, ...]
    exporters: tuple[Named, ...]


def type_of(name: str) -> str:
    """Return the type of the part *name*: what stands before the slash, a variable being its default."""
    return resolved(name).partition("/")[0].strip()


class Collector:
    """A merged configuration, asked about."""

    def __init__(self, root: Setting) -> None:
        """Take the *root* of the merged files. ConfigError, now or when asked, where a value is of the wrong kind."""
        _check_sections(root)
        self._root = root
        self.place = root.place
        service = self._section(root, "service", "service")
        pipelines = service.get("pipelines")
        found = pipelines.mapping("service::pipelines") if pipelines else {}
        self.pipelines = tuple(_pipeline(name, setting) for name, setting in found.items())
        """All, in the order in which they are written."""
        extensions = service.get("extensions")
        self._extensions = extensions.names("service::extensions") if extensions else ()

    def parts(self, kind: str) -> Mapping[str, Setting]:
        """Return the parts of *kind*, such as `exporters`, by name."""
        return self._section(self._root, kind, kind)

    def of_signal(self, signal: str) -> tuple[Pipeline, ...]:
        """Return the pipelines of *signal*: traces, metrics or logs."""
        return tuple(one for one in self.pipelines if type_of(one.name) == signal)

    def is_connector(self, name: str) -> bool:
        """Return whether *name* joins pipelines: an exporter of one and a receiver of others."""
        return name in self.parts("connectors")

    def behind(self, pipeline: Pipeline) -> tuple[Pipeline, ...]:
        """Return the pipelines of its signal that what is in *pipeline* goes on to by connectors, the nearest first."""
        reached: list[Pipeline] = []
        waiting = [pipeline]
        while waiting:
            joints = {one.name for one in waiting.pop(0).exporters if self.is_connector(one.name)}
            for candidate in self.of_signal(type_of(pipeline.name)):
                is_fed = not joints.isdisjoint(one.name for one in candidate.receivers)
                if is_fed and candidate not in reached:
                    reached.append(candidate)
                    waiting.append(candidate)
        return tuple(reached)

    def endpoint(self, exporter: str) -> str | None:
        """Return where *exporter* sends to, a variable being its default; None where it does not say so in one word."""
        setting = self.parts("exporters").get(exporter)
        said = setting.value if setting else None
        found = said.get("endpoint") if said and not isinstance(said, (tuple, str)) else None
        return resolved(found.value) if found and isinstance(found.value, str) else None

    def listeners(self) -> Iterator[Listener]:
        """Give the addresses that the parts in use listen on, as far as the files say them."""
        used = {one.name for pipe in self.pipelines for one in (*pipe.receivers, *pipe.exporters)}
        used |= {name for name, _ in self._extensions}
        for kind in ("receivers", "extensions", "exporters"):
            for name, setting in self.parts(kind).items():
                serves = kind != "exporters" or type_of(name) == "prometheus"
                if serves and name in used:
                    yield from _addresses(setting, Named(name, setting.place))
                    if type_of(name) == "otlp" and kind == "receivers":
                        yield from _by_default(setting, Named(name, setting.place))

    @staticmethod
    def _section(root: Setting, key: str, path: str) -> Mapping[str, Setting]:
        found = root.mapping("the file").get(key)
        return found.mapping(path) if found else {}


def _check_sections(root: Setting) -> None:
    """Raise ConfigError for a section that no collector knows, beside one that it does: it would refuse that, or miss what is in it."""
    sections = root.mapping("the file")
    unknown = [name for name in sections if name not in _SECTIONS]
    if not unknown or len(unknown) == len(sections):
        return
    close = get_close_matches(unknown[0], _SECTIONS, n=1)
    way_out = (
        f"write `{close[0]}`"
        if close
        else "of Helm values or a Kubernetes resource give what stands under `config`"
    )
    raise ConfigError(
        f"{sections[unknown[0]].place}: expected {', '.join(_SECTIONS[:-1])} or {_SECTIONS[-1]}, found {unknown[0]!r}; {way_out}"
    )


def _pipeline(name: str, setting: Setting) -> Pipeline:
    path = f"service::pipelines::{name}"
    keys = setting.mapping(path)
    receivers, processors, exporters = (
        tuple(Named(*one) for one in keys[kind].names(f"{path}::{kind}")) if kind in keys else ()
        for kind in _KINDS
    )
    return Pipeline(name, setting.place, receivers, processors, exporters)


def _addresses(setting: Setting, owner: Named) -> Iterator[Listener]:
    """Give what stands under a key `endpoint`, at any depth."""
    value = setting.value
    if value is None or isinstance(value, str):
        return
    if isinstance(value, tuple):
        for one in value:
            yield from _addresses(one, owner)
        return
    for key, inner in value.items():
        if key == "endpoint" and isinstance(inner.value, str):
            found = _ADDRESS.fullmatch(resolved(inner.value))
            if found:
                yield Listener(found["host"], int(found["port"]), Named(owner.name, inner.place))
        else:
            yield from _addresses(inner, owner)


def _by_default(setting: Setting, owner: Named) -> Iterator[Listener]:
    """Give the ports of protocols of an OTLP receiver that are switched on without an address."""
    protocols = setting.mapping(owner.name).get("protocols")
    for protocol, said in (protocols.mapping("protocols") if protocols else {}).items():
        if protocol in _SERVED_BY_OTLP and "endpoint" not in said.mapping(protocol):
            yield Listener("localhost", _SERVED_BY_OTLP[protocol], Named(owner.name, said.place))
