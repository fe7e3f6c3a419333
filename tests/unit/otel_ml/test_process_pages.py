"""The pages on validation and on the process tell the truth."""

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

import otel_ml
from otel_ml.describe import validation
from otel_ml.runtime import gpu, process
from otel_ml_conventions.attributes import MlValidationRuleValues

PAGES = Path(__file__).parents[3] / "docs" / "how-to"
VALIDATION = (PAGES / "validate-inputs.md").read_text()
PROCESS = (PAGES / "measure-the-process.md").read_text()


def test_the_program_that_rejects_prints_what_the_page_shows(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The block runs, and what stands below it is what it says."""
    program, said = re.findall(r"```python\n(.*?)```\n```\n(.*?)```", VALIDATION, re.DOTALL)[0]
    try:
        exec(program, {})
    finally:
        otel_ml.uninstrument()
    assert capsys.readouterr().out == said


def test_every_rule_that_is_told_is_in_the_table() -> None:
    """No more, no fewer, by the names of the conventions."""
    table = VALIDATION[VALIDATION.index("| rule |") :]
    told = set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))
    rules = {rule.value for rule in MlValidationRuleValues}
    named = [value for value in vars(validation).values() if isinstance(value, str)]
    assert told == rules.intersection(named)


def test_the_program_that_watches_a_loop_runs() -> None:
    """As it stands, in a loop."""
    (program,) = re.findall(r"```python\n(.*?)```", PROCESS, re.DOTALL)
    names: dict[str, Any] = {}
    exec(program, names)
    asyncio.run(names["startup"]())


def test_every_metric_of_the_process_is_in_the_table() -> None:
    """Those of the process and those of a GPU."""
    table = set(re.findall(r"`((?:process|hw\.gpu)\.[a-z.]+)`", PROCESS))
    known = [*vars(process).values(), *vars(gpu).values()]
    emitted = {
        name for name in known if isinstance(name, str) and name.startswith(("process.", "hw.gpu."))
    }
    assert table == emitted
