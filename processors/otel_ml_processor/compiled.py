"""How the hot loops are compiled, and what there is without a compiler."""

from __future__ import annotations

from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

__all__ = ["IS_COMPILED", "compiled", "compiling_told", "folded", "lean", "plain"]

_Function = TypeVar("_Function", bound="Callable[..., Any]")
_Scalar = TypeVar("_Scalar", bound=np.generic)

IS_COMPILED: Final = find_spec("numba") is not None
"""Whether the functions that `compiled` has been put on become machine code; not where the extra `fast` is not installed."""


def compiled(function: _Function) -> _Function:
    """
    Return *function* compiled when it is first called, kept on disk for the next process where that can be, and run without Python's lock.

    Without numba *function* itself. Compiled or not it does the same; `NUMBA_BOUNDSCHECK=1` makes every access checked.
    """
    return _kept(function, {})


def lean(function: _Function) -> _Function:
    """
    Return *function*, which makes no array, compiled as `compiled` does: nothing in it counts the references to those that it is given.

    Counting takes longer than reading a few words. What it calls is to be lean too.
    """
    if not IS_COMPILED:
        return function
    from numba.core.cpu import CPUTargetOptions

    # No part of numba's promises, therefore looked for; without it only the time is another one.
    return _kept(function, {"_nrt": False} if hasattr(CPUTargetOptions, "_nrt") else {})


def _kept(function: _Function, options: dict[str, Any]) -> _Function:
    if not IS_COMPILED:
        return function
    import numba

    try:
        dispatcher: Any = numba.njit(cache=True, nogil=True, **options)(function)
    except RuntimeError:  # neither beside the code nor at home may anything be written
        dispatcher = numba.njit(nogil=True, **options)(function)
    return cast("_Function", dispatcher)


def folded(function: _Function) -> _Function:
    """
    Return *function* compiled as a part of every compiled function that calls it.

    A call that is not folded into its caller counts the references to every array it is given, which takes longer than reading a few words.
    """
    if not IS_COMPILED:
        return function
    import numba

    return cast("_Function", numba.njit(nogil=True, inline="always")(function))


@contextmanager
def compiling_told(tell: Callable[[], None]) -> Iterator[None]:
    """Call *tell* once where something is compiled within, and not where all of it is read from the disk."""
    if not IS_COMPILED:
        yield
        return
    from numba.core import event

    class Told(event.Listener):
        is_told = False

        def on_start(self, _: object) -> None:
            if not self.is_told:
                self.is_told = True
                tell()

        def on_end(self, _: object) -> None:
            pass

    with event.install_listener("numba:compile", Told()):
        yield


def plain(array: NDArray[_Scalar]) -> NDArray[_Scalar]:
    """
    Return *array*, or a copy, so that all that a compiled function is given are laid out alike: rows side by side, and free to be written.

    For arrays that are laid out otherwise it would be compiled anew, in the midst of the traffic.
    """
    return array if array.flags.carray else array.copy(order="C")
