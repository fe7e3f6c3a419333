"""Who answers for an observable instrument: of each name a provider has one, however many recorders there are."""

import weakref
from collections.abc import Iterator
from typing import Any, Generic, TypeVar

__all__ = ["Reporters"]

_Member = TypeVar("_Member")


class Reporters(Generic[_Member]):
    """
    All of one kind that report to the same provider.

    The SDK drops the callbacks of a second observable instrument of a name, and keeps those of the first for
    ever. So the first that joins makes the instruments, whose callbacks ask all that are there then; none is kept alive by it.
    """

    def __init__(self) -> None:
        self._members: weakref.WeakSet[Any] = weakref.WeakSet()
        self._of_others: weakref.WeakKeyDictionary[object, Reporters[_Member]] = (
            weakref.WeakKeyDictionary()
        )
        self._is_asked = False

    def of(self, provider: object | None) -> "Reporters[_Member]":
        """Return those that report to *provider*; these here where it is the global one, now or later."""
        if provider is None:
            return self
        return self._of_others.setdefault(provider, Reporters())

    def join(self, member: _Member) -> bool:
        """Let *member* report; return whether instruments have to be made that ask all of them."""
        self._members.add(member)
        is_first, self._is_asked = not self._is_asked, True
        return is_first

    def __iter__(self) -> Iterator[_Member]:
        """Yield those that are still there."""
        yield from list(self._members)
