"""What a collector complains of is found in the files; the complaints are those of collector 0.144."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from otel_ml_processor.commands.splice.complaints import place_of
from otel_ml_processor.commands.splice.layers import read_layers

if TYPE_CHECKING:
    from pathlib import Path

GATEWAY = """\
receivers:
  otlp:
    protocols: {grpc: }
exporters:
  otlp:
    endpoint: first.example.org:4317
  otlp/tempo:
    tls: {insecure: true}
    endpoints: tempo.example.org:4317
  tempo_native:
service:
  pipelines:
    traces:
      receivers: [otlp]
      exporters: [otlp/tempo]
"""
UNREAD = "failed to get config: cannot unmarshal the configuration: decoding failed due to the following error(s):\n\n"


@pytest.mark.parametrize(
    ("complaint", "line"),
    [
        (
            (
                f"{UNREAD}'exporters' error reading configuration for \"otlp/tempo\": decoding failed due to the following error(s):\n\n"
                "'otlpexporter.Config' has invalid keys: endpoints"
            ),
            9,
        ),
        (
            (
                f'{UNREAD}\'exporters\' unknown type: "tempo_native" for id: "tempo_native"'
                " (valid values: [otlp file debug nop otlp_grpc])"
            ),
            10,
        ),
        (
            'service::pipelines::traces: references exporter "otlp/other" which is not configured',
            13,
        ),
        ('exporters::otlp/tempo: requires a non-empty "endpoint"', 7),
    ],
)
def test_the_line_that_a_collector_complains_of_is_found(
    tmp_path: Path, complaint: str, line: int
) -> None:
    """A key within a part, else the part, else its place in a pipeline: whatever of the files the complaint names most closely."""
    path = tmp_path / "gateway.yaml"
    path.write_text(GATEWAY)
    assert str(place_of(complaint, read_layers([path], appends=False))) == f"{path}:{line}"


@pytest.mark.parametrize("complaint", ["", "unrecognized option '--config=file:gateway.yaml'"])
def test_a_complaint_of_something_else_has_no_line(tmp_path: Path, complaint: str) -> None:
    """None is better than a wrong one."""
    path = tmp_path / "gateway.yaml"
    path.write_text(GATEWAY)
    assert place_of(complaint, read_layers([path], appends=False)) is None
