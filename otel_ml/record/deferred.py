"""
Attributes of a span that are worked out when somebody first looks at them, and not before.

A span that has ended is read by an exporter, a moment later and in a thread of its own; what describes
a call need not keep the caller waiting. Whoever does look at once, in whatever thread, a processor
of the user's or the user, finds all of them there.

The SDK has no such attributes. Those of its spans are a type of its API that keeps everything in four
or five places of its own: ours has none of these until one is asked for, then fills them by the SDK's
own code, with the SDK's own limits, and is from then on of the SDK's type itself.
"""

import os
import threading
from collections.abc import Callable
from typing import Any, Final

from opentelemetry.attributes import BoundedAttributes

from otel_ml.describe.values import Facts

__all__ = ["DeferredAttributes", "defer"]


class _Resolving:
    """The lock of all that is resolved: what two threads ask for is worked out once."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        # One for all, for it is held for well below a millisecond. A thread may come again while it holds
        # it: a log handler, say, that looks at another span when something fails here.
        self.lock = threading.RLock()


_resolving: Final = _Resolving()
if hasattr(os, "register_at_fork"):  # a thread that held it does not live on in the child
    os.register_at_fork(after_in_child=_resolving.begin)


class DeferredAttributes(BoundedAttributes):
    """
    The attributes of a span: those it has *earlier*, and after them those that *tell* returns.

    Args:
        earlier: Attributes that nobody else changes from now on; they may be deferred themselves.
        tell: Returns more of them, and does not raise. It is called at most once.
    """

    def __init__(self, earlier: BoundedAttributes, tell: Callable[[], Facts]) -> None:
        # Not the SDK's own beginning: what that would put into place is what `__getattr__` waits for.
        self._earlier = earlier
        self._tell = tell

    # Functions do it, no method: another thread may change the class between finding one and calling it.
    def __getattr__(self, name: str) -> Any:
        _resolve(self)
        return object.__getattribute__(self, name)

    def __reduce_ex__(self, protocol: Any) -> Any:
        _resolve(self)
        return self.__reduce_ex__(protocol)  # the SDK's, of whose type it is now


def _resolve(attributes: DeferredAttributes) -> None:
    """Work out *attributes*, if that is not done yet."""
    with _resolving.lock:
        if type(attributes) is not DeferredAttributes:
            return  # another thread has done it
        own = vars(attributes)
        earlier, tell = own["_earlier"], own["_tell"]
        if type(earlier) is DeferredAttributes:
            _resolve(earlier)
        # First, for who looks at them while they are worked out, and for who has more to tell until then.
        own["_tell"] = dict
        # All together where the SDK can: each by itself takes twice as long.
        getattr(earlier, "_set_items", earlier.update)(tell())
        own.pop("_earlier", None)
        own.pop("_tell", None)
        own.update({**vars(earlier), **own})  # own: that nobody may change them any more
        attributes.__class__ = BoundedAttributes  # type: ignore[assignment]  # it has all that one has, and nothing else


def defer(span: Any, tell: Callable[[], Facts]) -> None:
    """
    Give *span* the attributes that *tell* returns, when they are needed; none where it is over.

    Args:
        span: A span that records, of an SDK that is known.
        tell: Returns the attributes, and does not raise. It is called at most once.
    """
    try:
        with span._lock:  # noqa: SLF001 - there is no public place, here and below
            if span._end_time is None:  # noqa: SLF001
                span._attributes = DeferredAttributes(span._attributes, tell)  # noqa: SLF001
    except AttributeError:  # it is built in another way than is known
        span.set_attributes(tell())
