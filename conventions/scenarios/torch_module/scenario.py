"""A network of PyTorch: where it runs and in which precision, and how sure it is, for it ends in a softmax."""

import math

import torch

from conventions.scenarios.shown import show
from conventions.scenarios.telemetry import Telemetry


class Churn(torch.nn.Sequential):  # type: ignore[misc]  # where torch is not installed it has no types
    """A network that gives its second class the probability 3**x / (1 + 3**x), of one input x."""

    def __init__(self) -> None:
        super().__init__(torch.nn.Linear(1, 2), torch.nn.Softmax(dim=1))
        self.load_state_dict(
            {"0.weight": torch.tensor([[0.0], [math.log(3)]]), "0.bias": torch.zeros(2)}
        )


def run(telemetry: Telemetry) -> None:
    """Call it in training, of which nothing is told, and then for one sample, in single precision and in half."""
    model = Churn()
    with telemetry.sdk():
        model(torch.ones(1, 1))
        model.eval()
        with torch.inference_mode():
            model(torch.ones(1, 1))
            model.to(torch.bfloat16)(torch.zeros(1, 1, dtype=torch.bfloat16))


if __name__ == "__main__":
    show(run)
