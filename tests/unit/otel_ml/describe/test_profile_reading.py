"""The profile file as the process of a model reads it: written by the command, or broken in every way."""

import gzip
import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from otel_ml.describe import reference
from otel_ml.describe.reference import ProfileError, ReferenceFeature, read_reference
from otel_ml_processor.commands.profile import build_profile_from_table
from otel_ml_processor.profile_file import write_profile

FEATURE = {"name": "age", "type": "numeric", "counts": [3], "edges": [], "min": 18, "max": 90.5}
PROFILE: dict[str, Any] = {
    "format": "otel-ml-profile/1",
    "id": "sha256:0",
    "model": "churn",
    "version": "3",
    "features": [FEATURE],
}


def written(path: Path, **changed: Any) -> str:
    """Write a profile to *path* with what is *changed*, and return its path as text."""
    path.write_text(json.dumps({**PROFILE, **changed}))
    return str(path)


def feature(**changed: Any) -> list[dict[str, Any]]:
    """Return the features of a profile, one, with what is *changed* in it."""
    return [{**FEATURE, **changed}]


def complaint(path: str) -> str:
    """Return what is said of the profile at *path*, after its path."""
    with pytest.raises(ProfileError) as caught:
        read_reference(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(f"{path}: ")


@pytest.mark.parametrize("name", ["churn.json", "churn.json.gz"])
def test_what_the_command_builds_is_read(name: str, tmp_path: Path) -> None:
    """Ranges, categories, and which values may be missing; plain and compressed."""
    table = {
        "age": [18, 40, 90],
        "height": [1.5, None, 2.0],
        "plan": ["basic", "plus", None],
        "member": [True, False, True],
    }
    write_profile(build_profile_from_table(table, model="churn", version="3"), tmp_path / name)

    found = read_reference(str(tmp_path / name))

    assert (found.model, found.version) == ("churn", "3")
    age, height, plan, member = found.features
    assert age == ReferenceFeature("age", 18.0, 90.0, None, is_numeric=True, takes_missing=False)
    assert (height.low, height.high, height.takes_missing) == (1.5, 2.0, True)
    assert (plan.categories, plan.takes_missing) == ({"basic", "plus"}, True)
    assert member.categories == {"True", "False"}


def test_what_is_not_known_is_passed_over(tmp_path: Path) -> None:
    """A newer writer can say more, of the profile and of a feature."""
    path = written(tmp_path / "p", novelty={"x": [1]}, features=feature(skewness=2.5))
    (age,) = read_reference(path).features
    assert (age.name, age.low, age.high) == ("age", 18.0, 90.5)


def test_what_is_not_said_allows_everything(tmp_path: Path) -> None:
    """A numeric feature without a range, a profile without a version."""
    data = {**PROFILE, "features": [{"name": "age", "type": "numeric"}]}
    del data["version"]
    (tmp_path / "p").write_text(json.dumps(data))
    found = read_reference(str(tmp_path / "p"))
    assert found.version == ""
    assert (found.features[0].low, found.features[0].high) == (-math.inf, math.inf)


def test_a_list_of_categories_that_was_cut_knows_none_to_be_unknown(tmp_path: Path) -> None:
    """The processor keeps a thousand beside the most frequent ones."""
    others = [f"c{i}" for i in range(1000)]
    known = {"name": "plan", "type": "categorical", "categories": ["a"]}
    for number, expected in ((999, 1000), (1000, None)):
        path = written(tmp_path / "p", features=[{**known, "other_known": others[:number]}])
        (plan,) = read_reference(path).features
        assert (None if plan.categories is None else len(plan.categories)) == expected


def test_a_file_that_is_not_there_is_told_with_what_to_do(tmp_path: Path) -> None:
    """Also a folder in its place, and a name that cannot be one."""
    assert complaint(str(tmp_path / "none.json")) == (
        "cannot read the profile: No such file or directory; build one with `otel-ml profile build`"
    )
    assert "Is a directory" in complaint(str(tmp_path))
    assert "null" in complaint(str(tmp_path / "a\0b"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a system without pipes that have names")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    """It is read in the first call of a model, which would wait for whoever writes."""
    path = tmp_path / "profile.json"
    os.mkfifo(path)
    writer = os.open(path, os.O_RDWR)  # so that the test ends where it is waited for
    try:
        os.write(writer, b"{}")
        assert "it is a pipe" in complaint(str(path))
    finally:
        os.close(writer)


def test_a_file_that_is_too_large_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one that is small until it is unpacked."""
    monkeypatch.setattr(reference, "_MAX_BYTES", 1000)
    (tmp_path / "large.json").write_bytes(b" " * 1001)
    (tmp_path / "bomb.json.gz").write_bytes(gzip.compress(b" " * 1_000_000))
    for name in ("large.json", "bomb.json.gz"):
        found = complaint(str(tmp_path / name))
        assert found == "expected a profile of at most 1000 bytes, found more"


def cut(content: bytes) -> bytes:
    """Return the first half."""
    return content[: len(content) // 2]


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("p.json", cut),
        ("p.json", lambda content: b""),
        ("p.json", lambda content: b"\xff\xfe" + content),
        ("p.json", lambda content: b"[" * 100_000),
        ("p.json", lambda content: content + b"}"),
        ("p.json", lambda content: b'{"format": ' + b"9" * 5000 + b"}"),
        ("p.json", gzip.compress),
        ("p.json.gz", lambda content: content),
        ("p.json.gz", lambda content: cut(gzip.compress(content))),
        ("p.json.gz", lambda content: gzip.compress(content)[:-8] + b"\0" * 8),
    ],
    ids=[
        "torn",
        "empty",
        "no text",
        "endless brackets",
        "too much",
        "endless number",
        "compressed without the name",
        "named as if compressed",
        "torn while compressed",
        "changed while compressed",
    ],
)
def test_a_file_that_is_broken_is_told(
    name: str, change: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    """In one line, and never by another exception."""
    (tmp_path / name).write_bytes(change(json.dumps(PROFILE).encode()))
    found = complaint(str(tmp_path / name))
    assert found.startswith(("expected a profile in JSON", "cannot read the profile"))


@pytest.mark.parametrize("content", ["[]", "null", "7", '"text"', "NaN"])
def test_json_that_is_no_object_is_no_profile(content: str, tmp_path: Path) -> None:
    """What was found is told by its type or, where it is short, as it is."""
    (tmp_path / "p.json").write_text(content)
    assert complaint(str(tmp_path / "p.json")).startswith("$: expected an object, found ")


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        (
            {"format": "otel-ml-profile/2"},
            "$.format: expected 'otel-ml-profile/1', found 'otel-ml-profile/2'",
        ),
        ({"format": None}, "$.format: expected 'otel-ml-profile/1', found None"),
        ({"format": "x" * 1000}, "$.format: expected 'otel-ml-profile/1', found str"),
        ({"model": 7}, "$.model: expected a text, found 7"),
        ({"model": None}, "$.model: expected a text, found None"),
        ({"version": []}, "$.version: expected a text, found list"),
        ({"features": {}}, "$.features: expected a list, found dict"),
        ({"features": ["age"]}, "$.features[0]: expected an object, found 'age'"),
        ({"features": [FEATURE, FEATURE]}, "$.features: expected a name for each, found one twice"),
        ({"features": feature(name=None)}, "$.features[0].name: expected a text, found None"),
        (
            {"features": feature(type="text")},
            "$.features[0].type: expected 'numeric' or 'categorical', found 'text'",
        ),
        (
            {"features": feature(type=["numeric"])},
            "$.features[0].type: expected 'numeric' or 'categorical', found list",
        ),
        (
            {"features": feature(min="18")},
            "$.features[0].min: expected a finite number, found '18'",
        ),
        (
            {"features": feature(min=True)},
            "$.features[0].min: expected a finite number, found True",
        ),
        (
            {"features": feature(max=math.nan)},
            "$.features[0].max: expected a finite number, found nan",
        ),
        (
            {"features": feature(max=math.inf)},
            "$.features[0].max: expected a finite number, found inf",
        ),
        (
            {"features": feature(max=10**400)},
            "$.features[0].max: expected a finite number, found int",
        ),
        ({"features": feature(min=91)}, "$.features[0]: expected min <= max, found 91.0 > 90.5"),
        (
            {"features": feature(missing="many")},
            "$.features[0].missing: expected a whole number, found 'many'",
        ),
        (
            {"features": feature(type="categorical", categories="abc")},
            "$.features[0].categories: expected a list, found 'abc'",
        ),
        (
            {"features": feature(type="categorical", categories=["a", 1])},
            "$.features[0].categories[1]: expected a text, found 1",
        ),
        (
            {"features": feature(type="categorical", other_known=[None])},
            "$.features[0].other_known[0]: expected a text, found None",
        ),
    ],
    ids=str,
)
def test_a_profile_that_says_what_it_cannot_is_told_where(
    changed: dict[str, Any], expected: str, tmp_path: Path
) -> None:
    """The place in it, what was expected and what was found, never more of it than fits a line."""
    assert complaint(written(tmp_path / "p.json", **changed)) == expected


def test_categories_that_were_too_rare_to_be_named_leave_a_feature_open(tmp_path: Path) -> None:
    """A profile that was learned from inferences names the frequent ones alone: any other may be one of the rest."""
    column = {"name": "city", "type": "categorical", "categories": ["Oslo"], "counts": [9, 0]}

    closed = read_reference(written(tmp_path / "a.json", features=[column]))
    opened = read_reference(written(tmp_path / "b.json", features=[{**column, "unseen": 1}]))

    assert closed.features[0].categories == frozenset({"Oslo"})
    assert opened.features[0].categories is None
