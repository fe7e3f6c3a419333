"""A pass over answers that are given one by one: one inference, whoever has a turn in between."""

from collections.abc import Callable
from time import perf_counter
from typing import Any, Final

from otel_ml.instrumentors._observing import Call, Observer
from otel_ml.instrumentors._turns import within
from otel_ml.running import running

__all__ = ["ANSWERED", "Pass"]

# The output of an inference that was answered one by one: of what was answered nothing is kept.
ANSWERED: Final = object()


class Pass:
    """
    The passes over one iterator of answers, one after the other.

    A pass is an inference from its first step until its last answer, until a step raises, or until
    it is given up or begun anew; one that was begun only, as `iter` does again in every `for`, is
    none. Its span is never the current one while the caller has its turn, and that time is not
    counted; of what was answered only the number is kept. For iterators that are no generators; of
    those `iterate` makes an inference.

    Args:
        observer: Makes the inference.
        method: What gave the iterator.
        model: What answers.
    """

    def __init__(self, observer: Observer, method: str, model: Any) -> None:
        self._observer = observer
        self._method = method
        self._model = model
        self._call: Call | None = None
        self._is_begun = False
        self._samples = 0
        self._seconds = 0.0

    def turn(
        self,
        original: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        *,
        begins: bool,
    ) -> Any:
        """Call *original*, `__iter__` or `__next__`, inside of which nothing else is an inference."""
        if running.get():
            return original(*args, **kwargs)
        if begins:
            self.end()
            self._is_begun = True
        elif self._is_begun:
            self._is_begun = False
            self._call = self._observer.open(self._method, (self._model,), {})
        answer = self._step(original, args, kwargs)
        self._samples += not begins
        return answer

    def _step(
        self, original: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        started = perf_counter()
        try:
            with within(self._model):
                answer = original(*args, **kwargs)
        except BaseException as error:
            self._seconds += perf_counter() - started
            self.end(None if isinstance(error, StopIteration) else error)
            raise
        self._seconds += perf_counter() - started
        return answer

    def end(self, error: BaseException | None = None) -> None:
        """End the inference, if one is under way."""
        call, self._call = self._call, None
        samples, seconds = self._samples, self._seconds
        self._samples, self._seconds = 0, 0.0
        if call is not None:
            call.batch_size = samples
            self._observer.close(call, ANSWERED, error, seconds)
