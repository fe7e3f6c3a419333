"""What the span of a call says, for whoever looks at it first."""

from typing import Any

from otel_ml.record.channel import Channel
from otel_ml.record.unread import Unread
from otel_ml_conventions.attributes import ML_BATCH_SIZE, ML_CALL_SEQUENCE, ML_CALL_STREAM

__all__ = ["Told"]


class Told:
    """
    What is known when a call begins and, once it is over, what it left to be looked at.

    Args:
        channel: What it shares with other calls.
        number: The how-manieth call of its model it is.
        stream: In what those are numbered.
        batch_size: Its number of samples, None where that is not known yet.

    Attributes:
        unread: What it left, None until then.
    """

    unread: Unread | None = None

    def __init__(self, channel: Channel, number: int, stream: str, batch_size: int | None) -> None:
        self._channel = channel
        self._number = number
        self._stream = stream
        self._batch_size = batch_size

    def __call__(self) -> dict[str, Any]:
        """Return what is known now."""
        facts = {
            **self._channel.attributes,
            ML_CALL_SEQUENCE: self._number,
            ML_CALL_STREAM: self._stream,
        }
        if self._batch_size is not None:
            facts[ML_BATCH_SIZE] = self._batch_size
        if self.unread is not None:
            facts.update(self.unread.facts())
        return facts
