"""The page that tells how to instrument a service tells the truth."""

import re
from pathlib import Path
from typing import Any

import otel_ml
from otel_ml import environment_variables
from otel_ml.settings import Settings

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "instrument.md"


def test_its_programs_run_as_one() -> None:
    """Each Python block works, given the ones above it."""
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(blocks) == 3
    names: dict[str, Any] = {}
    try:
        for block in blocks:
            exec(block, names)
    finally:
        otel_ml.uninstrument()


def test_it_tells_the_defaults_of_the_settings() -> None:
    """Every variable in the table exists, and what stands beside it is its default."""
    rows = re.findall(r"^\| `(OTEL_\w+)` \| `?(.*?)`? \|", PAGE.read_text(), re.MULTILINE)
    defaults = dict(rows)
    known = {name for name in vars(environment_variables) if name.startswith("OTEL_")}
    assert len(defaults) >= 10
    assert defaults.keys() <= known
    settings = Settings()
    for name, default in defaults.items():
        field = name.removeprefix("OTEL_INSTRUMENTATION_ML_").removeprefix("OTEL_ML_").lower()
        value = getattr(settings, field)
        written = {(): "empty", None: default}.get(value, str(value).lower())
        assert written == default, name
