"""The page that tells how to configure the instrumentation tells the truth."""

import re
from pathlib import Path
from typing import Any

from opentelemetry import trace

import otel_ml
from otel_ml.doctor.declared import read_declared
from otel_ml.settings import Settings
from otel_ml.testing import capture

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "configure-the-instrumentation.md"


def blocks(language: str) -> list[str]:
    """Return the blocks of the page in *language*."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)


def test_its_programs_run_as_one_and_redact() -> None:
    """The redaction that is shown hides the comment, and nothing else."""
    programs = blocks("python")
    assert len(programs) == 3
    names: dict[str, Any] = {}
    try:
        for program in programs:
            exec(program, names)
    finally:
        otel_ml.uninstrument()
    with capture() as seen, otel_ml.inference("fraud"):
        names["tell_the_release"](trace.get_current_span(), None, None)
    assert seen.attributes["shop.release"] == "2026-11"
    redact = names["redact"]
    one = {"ml.input.features": '{"age": 42, "comment": "call me"}', "ml.prediction.label": "a"}
    assert redact(one, None) == {
        "ml.input.features": '{"age": 42, "comment": "***"}',
        "ml.prediction.label": "a",
    }
    several = {"ml.input.rows": '[{"comment": "call me"}, {"comment": null}]'}
    assert redact(several, None) == {"ml.input.rows": '[{"comment": "***"}, {"comment": "***"}]'}
    numbers = {"ml.input.values": [1.0]}
    assert redact(dict(numbers), None) == numbers


def test_its_file_is_read_by_the_sdk_and_means_what_it_says(tmp_path: Path) -> None:
    """Both frameworks get all three options; nothing in it is off."""
    (text,) = blocks("yaml")
    path = tmp_path / "otel.yaml"
    path.write_text(text)
    declared = read_declared(str(path), {"ml_sklearn", "ml_xgboost"})
    assert declared.findings == []
    meant = Settings(
        capture_content="span_only",
        feature_denylist=("ssn", "*email*"),
        content_hook="our_service.redaction:redact",
    )
    for name in ("ml_sklearn", "ml_xgboost"):
        assert Settings().with_options(declared.blocks[name]) == meant
