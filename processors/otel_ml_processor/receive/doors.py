"""All doors that a configuration opens, with one budget of memory for what comes in through them together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_ml_processor.errors import ConfigError
from otel_ml_processor.receive.admission import Admission
from otel_ml_processor.receive.grpc_server import GrpcServer
from otel_ml_processor.receive.http_server import OtlpHttpServer

if TYPE_CHECKING:
    from pathlib import Path

    from otel_ml_processor.config import Config
    from otel_ml_processor.receive.door import ByTenant, Takes
    from otel_ml_processor.self_metrics import SelfMetrics

__all__ = ["Doors"]


class Doors:
    """
    The doors that `config.receive` names, behind which *takes* stands, or who takes what of each tenant; paths are relative to *folder*.

    Raises:
        ConfigError: If an address is none, or a file of certificates, tokens or passwords cannot be used.
    """

    def __init__(
        self,
        config: Config,
        takes: Takes,
        self_metrics: SelfMetrics,
        folder: Path,
        by_tenant: ByTenant | None = None,
    ) -> None:
        receive, is_open = config.receive, config.insecure_bind
        admission = Admission(receive.max_in_flight)
        self._doors: list[GrpcServer | OtlpHttpServer] = []
        if receive.http is not None:
            http = OtlpHttpServer(
                receive,
                receive.http,
                takes,
                admission,
                self_metrics,
                folder=folder,
                insecure_bind=is_open,
                by_tenant=by_tenant,
            )
            self._doors.append(http)
        # The last one: gRPC lets go of an address that it has taken only with the end of a server that has served.
        self._doors.append(
            GrpcServer(
                receive,
                takes,
                admission,
                self_metrics,
                folder=folder,
                insecure_bind=is_open,
                by_tenant=by_tenant,
            )
        )

    def bind(self) -> None:
        """
        Take all addresses, or none; requests that come before `start` wait.

        Raises:
            ConfigError: Naming the address that cannot be listened on.
        """
        try:
            for door in self._doors:
                door.bind()
        except ConfigError:
            self.stop(0)
            raise

    def start(self) -> None:
        """Serve."""
        for door in self._doors:
            door.start()

    def stop(self, grace_s: float) -> None:
        """Refuse new requests, give those in flight *grace_s* seconds to end, and cut off the rest."""
        for door in self._doors:
            door.stop(grace_s)
