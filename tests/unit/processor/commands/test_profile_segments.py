"""`otel-ml profile build --segment`: the reference of each value, counted exactly; and files that lie about it."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from otel_ml_processor.commands.profile import build_profile_from_table, main
from otel_ml_processor.config import ConfidenceConfig, Config, SegmentsConfig
from otel_ml_processor.config_file import load_config
from otel_ml_processor.errors import ConfigError, ProfileError, TableError
from otel_ml_processor.profile import sealed
from otel_ml_processor.profile_file import read_profile, write_profile
from otel_ml_processor.windows.divided import Divisions
from tests.data.segmented import REGIONS, reference_profile, table


def test_each_value_is_counted_exactly() -> None:
    """Rows, low confidence, labels, errors and outputs of a region are those of its rows; together they are the whole."""
    rows = table(2_000)
    profile = reference_profile(2_000)
    (region,) = profile.segments
    assert region.name == "region"
    for part in region.values:
        inside = rows["region"] == part.value
        assert part.rows == part.confident == part.labelled == inside.sum()
        assert part.low == (rows["sure"][inside] < profile.low_confidence).sum()
        assert part.wrong == (rows["said"] != rows["true"])[inside].sum()
    assert profile.prediction is not None
    said = np.sum([part.outputs for part in region.values], axis=0)
    assert said[: len(profile.prediction.counts)].tolist() == profile.prediction.counts
    assert [f.name for f in profile.features] == ["amount"]


def test_the_most_frequent_values_are_told_apart() -> None:
    """Of 40 values the 16 most frequent have a reference of their own, the others one together, rows without a value none."""
    codes = np.repeat(np.arange(40), np.arange(1, 41))
    columns = {
        "x": codes % 5.0,
        "shop": np.array([f"s{code}" for code in codes], dtype=object),
        "said": np.where(codes % 2, "a", "b"),
    }
    columns["shop"][:1] = None
    profile = build_profile_from_table(columns, model="m", label="said", segments=["shop"])
    values = profile.segments[0].values
    assert [v.value for v in values[:2]] == ["s39", "s38"]
    assert (len(values), values[-1].value) == (17, "")
    assert sum(v.rows for v in values) == len(codes) - 1


def test_numbers_and_booleans_are_named_as_they_are_sent() -> None:
    """1.0 is `1`, as a span attribute of the number 1 reads; a boolean is `True` or `False`."""
    columns = {
        "x": np.arange(4.0),
        "tier": np.array([1.0, 2.0, 1.0, 2.5]),
        "new": [True, False] * 2,
    }
    profile = build_profile_from_table(columns, model="m", segments=["tier", "new"])
    said = {s.name: {v.value for v in s.values} for s in profile.segments}
    assert said == {"tier": {"1", "2", "2.5"}, "new": {"True", "False"}}


def test_the_command_writes_and_reads_them(tmp_path: Path) -> None:
    """From a CSV file to a profile and back, with the option given twice."""
    rows = table(300)
    names = list(rows)
    lines = [",".join(names), *(",".join(map(str, r)) for r in zip(*rows.values(), strict=True))]
    csv, output = tmp_path / "t.csv", tmp_path / "p.json"
    csv.write_text("\n".join(lines))
    options = "--model fraud --label said --confidence sure --target true --segment region"
    assert main(["build", str(csv), *options.split(), "-o", str(output)]) == 0
    assert {v.value for v in read_profile(output).segments[0].values} == set(REGIONS)


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (np.array([None] * 4, dtype=object), "expected values"),
        (np.array(["x" * 300] * 4), "expected values of at most 256"),
    ],
)
def test_a_column_that_divides_nothing_is_refused(column: np.ndarray, said: str) -> None:
    """All missing, or free text: one line that names the column."""
    columns = {"x": np.arange(4.0), "shop": column}
    with pytest.raises(TableError, match=f"segment 'shop': {said}"):
        build_profile_from_table(columns, model="m", segments=["shop"])


def test_a_column_that_is_not_there_is_named() -> None:
    """As for every other role."""
    with pytest.raises(TableError, match="shop"):
        build_profile_from_table({"x": np.arange(4.0)}, model="m", segments=["shop"])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"outputs": [1, 2]}, "outputs: expected"),
        ({"low": 10**6}, "parts not above"),
        ({"wrong": -1}, "parts not above"),
    ],
)
def test_a_file_that_contradicts_itself_is_refused(
    tmp_path: Path, change: dict[str, object], said: str
) -> None:
    """Sealed as it may be: the message names the place in the file."""
    profile = reference_profile(300)
    first, *others = profile.segments[0].values
    values = [msgspec.structs.replace(first, **change), *others]
    segments = [msgspec.structs.replace(profile.segments[0], values=values)]
    write_profile(sealed(msgspec.structs.replace(profile, segments=segments)), tmp_path / "p.json")
    with pytest.raises(ProfileError, match=r"segments\[0\]\.values\[0\].*" + said):
        read_profile(tmp_path / "p.json")


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("segments.attributes=[a,a]", "names that differ"),
        ("segments.attributes=[a,b,c,d,e,f,g,h,i]", "at most 8"),
        ("segments.attributes=['']", "names that differ"),
        ("segments.attributes=[ml.prediction.label]", "confidence.classes"),
        ("segments.max_values=0", ">= 1"),
        ("segments.max_values=65", "<= 64"),
        ("segments.values=3", "unknown key"),
        ("confidence.classes=0", ">= 1"),
        ("performance.baseline=1.5", "< 1"),
    ],
)
def test_a_configuration_that_cannot_be_meant_is_refused(setting: str, said: str) -> None:
    """One line: the place, what was expected, what was found."""
    with pytest.raises(ConfigError, match=said):
        load_config(None, [setting])


def test_the_configuration_says_what_is_told_apart() -> None:
    """By default ten classes and no segment; `null` tells no class apart."""
    assert Divisions.of(load_config(None)) == Divisions(10, (), 16)
    none = Config(
        confidence=ConfidenceConfig(classes=None), segments=SegmentsConfig(attributes=("region",))
    )
    assert Divisions.of(none) == Divisions(None, ("region",), 16)
