"""What this installation can do, as `otel-ml processor components` prints it."""

from __future__ import annotations

import platform
from importlib.metadata import version
from typing import get_args, get_type_hints

import yaml

from otel_ml_processor.compiled import IS_COMPILED
from otel_ml_processor.config import Config, DriftConfig

__all__ = ["components_text"]


def components_text() -> str:
    """Return the parts that a configuration may name, and the versions that they run on, as YAML."""
    scores = get_args(get_args(get_type_hints(DriftConfig)["scores"])[0])
    text: str = yaml.safe_dump(
        {
            "version": version("otel-ml"),
            "python": platform.python_version(),
            "grpcio": version("grpcio"),
            "modes": list(get_args(get_type_hints(Config)["mode"])),
            "receivers": {"otlp": _otlp()},
            "exporters": {
                "otlp": _otlp(),
                "prometheus": {"signals": ["metrics"]},
            },
            "decoder": "compiled" if IS_COMPILED else "plain",
            "windows": ["length", "rows"],
            "drift scores": list(scores),
        },
        sort_keys=False,
    )
    return text


def _otlp() -> dict[str, list[str]]:
    """Return what both ends speak and take; metrics and logs go by as they came."""
    return {"protocols": ["grpc", "http"], "signals": ["traces", "metrics", "logs"]}
