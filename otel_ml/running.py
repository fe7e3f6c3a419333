"""
What runs in this context: the one guard of all frameworks and of what users record by hand.

The outermost call of a model is the inference; calls inside of it are parts of it.
"""

from collections.abc import Sequence
from contextvars import ContextVar, Token
from typing import Final

__all__ = ["NOTHING", "NO_INFERENCE", "Entered", "enter", "leave", "running"]

NOTHING: Final[Sequence[int]] = ()
# Something inside of which no call of a model is an inference: training, a part of a parallel call.
NO_INFERENCE: Final = -1

running: Final[ContextVar[Sequence[int]]] = ContextVar("otel_ml_running", default=NOTHING)
"""
`NO_INFERENCE` or the identity (`id`) of the model that is being asked, alone in a list; nothing else in it where none is.

The list is emptied when the model has answered: a task that was started meanwhile has this context for as
long as it lives, and what it does afterwards is no part of that call.
"""


Entered = tuple[list[int], Token[Sequence[int]]]
"""What `enter` has put into force, for `leave`."""


def enter(what: int) -> Entered:
    """Let what follows in this context run inside of *what*, until `leave`."""
    inside = [what]
    return inside, running.set(inside)


def leave(entered: Entered) -> None:
    """Put back what `enter` found, also for whoever has taken its context along."""
    inside, token = entered
    inside.clear()
    try:  # in the caller's time, where `suppress` takes half a microsecond
        running.reset(token)
    except ValueError:  # closed in another context, by the garbage collector
        return
