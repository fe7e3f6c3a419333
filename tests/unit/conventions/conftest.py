"""A small whole registry, written to a folder of its own, for tests to break."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

MODEL = "conventions/model"
UPSTREAM = "conventions/upstream"

REGISTRY = {
    f"{MODEL}/manifest.yaml": """\
schema_url: https://paint.example/schemas/paint-dev/0.1.0-dev
description: What painters do.
stability: development
dependencies:
  - schema_url: https://opentelemetry.io/schemas/1.44.0
    registry_path: ../upstream
""",
    f"{UPSTREAM}/manifest.yaml": """\
schema_url: https://opentelemetry.io/schemas/1.44.0
stability: stable
""",
    f"{UPSTREAM}/attributes.yaml": """\
file_format: definition/2
attributes:
  - key: error.type
    type: string
    stability: stable
    brief: Class of the error.
    examples: ["ValueError"]
""",
    f"{MODEL}/attributes.yaml": """\
file_format: definition/2
attributes:
  - key: ml.colour.name
    type: string
    stability: development
    brief: Name of the colour.
    examples: ["red", "pale blue"]
  - key: ml.colour.kind
    type:
      members:
        - id: warm
          value: warm
          brief: Towards red.
          stability: development
        - id: cold
          value: cold
          brief: Towards blue.
          stability: development
    stability: development
    brief: Temperature of the colour.
  - key: ml.colour.hue
    type: double
    stability: development
    brief: Angle of the colour in turns.
    examples: [0.25]
    annotations:
      cardinality: high
  - key: ml.colour.mix
    type: double[]
    stability: development
    brief: Shares of the primary colours.
    examples: [[0.5, 0.5, 0.0]]
  - key: ml.painter.name
    type: string
    stability: development
    brief: Who paints.
    examples: ["Ada"]
    annotations:
      sensitivity: PII
  - key: ml.canvas
    type: any
    stability: development
    brief: What is painted.
    examples: ['{"size":2}']
    annotations:
      value_size: large
  - key: ml.brush
    type: template[int]
    stability: development
    brief: Strokes by brush.
    examples: [3]
""",
    f"{MODEL}/spans.yaml": """\
file_format: definition/2
attribute_groups:
  - id: attributes.ml.colour
    visibility: internal
    attributes:
      - ref: ml.colour.name
        requirement_level: required
      - ref: ml.colour.kind
        requirement_level: recommended
spans:
  - type: ml.painting
    kind: internal
    name:
      note: "paint {ml.colour.name}"
    brief: One painting.
    stability: development
    requirement_level: recommended
    annotations:
      emitted_by: sdk
    entity_associations: [ml.palette]
    attributes:
      - ref_group: attributes.ml.colour
      - ref: ml.colour.name
        sampling_relevant: true
      - ref: ml.colour.hue
        requirement_level: recommended
      - ref: ml.colour.mix
        requirement_level:
          recommended: If it is known.
      - ref: ml.painter.name
        requirement_level: opt_in
      - ref: ml.canvas
        requirement_level: recommended
      - ref: ml.brush
        requirement_level: opt_in
      - ref: error.type
        requirement_level:
          conditionally_required: If the painting failed.
""",
    f"{MODEL}/metrics.yaml": """\
file_format: definition/2
metrics:
  - name: ml.painting.duration
    instrument: histogram
    unit: s
    brief: Duration of paintings.
    stability: development
    requirement_level: recommended
    annotations:
      emitted_by: sdk
      code_generation:
        metric_value_type: double
      bucket_boundaries: [0.1, 1, 10]
    attributes:
      - ref_group: attributes.ml.colour
  - name: ml.painting.strokes
    instrument: counter
    unit: "{stroke}"
    brief: Number of strokes.
    stability: development
    requirement_level: recommended
    annotations:
      emitted_by: sdk
      code_generation:
        metric_value_type: int
  - name: ml.painting.active
    instrument: updowncounter
    unit: "{painting}"
    brief: Number of paintings begun and not ended.
    stability: development
    requirement_level: recommended
    annotations:
      emitted_by: sdk
      code_generation:
        metric_value_type: int
  - name: ml.painting.dry
    instrument: gauge
    unit: "1"
    brief: Share of paintings that are dry.
    stability: development
    requirement_level: opt_in
    annotations:
      emitted_by: processor
      code_generation:
        metric_value_type: double
    attributes:
      - ref: ml.colour.hue
        requirement_level: opt_in
""",
    f"{MODEL}/events.yaml": """\
file_format: definition/2
events:
  - name: ml.paint.spilled
    brief: Paint was spilled.
    stability: development
    requirement_level: recommended
    annotations:
      emitted_by: processor
      severity: WARN
    attributes:
      - ref: ml.colour.name
        requirement_level: required
""",
    f"{MODEL}/entities.yaml": """\
file_format: definition/2
entities:
  - type: ml.palette
    brief: The colours at hand.
    stability: development
    requirement_level: recommended
    identity:
      - ref: ml.colour.name
        requirement_level: required
    description:
      - ref: ml.colour.mix
        requirement_level: opt_in
""",
}


@pytest.fixture
def write_registry(tmp_path: Path) -> Callable[..., Path]:
    """Write the small registry, with one passage of one file replaced, and give its folder."""

    def write(file: str = "", old: str = "", new: str = "") -> Path:
        for name, text in REGISTRY.items():
            if name == file:
                assert text.count(old) >= 1, f"{old!r} is not in {name}"
            changed = text.replace(old, new, 1) if name == file else text
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(changed, encoding="utf-8")
        return tmp_path

    return write
