"""The page on plugging in shows what the command prints."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from otel_ml_processor.commands.splice.command import main
from tests.data.collector_configs.cases import FOLDER

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "how-to" / "plug-into-a-collector.md").read_text()
GATEWAY, COPY, FEEDBACK, IN_LINE = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
REFUSAL, MISTAKES = re.findall(r"```\n(otel-ml splice: .*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize(("mode", "shown"), [("tee", COPY), ("tee", FEEDBACK), ("inline", IN_LINE)])
def test_the_overlay_on_the_page_is_what_its_gateway_gets(
    mode: str, shown: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Line by line, comments too."""
    gateway = tmp_path / "gateway.yaml"
    gateway.write_text(GATEWAY)
    assert main([str(gateway), "--mode", mode]) == 0
    assert shown in capsys.readouterr().out


def test_the_refusal_on_the_page_is_what_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the line of the file that the tests have of that name."""
    monkeypatch.chdir(FOLDER)
    assert main(["joined.yaml", "--pipeline", "traces/public"]) == 1
    assert capsys.readouterr().err == REFUSAL


def test_the_mistakes_on_the_page_are_answered_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Made in the gateway of the page."""
    monkeypatch.chdir(tmp_path)
    for right, wrong in (
        ("0.0.0.0:4317", "${env:LISTEN}"),
        ("exporters:\n  otlp", "exporter:\n  otlp"),
    ):
        assert GATEWAY.count(right) == 1
        Path("gateway.yaml").write_text(GATEWAY.replace(right, wrong))
        assert main(["gateway.yaml"]) == 2
    assert capsys.readouterr().err == MISTAKES


def test_every_option_is_on_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    """What `--help` lists, the page uses."""
    with pytest.raises(SystemExit):
        main(["--help"])
    options = set(re.findall(r"^  (--[a-z-]+)", capsys.readouterr().out, re.MULTILINE))
    assert len(options) == 12
    assert {option for option in options if option not in PAGE} == set()
