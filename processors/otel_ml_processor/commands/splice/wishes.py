"""What the operator asks for, and the names and addresses that follow from it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from otel_ml_processor.commands.splice.layers import resolved
from otel_ml_processor.endpoint import host_and_port
from otel_ml_processor.errors import ConfigError

if TYPE_CHECKING:
    from otel_ml_processor.commands.splice.placement import Said

__all__ = [
    "DEFAULT_HOP",
    "DEFAULT_NAME",
    "DEFAULT_RETURN",
    "THIS_MACHINE",
    "Hop",
    "Mode",
    "Names",
    "Wishes",
]

Mode = Literal["tee", "inline", "failover"]

DEFAULT_NAME: Final = "otel_ml"
DEFAULT_HOP: Final = "${env:OTEL_ML_ENDPOINT:-127.0.0.1:14317}"
DEFAULT_RETURN: Final = "${env:OTEL_ML_RETURN_ENDPOINT:-127.0.0.1:14319}"

_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
THIS_MACHINE: Final = frozenset({"127.0.0.1", "localhost", "::1"})
"""Hosts by which a machine speaks to itself."""


@dataclass(frozen=True, slots=True)
class Names:
    """The names of the parts that are added; all of them end in one word."""

    word: str = DEFAULT_NAME
    otlp: str = "otlp"
    """The type of the OTLP exporter: `otlp`, which all collectors read, or `otlp_grpc`, its name from 0.144 on."""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.word):
            raise ConfigError(
                f"--name: expected letters, digits, '_', '-' or '.', found {self.word!r}"
            )

    @property
    def exporter(self) -> str:
        """The exporter to the processor."""
        return f"{self.otlp}/{self.word}"

    @property
    def receiver(self) -> str:
        """The receiver of what comes back."""
        return f"otlp/{self.word}_return"

    @property
    def batch(self) -> str:
        """The batch processor before the hop."""
        return f"batch/{self.word}"

    @property
    def filter(self) -> str:
        """The filter that leaves inferences."""
        return f"filter/{self.word}"

    @property
    def feedback_filter(self) -> str:
        """The filter that leaves feedback and explanations among the logs."""
        return f"filter/{self.word}_feedback"

    @property
    def feedback_exporter(self) -> str:
        """The exporter of feedback, where that of the spans has no queue."""
        return f"{self.otlp}/{self.word}_feedback"

    @property
    def feedback(self) -> str:
        """The pipeline of logs that ends at the processor."""
        return f"logs/{self.word}_feedback"

    @property
    def returned_filter(self) -> str:
        """The filter that takes out what was a copy when it comes back."""
        return f"filter/{self.word}_returned"

    @property
    def log(self) -> str:
        """The exporter into the collector's log."""
        return f"debug/{self.word}"

    @property
    def failover(self) -> str:
        """The connector that chooses between the hop and the direct way."""
        return f"failover/{self.word}"

    @property
    def to_hop(self) -> str:
        """The pipeline of traces that ends at the processor."""
        return f"traces/{self.word}"

    @property
    def onward(self) -> str:
        """The pipeline of traces that goes on from the processor to where the traces went before."""
        return f"traces/{self.word}_return"

    @property
    def verdicts(self) -> str:
        """The pipeline of verdict spans."""
        return f"traces/{self.word}_verdicts"


@dataclass(frozen=True, slots=True)
class Hop:
    """Where the processor is, and where it sends to; `${env:NAME:-host:port}` is kept as it is written."""

    to: str = DEFAULT_HOP
    back: str = DEFAULT_RETURN
    is_insecure: bool = False
    """Whether the network itself is closed, so that spans may go without TLS beyond this machine."""

    def __post_init__(self) -> None:
        for option, endpoint in (("--processor", self.to), ("--return", self.back)):
            if not endpoint.isprintable():
                raise ConfigError(f"{option}: expected host:port, got {endpoint!r}")
            if "${" not in resolved(endpoint):
                host_and_port(option, resolved(endpoint))

    @property
    def is_here(self) -> bool:
        """Whether the processor is on the machine of the collector."""
        return _is_here(self.to)

    @property
    def returns_here(self) -> bool:
        """Whether what comes back is taken in from this machine alone."""
        return _is_here(self.back)


def _is_here(endpoint: str) -> bool:
    return resolved(endpoint).rpartition(":")[0].strip("[]") in THIS_MACHINE


@dataclass(frozen=True, slots=True)
class Wishes:
    """The options of one call."""

    mode: Mode
    said: Said
    hop: Hop
    word: str = DEFAULT_NAME
    pipeline: str | None = None
    only_inferences: bool = False
    """Whether the copy (mode `tee`) holds spans of inferences alone."""
    with_feedback: bool = True
    """Whether feedback that comes as log records is handed over, too."""
    appends: bool = False
    """Whether the collector joins lists of later files (feature gate `confmap.enableMergeAppendOption`)."""

    def __post_init__(self) -> None:
        if self.only_inferences and self.mode != "tee":
            raise ConfigError(
                f"--only-inferences: expected --mode tee, found {self.mode}, where all spans pass through the processor"
            )
