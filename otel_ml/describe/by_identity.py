"""What is known of objects of the user's, without touching them."""

import weakref
from typing import Generic, TypeVar

__all__ = ["ByIdentity"]

_Fact = TypeVar("_Fact")


class ByIdentity(Generic[_Fact]):
    """
    What is known of living objects; nothing is stored on them, and none is kept alive.

    A `WeakKeyDictionary` would ask the object for `__eq__` and `__hash__`, which a user's class may
    define by its parameters: two models would then be taken for one.
    """

    __slots__ = ("_entries", "changes")

    def __init__(self) -> None:
        self.changes = 0  # how often something was remembered
        self._entries: dict[int, tuple[weakref.ref[object], _Fact]] = {}

    def get(self, owner: object) -> _Fact | None:
        """Return what was remembered of *owner*, or None."""
        entry = self._entries.get(id(owner))
        if entry is None:
            return None
        reference, fact = entry
        return fact if reference() is owner else None

    def remember(self, owner: object, fact: _Fact) -> None:
        """
        Remember *fact* for as long as *owner* lives.

        Raises:
            TypeError: If *owner* cannot be weakly referenced.
        """
        entries, key = self._entries, id(owner)

        def forget(reference: "weakref.ref[object]") -> None:
            entry = entries.get(key)
            if entry is not None and entry[0] is reference:
                del entries[key]

        entries[key] = (weakref.ref(owner, forget), fact)
        self.changes += 1
