"""Content goes into a vault of the service's own: telemetry says where, and by a keyed hash which inputs are the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conventions.scenarios.models import churn_model, named
from conventions.scenarios.shown import show

if TYPE_CHECKING:
    from conventions.scenarios.telemetry import Telemetry


def run(telemetry: Telemetry) -> None:
    """Ask about one customer, another, and the first again."""
    model = churn_model()
    vault: list[dict[str, Any]] = []

    def store(content: dict[str, Any], _span: Any) -> dict[str, Any]:
        vault.append(content)
        reference = f"vault://churn/{len(vault)}"
        return {"ml.content.reference": reference, "ml.input.hash": content["ml.input.hash"]}

    with telemetry.sdk(
        capture_content="span_and_event",
        capture_input_hash=True,
        input_hash_key="a secret",
        content_hook=store,
    ):
        for customer in ((1, 5), (2, 5), (1, 5)):
            model.predict(named(customer))


if __name__ == "__main__":
    show(run)
