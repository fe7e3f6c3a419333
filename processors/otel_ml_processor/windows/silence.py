"""Which stream, and which tenant, has been silent for longest: found without looking at all of them, for whoever invents names asks it for every row."""

from __future__ import annotations

from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from otel_ml_processor.columns import StreamKey

__all__ = ["Longest", "Silence"]

_Key = TypeVar("_Key")


class Longest(Generic[_Key]):
    """
    The keys that have been heard of, and which of them has been silent for longest; of several the one that came first.

    *heard_ns* says when a key was heard last. The heap knows the earliest that it can have been, and is put right where somebody looks.
    """

    def __init__(self, heard_ns: Callable[[_Key], int]) -> None:
        self._heard_ns = heard_ns
        self._numbers = count()
        self._standing: dict[_Key, tuple[int, int]] = {}
        self._heap: list[tuple[int, int, _Key]] = []

    def __len__(self) -> int:
        return len(self._standing)

    def __iter__(self) -> Iterator[_Key]:
        return iter(self._standing)

    def hear(self, key: _Key, heard_ns: int) -> None:
        """Note that *key* was heard, be it earlier than before: clocks are put back."""
        standing = self._standing.get(key)
        if standing is None:
            self._stand(heard_ns, next(self._numbers), key)
        elif heard_ns < standing[0]:
            self._stand(heard_ns, standing[1], key)

    def forget(self, key: _Key) -> None:
        """Know nothing of *key* any more."""
        del self._standing[key]

    def silent_since(self, limit_ns: int) -> _Key | None:
        """Return the key that has been silent for longest; None where all have been heard after *limit_ns*."""
        while self._heap and self._heap[0][0] <= limit_ns:
            earliest_ns, number, key = self._heap[0]
            if self._standing.get(key) == (earliest_ns, number):
                heard_ns = self._heard_ns(key)
                if heard_ns == earliest_ns:
                    return key
                self._stand(heard_ns, number, key)
            heappop(self._heap)  # heard since, gone, or standing elsewhere by now
        return None

    def _stand(self, heard_ns: int, number: int, key: _Key) -> None:
        self._standing[key] = (heard_ns, number)
        heappush(self._heap, (heard_ns, number, key))


class Silence:
    """The streams of every tenant by how long they have been silent; a tenant has been for as long as its last stream. *heard_ns* says when a stream was heard."""

    def __init__(self, heard_ns: Callable[[StreamKey], int]) -> None:
        self._heard_ns = heard_ns
        self._streams: dict[str, Longest[StreamKey]] = {}
        self._tenants: Longest[str] = Longest(self._heard_of_tenant_ns)

    def hear(self, stream: StreamKey, heard_ns: int) -> None:
        """Note that *stream* was heard."""
        if stream.tenant not in self._streams:
            self._streams[stream.tenant] = Longest(self._heard_ns)
        self._streams[stream.tenant].hear(stream, heard_ns)
        self._tenants.hear(stream.tenant, heard_ns)

    def forget(self, stream: StreamKey) -> None:
        """Know nothing of *stream* any more, and nothing of its tenant where that was the last one."""
        streams = self._streams[stream.tenant]
        streams.forget(stream)
        if not streams:
            del self._streams[stream.tenant]
            self._tenants.forget(stream.tenant)

    def knows(self, tenant: str) -> bool:
        """Return whether there is a stream of *tenant*."""
        return tenant in self._streams

    @property
    def n_tenants(self) -> int:
        """How many tenants have a stream."""
        return len(self._streams)

    def of(self, tenant: str) -> list[StreamKey]:
        """Return the streams of *tenant*, in the order in which they came."""
        return list(self._streams.get(tenant, ()))

    def n_streams(self, tenant: str) -> int:
        """Return how many streams *tenant* has."""
        return len(self._streams.get(tenant, ()))

    def stream(self, tenant: str, limit_ns: int) -> StreamKey | None:
        """Return the stream of *tenant*, which has one, that has been silent for longest; None where all have been heard after *limit_ns*."""
        return self._streams[tenant].silent_since(limit_ns)

    def tenant(self, limit_ns: int) -> str | None:
        """Return the tenant that has been silent for longest; None where all have been heard after *limit_ns*."""
        return self._tenants.silent_since(limit_ns)

    def _heard_of_tenant_ns(self, tenant: str) -> int:
        return max(map(self._heard_ns, self._streams[tenant]))
