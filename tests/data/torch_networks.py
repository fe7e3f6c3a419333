"""Networks of PyTorch that the tests ask."""

from typing import Any

import torch
import torch._dynamo  # before us: it keeps the call of modules that it finds, and looks into another
from torch import nn

from otel_ml.testing import Capture

__all__ = ["CANARY", "SAMPLES", "WARNINGS", "Fixed", "Net", "names", "trained"]

CANARY = 424242.5
SAMPLES = torch.ones(2, 4)

# torch itself warns of what it will give up: scripts, traces and its old quantisation.
WARNINGS = (
    "ignore:.*is deprecated:FutureWarning",
    "ignore:.*is deprecated:DeprecationWarning",
    "ignore:.*torch.ao.quantization:DeprecationWarning",
    "ignore:.*quantized tensor creation functions:UserWarning",
)


class Net(nn.Module):
    """A network of several layers, as people write them."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))

    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        """Return logits of three classes."""
        logits: torch.Tensor = self.body(samples)
        return logits


class Fixed(nn.Module):
    """A network that has its answer ready."""

    def __init__(self, answer: Any) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, *_args: Any, **_kwargs: Any) -> Any:
        """Return the answer."""
        return self.answer


def trained() -> Net:
    """Return a network that is not in training."""
    torch.manual_seed(0)
    return Net().eval()


def names(seen: Capture) -> list[str]:
    """Return the names of the spans there are, and forget them."""
    found = [span.name for span in seen.spans]
    seen.clear()
    return found
