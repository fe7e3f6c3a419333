"""The files of a collector are read as it reads them, with the line of everything; what it would not read is named."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from otel_ml_processor.commands.splice.layers import Setting, read_layers, resolved
from otel_ml_processor.errors import ConfigError
from tests.data.collector_configs.cases import CASES

if TYPE_CHECKING:
    from collections.abc import Callable

    Write = Callable[..., list[Path]]


@pytest.fixture(name="write")
def _write(tmp_path: Path) -> Write:
    """Write texts as files and return their paths."""

    def write(*texts: str | bytes) -> list[Path]:
        paths = [tmp_path / f"{number}.yaml" for number in range(len(texts))]
        for path, text in zip(paths, texts, strict=True):
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return paths

    return write


def plain(setting: Setting) -> Any:
    """Return the value without its places."""
    if isinstance(setting.value, tuple):
        return [plain(one) for one in setting.value]
    if setting.value is None or isinstance(setting.value, str):
        return setting.value
    return {key: plain(one) for key, one in setting.value.items()}


def test_later_files_win_key_by_key_and_lists_are_replaced(write: Write) -> None:
    """Mappings are joined at every depth; a list, a word and a null take the place of what was there."""
    files = write(
        "a: {b: {c: one, d: [x, y]}, e: {f: kept}, g: {h: gone}}",
        "a: {b: {c: two, d: [z]}, g: }",
    )
    assert plain(read_layers(files, appends=False)) == {
        "a": {"b": {"c": "two", "d": ["z"]}, "e": {"f": "kept"}, "g": None}
    }


def test_with_the_gate_lists_of_the_service_are_joined_and_no_others(write: Write) -> None:
    """Receivers, exporters and extensions, each name once; processors are replaced as without it."""
    files = write(
        "service: {extensions: [a], pipelines: {traces: {receivers: [r], processors: [p], exporters: [e, f]}}}\n"
        "exporters: {e: {hosts: [one]}}",
        "service: {extensions: [a, b], pipelines: {traces: {receivers: [s], processors: [q], exporters: [f, g]}}}\n"
        "exporters: {e: {hosts: [two]}}",
    )
    merged = plain(read_layers(files, appends=True))
    assert merged["service"] == {
        "extensions": ["a", "b"],
        "pipelines": {
            "traces": {"receivers": ["r", "s"], "processors": ["q"], "exporters": ["e", "f", "g"]}
        },
    }
    assert merged["exporters"] == {"e": {"hosts": ["two"]}}


def test_an_empty_file_overrides_nothing(write: Write) -> None:
    """A file of comments alone is what splice prints where there is nothing to add."""
    assert plain(read_layers(write("a: b", "# nothing\n"), appends=False)) == {"a": "b"}


def test_every_value_knows_the_line_of_the_file_that_said_it_last(write: Write) -> None:
    """A mistake is mended where it stands."""
    files = write("a:\n  b: one\n  c: two\n", "\n\na:\n  c: three\n")
    root = read_layers(files, appends=False)
    keys = root.mapping("root")["a"].mapping("a")
    assert str(keys["b"].place) == f"{files[0]}:2"
    assert str(keys["c"].place) == f"{files[1]}:4"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_one_file_reads_as_any_reader_of_yaml_reads_it(case: Any) -> None:
    """Anchors, merge keys and flow style included: the same keys and lists as PyYAML's own loader, and words that mean its values."""
    for path in case.files:
        theirs = yaml.safe_load(path.read_text())
        ours = plain(read_layers([path], appends=False))
        assert _words(ours) == _words(theirs)


