"""Where a processor's own telemetry goes, as the environment says it."""

from __future__ import annotations

import pytest

from otel_ml_processor.config import ClientTls, Config, EmitConfig, Secret
from otel_ml_processor.errors import ConfigError
from otel_ml_processor.service import _push_target


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

    assert _push_target(Config())[0] == expected
    assert _push_target(Config(emit=EmitConfig(endpoint="other:1")))[0] == "other:1"


@pytest.mark.parametrize(
    ("said", "own", "expected"),
    [
        ("http://collector:4317", None, None),
        ("collector:4317", None, None),
        ("https://collector:4317", None, ClientTls()),
        ("https://collector:4317", ClientTls(ca_file="ca.pem"), ClientTls(ca_file="ca.pem")),
    ],
)
def test_https_in_the_environment_is_tls(
    monkeypatch: pytest.MonkeyPatch, said: str, own: ClientTls | None, expected: ClientTls | None
) -> None:
    """As an SDK understands it; in the clear nobody would answer there. Certificates that are configured hold."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", said)

    _, client = _push_target(Config(emit=EmitConfig(tls=own, headers={"a": Secret("b")})))

    assert client.tls == expected
    assert client.headers == {"a": "b"}


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
        _push_target(Config())
