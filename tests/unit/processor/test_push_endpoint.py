"""Where a processor's own telemetry goes, as the environment says it."""

from __future__ import annotations

import pytest

from otel_ml_processor.config import Config, EmitConfig
from otel_ml_processor.errors import ConfigError
from otel_ml_processor.service import _push_endpoint


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (None, "127.0.0.1:14319"),
        ("", "127.0.0.1:14319"),
        ("http://collector:4317", "collector:4317"),
        ("https://collector:4317/otlp", "collector:4317"),
        ("collector:4317", "collector:4317"),
        ("[::1]:4317", "[::1]:4317"),
    ],
)
def test_the_environment_says_where_our_own_telemetry_goes(
    monkeypatch: pytest.MonkeyPatch, said: str | None, expected: str
) -> None:
    """With a scheme or, as exporters over gRPC take it too, without; by default where our collector fragment listens."""
    if said is None:
        monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    else:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", said)

    assert _push_endpoint(Config()) == expected
    assert _push_endpoint(Config(emit=EmitConfig(endpoint="other:1"))) == "other:1"


@pytest.mark.parametrize(
    "said", ["http://127.0.0.1:14317", "localhost:14318", "http://[::1]:14317"]
)
def test_our_own_receiver_is_no_place_for_our_own_telemetry(
    monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    """However its address is written: what we say would come back to us."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", said)

    with pytest.raises(
        ConfigError, match=r"^OTEL_EXPORTER_OTLP_ENDPOINT: expected another address"
    ):
        _push_endpoint(Config())