def _words(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _words(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_words(one) for one in value]
    return "" if value is None else str(value).lower()


def test_what_an_anchor_brings_may_be_overridden(write: Write) -> None:
    """Not a key that stands there twice: the own one wins, wherever the anchor is used again."""
    text = "a: &a {x: one, y: two}\nb: &b {<<: *a, x: three}\nc: {<<: *b, y: four}\nd: *b\ne: {<<: {x: five}, x: six}\n"
    merged = plain(read_layers(write(text), appends=False))
    assert merged["b"] == merged["d"] == {"x": "three", "y": "two"}
    assert merged["c"] == {"x": "three", "y": "four"}
    assert merged["e"] == {"x": "six"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: 1\nb: [", ":2: expected YAML: "),
        ("a: 1\n\tb: 2", ":2: expected YAML: "),
        ("a: 1\na: 2", ":2: expected each key once, found 'a' again; it stands in line 1, too"),
        ("a: {b: 1,\n b: 2}", ":2: expected each key once, found 'b' again"),
        ("- a\n- b", ":1: the file: expected a mapping, found a list"),
        ("words", ":1: the file: expected a mapping, found 'words'"),
        (
            "a,b\n" * 9999,
            f":1: the file: expected a mapping, found '{('a,b ' * 15)}'...",
        ),
        ("a: 1\n---\nb: 2", ":2: expected YAML: "),
        ("? [a]\n: 1", ":1: expected a name as key"),
        ('"a\\eb": 1', ":1: expected a name as key"),
        ("a: *nowhere", ":1: expected YAML: found undefined alias"),
        ("a: &a {b: *a}", ": nested too deeply, or within itself"),
        ("a: " + "[" * 5000, ": nested too deeply, or within itself"),
        (b"a: \xff\xfe\xfa", ": expected YAML: "),
        ("a: b\0c", ": expected YAML: "),
        ("a: " + "b" * (1 << 20), ": expected a configuration of at most 1 MiB, found more"),
        ("a: {<<: words}", ":1: expected YAML: "),
    ],
)
def test_what_is_no_configuration_is_named_in_one_line(
    write: Write, text: str | bytes, told: str
) -> None:
    """With the file, the line where there is one, what was expected and what was found."""
    (path,) = write(text)
    with pytest.raises(ConfigError) as caught:
        read_layers([path], appends=False)
    message = str(caught.value)
    assert message.startswith(f"{path}{told}")
    assert "\n" not in message
    assert len(message) < len(str(path)) + 300


@pytest.mark.parametrize(
    ("text", "line", "written"),
    [
        ("a:\n\tb: 1", 2, "indent with spaces"),
        ("a:\n  b: 1\n    c: 2", 3, "start in the same column"),
        ("a:\n  b: 1\n c: 2", 3, "start in the same column"),
        ("a: b: c", 1, "stands in quotes"),
        ("a: [x, y\nb: 1\nc: 2", 1, "close the bracket that is opened in this line"),
        ("a: 1\nb: {c: ${env:HOST}}", 2, "${env:NAME} within brackets stands in quotes"),
        ("a: 1\nb: *a", 2, "with `&` for the `*`"),
        ("a: 1\nb\nc: 2", 3, "a key is followed by `: `"),
    ],
)
def test_a_common_mistake_is_answered_with_the_way_to_write_it(
    write: Write, text: str, line: int, written: str
) -> None:
    """In the line where it is to be mended: of a bracket that is never closed the one that opens it."""
    (path,) = write(text)
    with pytest.raises(ConfigError) as caught:
        read_layers([path], appends=False)
    message = str(caught.value)
    assert message.startswith(f"{path}:{line}: expected YAML: ")
    assert written in message


def test_aliases_of_aliases_do_not_fill_the_memory(write: Write) -> None:
    """A kilobyte that unfolds to 9**9 values is refused."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 9)]
    with pytest.raises(ConfigError, match="expected at most 100000 values, found more"):
        read_layers(write("\n".join(lines)), appends=False)


def test_a_tag_makes_no_object(write: Write) -> None:
    """A file is data: what other loaders would run is a text here."""
    root = read_layers(write("a: !!python/object/apply:os.getcwd []"), appends=False)
    assert plain(root) == {"a": []}


@pytest.mark.parametrize("name", ["nowhere.yaml", "."])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    """A missing file, or a folder."""
    with pytest.raises(ConfigError, match=r"cannot be read: (No such file|Is a directory)"):
        read_layers([tmp_path / name], appends=False)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    """Never another error than the one for people."""
    path = tmp_path_factory.mktemp("any") / "any.yaml"
    path.write_bytes(data)
    try:
        read_layers([path], appends=False).mapping("the file")
    except ConfigError as error:
        assert str(error).startswith(str(path))  # noqa: PT017 - reading it is as good


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("${env:HOST:-10.0.0.1}:${env:PORT:-4317}", "10.0.0.1:4317"),
        ("${HOST:-here}", "here"),
        ("${env:HOST:-}", ""),
        ("${env:HOST}:4317", "${env:HOST}:4317"),
        ("plain", "plain"),
    ],
)
def test_a_variable_counts_as_its_default(text: str, meant: str) -> None:
    """What the environment says on another machine is not known here; without a default the variable stays."""
    assert resolved(text) == meant
