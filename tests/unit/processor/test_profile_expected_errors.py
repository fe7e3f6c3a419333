"""A profile whose expected errors were edited is refused with the place and the cause."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pandas as pd
import pytest

from otel_ml_processor.commands.profile import build_profile_from_table
from otel_ml_processor.errors import ProfileError
from otel_ml_processor.profile import sealed
from otel_ml_processor.profile_file import read_profile, write_profile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from otel_ml_processor.profile import Profile


@pytest.fixture(scope="module")
def profile() -> Profile:
    """Return a profile with a tree of several questions."""
    random = np.random.default_rng(1)
    size, said = random.normal(size=(2, 3_000))
    true = said + np.exp(size) * random.normal(size=3_000)
    table = pd.DataFrame({"size": size, "said": said, "true": true})
    return build_profile_from_table(table, model="m", label="said", target="true")


def first_split(**changed: Any) -> Callable[[dict[str, Any]], None]:
    """Return what changes the first question."""
    return lambda expected: expected["splits"][0].update(changed)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            first_split(column=2),
            r"\$.expected.splits\[0\].column: expected one of 2 columns, got 2",
        ),
        (first_split(column=-1), r"splits\[0\].column: expected one of 2 columns"),
        (first_split(inside=[0, 9_999]), r"splits\[0\].inside: expected cells below"),
        (first_split(inside=[-1]), r"splits\[0\].inside: expected cells below"),
        (
            first_split(children=[0, 1]),
            r"splits: expected every split and leaf to follow one other",
        ),
        (first_split(children=[-1, -1]), r"splits: expected every split and leaf to follow"),
        (lambda e: e["splits"].append(e["splits"][0]), r"splits: expected every split and leaf"),
        (lambda e: e.update(splits=e["splits"] * 20), r"splits: expected fewer than 32, got"),
        (lambda e: e["absolute"].pop(), r"\$.expected: expected \d+ numbers 'absolute'"),
        (lambda e: e["squared"].append(1.0), r"\$.expected: expected \d+ numbers 'absolute'"),
        (lambda e: e["absolute"].__setitem__(0, -1.0), r"\$.expected: expected errors >= 0"),
        (lambda e: e["errors"].update(bin_means=[]), r"errors.bin_means: expected the mean"),
        (lambda e: e.update(splits=[]), r"splits: expected a tree, or a \$.calibration"),
        (lambda e: e["errors"].update(type="categorical"), r"\$.expected.errors"),
    ],
)
def test_nonsense_is_refused(
    profile: Profile, tmp_path: Path, change: Callable[[dict[str, Any]], None], said: str
) -> None:
    """Whatever was changed, and the file sealed again: the place within it and what was expected."""
    plain = msgspec.to_builtins(profile)
    change(plain["expected"])
    path = tmp_path / "m.json"
    write_profile(sealed(msgspec.convert(plain, type(profile))), path)
    with pytest.raises(ProfileError, match=said):
        read_profile(path)
