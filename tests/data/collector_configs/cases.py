"""Configurations in the shape of what people run, and what one has to say to splice each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["APPEND", "CASES", "Case"]

FOLDER: Final = Path(__file__).parent
APPEND: Final = "--feature-gates=+confmap.enableMergeAppendOption"
ALL_MODES: Final = ("tee", "inline", "failover")


@dataclass(frozen=True)
class Case:
    """A collector, by the file or folder of its configuration."""

    name: str
    options: tuple[str, ...] = ()
    """What `otel-ml splice` has to be told beside the files."""
    modes: tuple[str, ...] = ALL_MODES
    """Those that can be had; the others are refused."""

    @property
    def files(self) -> list[Path]:
        """The files, in the order in which the collector gets them."""
        path = FOLDER / self.name
        return sorted(path.glob("*.yaml")) if path.is_dir() else [path.with_suffix(".yaml")]

    @property
    def arguments(self) -> list[str]:
        """Files and options as the command takes them."""
        return [*map(str, self.files), *self.options]


CASES: Final = (
    Case("minimal"),
    Case("agent"),
    Case("tail_sampling"),
    Case("span_metrics"),
    Case("tenants"),
    Case("joined", ("--pipeline", "traces/store")),
    Case("load_balancing"),
    Case("new_names"),
    Case("environment"),
    Case("anchors"),
    Case("two_stores", ("--pipeline", "traces/search")),
    Case("kubernetes_gateway"),
    Case("two_regions"),
    Case("layered"),
    Case("appending", (APPEND,), ("tee",)),
    Case("kubernetes_daemonset"),
)
