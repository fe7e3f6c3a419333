"""What the span of a call says, for whoever looks at it first."""

from typing import Any

from otel_ml.record.channel import Channel
from otel_ml.record.deferred import DeferredAttributes, defer
from otel_ml.record.unread import Unread
from otel_ml_conventions.attributes import ML_BATCH_SIZE, ML_CALL_SEQUENCE, ML_CALL_STREAM

__all__ = ["Told"]


class Told:
    """
    What is known when a call begins and, once it is over, what it left to be looked at: all in one, in the caller's time.

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

    def wait(self, span: Any) -> bool:
        """
        Let *span* say this once somebody looks; False where it cannot wait, and has been said.

        Args:
            span: A span that records and has just begun, known to nobody else, of an SDK that is known.
        """
        try:
            span._attributes = DeferredAttributes(span._attributes, self)  # noqa: SLF001 - there is no public place, here and below
        except AttributeError:  # it is built in another way than is known
            span.set_attributes(self())
            return False
        return True

    def leave(self, span: Any, unread: Unread) -> None:
        """Let *span*, which waits for this, also say what *unread* says; where it is over it says nothing more."""
        if self._waits(span):
            self.unread = unread
            # Who looks says first that it begins, and asks afterwards: either it has found this, or we find that here.
            if self._waits(span):
                return
        defer(span, unread.facts)

    def _waits(self, span: Any) -> bool:
        """Whether *span* is not over, and nobody has begun to look."""
        if span._end_time is not None:  # noqa: SLF001
            return False
        own: dict[str, Any] = span._attributes.__dict__  # noqa: SLF001
        return own.get("_tell") is self
