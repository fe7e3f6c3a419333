"""A call of a model that no instrumentor knows, told by who makes it."""

from collections.abc import Iterable, Sequence
from typing import Any

from opentelemetry import trace

from otel_ml.by_hand.calls import Call, Identity
from otel_ml_conventions import attributes as keys

__all__ = ["inference"]


def inference(
    name: str,
    *,
    version: str | None = None,
    operation: str = "predict",
    task: str | None = None,
    framework: str = "other",
    features: Any = None,
    feature_names: Sequence[str] | None = None,
    batch_size: int | None = None,
    prediction_id: object = None,
    threshold: float | None = None,
    seed: int | None = None,
    device: str | None = None,
    links: Iterable[trace.SpanContext | trace.Span] = (),
) -> "Call":
    """
    Return a call of model *name*, to be made inside of a `with` block: one inference, one span.

    ```python
    with otel_ml.inference("fraud", version="3", features={"amount": 12.5}) as call:
        call.output(probabilities={"ok": 0.9, "fraud": 0.1})
    ```

    What an instrumented framework does inside is part of it, as is an `inference` inside. An
    exception that leaves the block is the inference's, and goes on untouched. Values of features
    leave the process only where the settings say so, as for instrumented frameworks, and inputs and
    answers are validated alike. Nothing here raises because of what it is given; what cannot be told
    is counted and logged once.

    Args:
        name: Name of the model, of low cardinality.
        version: Its version in a registry, a tag, or a commit.
        operation: A value of `ml.operation.name`: `predict`, `embed`, `transform` ...
        task: A value of `ml.task.type`.
        framework: A value of `ml.framework.name`.
        features: The samples in rows: an array, a data frame, a sequence; one sample may be a
            mapping, a text, a number, or a row of a data frame: a series whose index names the features, where
            neither it nor its index has a name of text. A flat sequence is several samples of one
            value each.
        feature_names: Names of the columns, in order, where *features* carry none.
        batch_size: Number of samples, where *features* do not tell it.
        prediction_id: What feedback will call the prediction; unique, and nothing about a person.
        threshold: Score or probability from which on the model decides for the class.
        seed: Seed of the random numbers that the model draws.
        device: Device that the model runs on, as its framework names it.
        links: Span contexts (or spans) of the requests that this one call serves at once.

    Raises:
        ValidationError: Where the block begins, if *features* break a rule and the settings ask for
            such calls to be rejected.
    """
    return Call(
        Identity(name, version, operation, task, framework),
        features,
        feature_names=feature_names,
        batch_size=batch_size,
        prediction_id=prediction_id,
        facts={
            keys.ML_PREDICTION_THRESHOLD: threshold,
            keys.ML_RANDOM_SEED: seed,
            keys.ML_DEVICE_NAME: device,
        },
        links=links,
    )
