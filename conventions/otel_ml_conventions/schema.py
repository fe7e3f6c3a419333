"""
The URL of the schema of the conventions.

Generated from conventions/model by `python -m conventions.generate write`; what is edited here
is overwritten.
"""

from __future__ import annotations

from typing import Final


SCHEMA_URL: Final = "https://otel-ml.example/schemas/otel-ml-dev/0.1.0-dev"
"""Inferences of machine-learning models, and the drift and confidence of what they answer."""
