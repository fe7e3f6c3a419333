"""All destinations of a configuration, connected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import grpc

from otel_ml_processor.forward.best_effort import BestEffort
from otel_ml_processor.forward.destinations import Destinations, Required
from otel_ml_processor.forward.http_client import OtlpHttpClient
from otel_ml_processor.forward.otlp_client import OtlpClient
from otel_ml_processor.forward.renewed import renewed_client
from otel_ml_processor.forward.tls import channel_credentials, channel_options, client_context
from otel_ml_processor.signals import Signal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from otel_ml_processor.config import Client as ClientConfig
    from otel_ml_processor.config import Destination, ForwardConfig
    from otel_ml_processor.forward.next_hop import Client
    from otel_ml_processor.self_metrics import SelfMetrics

__all__ = ["Forwarding", "grpc_client"]

_PLACE: Final = "$.forward"
_COMPRESSION: Final = {
    "none": grpc.Compression.NoCompression,
    "gzip": grpc.Compression.Gzip,
}


class Forwarding:
    """
    The next hop of *config* and its further destinations; paths are relative to *folder*.

    *counts* says for each signal how many items a request has.

    Raises:
        ConfigError: If an address is none or a certificate cannot be used.
    """

    def __init__(
        self,
        config: ForwardConfig,
        counts: Mapping[Signal, Callable[[bytes], int]],
        self_metrics: SelfMetrics,
        folder: Path,
    ) -> None:
        self._required: dict[Signal, list[Required]] = {signal: [] for signal in Signal}
        self._best_effort: list[BestEffort] = []
        self._require(config, tuple(Signal), folder, _PLACE)
        for index, copy in enumerate(config.also):
            place = f"{_PLACE}.also[{index}]"
            signals = tuple(Signal[name.upper()] for name in copy.signals)
            if copy.delivery == "required":
                self._require(copy, signals, folder, place)
            else:
                clients = {signal: _client(copy, signal, folder, place) for signal in signals}
                self._best_effort.append(
                    BestEffort(copy.endpoint, clients, copy.queue, copy.timeout, self_metrics)
                )
        self.send: Final = {
            signal: Destinations(
                signal, self._required[signal], self._best_effort, counts[signal]
            ).send
            for signal in Signal
        }
        """What forwards the requests of a signal."""

    def _require(
        self, config: Destination, signals: tuple[Signal, ...], folder: Path, place: str
    ) -> None:
        for signal in signals:
            client = _client(config, signal, folder, place)
            self._required[signal].append(Required(client, config.timeout))

    def close(self, grace_s: float) -> None:
        """Give best-effort destinations *grace_s* seconds to take what waits for them, and let go of all."""
        for destination in self._best_effort:
            destination.flush(grace_s)
            destination.close()
        for required in self._required.values():
            for client, _ in required:
                client.close()


def _client(config: Destination, signal: Signal, folder: Path, place: str) -> Client:
    if config.protocol == "grpc":
        return grpc_client(config, config.endpoint, signal.method, folder, place)
    return renewed_client(
        config.tls, folder, place, lambda: _http_client(config, signal, folder, place)
    )


def _http_client(config: Destination, signal: Signal, folder: Path, place: str) -> OtlpHttpClient:
    return OtlpHttpClient(
        config.endpoint,
        signal.path,
        place=f"{place}.endpoint",
        tls=client_context(config.tls, folder, place) if config.tls else None,
        server_name=config.tls.server_name_override if config.tls else None,
        headers=config.headers,
        compression=config.compression,
    )


def grpc_client(
    config: ClientConfig, endpoint: str, method: str, folder: Path, place: str
) -> Client:
    """
    Return a client of *method* at *endpoint*, spoken to as *config* says, which stands at *place*.

    Raises:
        ConfigError: If a certificate cannot be used.
    """

    def make() -> OtlpClient:
        return OtlpClient(
            endpoint,
            method,
            tls=channel_credentials(config.tls, folder, place) if config.tls else None,
            headers=config.headers,
            compression=_COMPRESSION[config.compression],
            options=channel_options(config.tls),
        )

    return renewed_client(config.tls, folder, place, make)
