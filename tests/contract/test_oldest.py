"""The oldest versions that are promised are those that `make test-oldest` runs."""

from __future__ import annotations

import re
from importlib.metadata import entry_points
from pathlib import Path

import pytest

PYPROJECT = (Path(__file__).parents[2] / "pyproject.toml").read_text()


def entries(name: str) -> dict[str, str]:
    """Return the requirements of the list *name* in pyproject.toml: what is to be had, and which."""
    (listed,) = re.findall(rf"^{name} = \[\n(.*?)^\]", PYPROJECT, re.MULTILINE | re.DOTALL)
    found = re.findall(r'"([\w-]+)(?:\[[^\]]*\])?([^"]*)"', listed)
    return dict(found)


OLDEST = entries("oldest")
LIGHT = {"catboost", "lightgbm", "onnxruntime", "sklearn", "xgboost"}


@pytest.mark.parametrize("name", sorted(LIGHT))
def test_a_framework_is_tried_in_its_oldest_version(name: str) -> None:
    """What its instrumentor says is supported, to the minor version."""
    (point,) = entry_points(group="opentelemetry_instrumentor", name=f"ml_{name}")
    framework = point.load().framework
    assert re.match(
        rf"=={re.escape(framework.oldest)}(\.\d+)*$", OLDEST[framework.distributions[0]]
    )


@pytest.mark.parametrize("name", ["opentelemetry-api", "opentelemetry-instrumentation"])
def test_opentelemetry_is_tried_in_its_oldest_version(name: str) -> None:
    """What the distribution requires at the least."""
    lowest = entries("dependencies")[name].split(",")[0].removeprefix(">=")
    assert re.match(rf"=={re.escape(lowest)}(\.0)?$", OLDEST[name])
