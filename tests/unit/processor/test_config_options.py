"""Every option of the configuration: described, and refused in one line that says where where it is wrong."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
import yaml

from otel_ml_processor import config
from otel_ml_processor.config import Config, Duration, Room, Secret, Size, room_in
from otel_ml_processor.config_file import load_config
from otel_ml_processor.errors import ConfigError

NEEDED: dict[str, dict[str, Any]] = {
    "forward": {"endpoint": "127.0.0.1:4317"},
    "forward.also": {"endpoint": "127.0.0.1:5317"},
    "emit.webhook": {"url": "https://example.org", "secret_file": "secret"},
    "receive.tls": {"cert_file": "a", "key_file": "b"},
    "receive.http.tls": {"cert_file": "a", "key_file": "b"},
    "windows": {"name": "w", "length": "1h"},
    "models": {"name": "m"},
    "models.windows": {"name": "1h", "length": "1h"},
    "tenants": {"header": "x-tenant"},
}
"""What a part needs, so that only the option in question is wrong."""


def options() -> list[tuple[str, Any]]:
    """Return the path (keys with dots) and the type of every option that is no part of its own."""
    found: list[tuple[str, Any]] = []

    def visit(path: str, room: type[Room]) -> None:
        for field in msgspec.structs.fields(room):
            inner = room_in(field.type)
            place = f"{path}.{field.name}".lstrip(".")
            if inner is None:
                found.append((place, field.type))
            else:
                visit(place, inner)

    visit("", Config)
    return found


OPTIONS = options()
IDS = [place for place, _ in OPTIONS]


def kinds(kind: Any) -> set[Any]:
    """Return the plain types that *kind* is made of."""
    parts = get_args(kind)
    return set().union(*map(kinds, parts)) if parts else {kind}


def is_list(place: str) -> bool:
    """Tell whether the part at *place* is written as a list."""
    kind: Any = Config
    for key in place.split("."):
        kind = next(f.type for f in msgspec.structs.fields(room_in(kind)) if f.name == key)
    return "tuple" in str(kind)


def document(place: str, value: object) -> dict[str, Any]:
    """Return a configuration that says *value* at *place*, and what the parts around it need."""
    keys = place.split(".")
    part: Any = {keys[-1]: value}
    if keys[-1] == "rows" and "windows" in keys:
        part["length"] = None
    for depth in range(len(keys) - 1, 0, -1):
        at = ".".join(keys[:depth])
        part = {**NEEDED.get(at, {}), **part}
        part = {keys[depth - 1]: [part] if is_list(at) else part}
    if place.startswith("forward"):
        part["mode"] = "inline"
    if place.startswith("models."):
        part["windows"] = [NEEDED["models.windows"]]
    return dict(part)


def refusal(folder: Path, said: object) -> str:
    """Return the one line that refuses a file that says that; fails where it is accepted."""
    path = folder / "processor.yaml"
    path.write_text(yaml.safe_dump(said))
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    return str(caught.value).removeprefix(f"{path}:")


def where(place: str) -> str:
    """Return a pattern for the place as errors name it: lists with a position."""
    return r"\$\." + r"(\[\d+\])?\.".join(map(re.escape, place.split(".")))


@pytest.mark.parametrize("place", IDS)
def test_every_option_is_described(place: str) -> None:
    """In the reference page, with what it takes and means, in the section of its part."""
    *part, key = place.split(".")
    page = (Path(__file__).parents[3] / "docs/reference/configuration.md").read_text("utf-8")
    sections = dict(re.findall(r"^## (.+)\n((?:(?!^## ).*\n?)*)", page, re.MULTILINE))
    said = [
        row for title, text in sections.items() for row in text.splitlines()
        if row.startswith(f"| `{key}` |") and (not part or part[-1] in title)
    ]  # fmt: skip
    if part[:1] == ["models"] and not said:
        return  # as it is said for all models
    assert said
    assert all(len(row.split(" | ")) >= 4 and row.split(" | ")[3].strip(" |") for row in said)


@pytest.mark.parametrize(("place", "kind"), OPTIONS, ids=IDS)
def test_a_value_of_the_wrong_type_is_refused(tmp_path: Path, place: str, kind: Any) -> None:
    """A list of mappings is the value of nothing: the line says at which option, what was expected and what was found."""
    line = refusal(tmp_path, document(place, [{"wrong": [1]}]))

    assert re.search(where(place), line), line
    assert "expected" in line
    assert "\n" not in line
    secret = Secret in kinds(kind)
    assert "not shown" in line if secret else "wrong" in line


def test_the_line_is_told(tmp_path: Path) -> None:
    """Of the option, of an unknown key, and of the part where something is missing; what was set by hand stands in no line."""
    wrong = "# a comment\nstreams:\n  min_rows: 300\n  idle: often\n"
    path = tmp_path / "processor.yaml"
    texts = {
        wrong: "got 'often' (line 4)",
        "mode: tee\n\nhttp:\n  port: 1\n": "(line 4)",
        "windows:\n  - {name: a, rows: 900}\n  - {name: b}\n": "'length' and 'rows' (line 3)",
    }
    for text, expected in texts.items():
        path.write_text(text)
        with pytest.raises(ConfigError) as caught:
            load_config(path)
        assert str(caught.value).endswith(expected)

    path.write_text(wrong.replace("often", "30s"))
    with pytest.raises(ConfigError) as caught:
        load_config(path, ["streams.idle=often"])
    assert "(line" not in str(caught.value)


@pytest.mark.parametrize("part", sorted({p.rpartition(".")[0] for p in IDS} - {""}))
def test_an_unknown_key_is_refused(tmp_path: Path, part: str) -> None:
    """In every part; the line names the key and those that there are."""
    line = refusal(tmp_path, document(f"{part}.surely_unknown", 1))

    assert "unknown key 'surely_unknown'; known: " in line


NUMBERS = [(place, kind) for place, kind in OPTIONS if kinds(kind) & {int, float, Duration, Size}]


@pytest.mark.parametrize(("place", "kind"), NUMBERS, ids=[place for place, _ in NUMBERS])
def test_a_number_out_of_its_range_is_refused(tmp_path: Path, place: str, kind: Any) -> None:
    """Below zero, and of a number with a fraction what is none or infinite."""
    wrong: list[object] = [-1, "-1s"] if Duration in kinds(kind) else [-1]
    if float in kinds(kind):
        wrong += [math.nan, math.inf]

    lines = [refusal(tmp_path, document(place, value)) for value in wrong]

    assert [line for line in lines if not re.search(where(place), line)] == []


NEVER_ZERO = [
    "drift.false_alarm_interval", "feedback.horizon", "forward.timeout", "forward.also.timeout",
    "forward.max_message", "receive.max_message", "receive.max_in_flight",
]  # fmt: skip
"""With 0 of them nothing would be promised, joined, forwarded or received."""


@pytest.mark.parametrize("place", NEVER_ZERO)
def test_nothing_at_all_is_refused(tmp_path: Path, place: str) -> None:
    """Zero never means "off" silently."""
    kind = dict(OPTIONS)[place]
    line = refusal(tmp_path, document(place, "0s" if Duration in kinds(kind) else 0))

    assert re.search(where(place), line), line


def test_every_type_of_option_is_known() -> None:
    """A new kind of option needs its own wrong values here."""
    known = {int, float, str, bool, type(None), Duration, Size, Secret, Ellipsis}
    strange = {
        kind
        for _, option in OPTIONS
        for kind in kinds(option)
        if kind not in known and not isinstance(kind, str | msgspec.Meta)
    }
    assert strange == set()
    assert config.SECONDS["h"] == 3600
