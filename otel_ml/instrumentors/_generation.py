"""Models of transformers that generate text: what is told of a call, in upstream's words."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from otel_ml.instrumentors._hugging_face import hub_metadata
from otel_ml.instrumentors._observing import Observer
from otel_ml.record.generation import GenerationRecorder
from otel_ml.running import running

__all__ = ["Generation"]

# OpenTelemetry's names, which its conventions of generative calls may still change.
_OPERATION: Final = "gen_ai.operation.name"
_PROVIDER: Final = "gen_ai.provider.name"
_MODEL: Final = "gen_ai.request.model"
_INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
_OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
_ASKED: Final = {
    "max_new_tokens": "gen_ai.request.max_tokens",
    "temperature": "gen_ai.request.temperature",
    "top_k": "gen_ai.request.top_k",
    "top_p": "gen_ai.request.top_p",
}
_COMPLETES: Final = "text_completion"
_TABLE_AXES: Final = 2


class Generation:
    """
    Lets a model generate, inside of which nothing is an inference, and makes a span of it.

    Args:
        observer: Guards what runs inside.
        recorder: Makes the span; None where nobody asked for `gen_ai.*`.
    """

    def __init__(self, observer: Observer, recorder: GenerationRecorder | None) -> None:
        self._observer = observer
        self._recorder = recorder

    def observe(
        self, original: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Call *original*, `generate`; it is a span only if no call of a model is under way."""
        recorder = None if running.get() else self._recorder
        guard = self._observer.guard
        if recorder is None or not args:
            return guard(original, trains=False, args=args, kwargs=kwargs)
        attributes = _asked(args, kwargs)
        span = recorder.start(f"{_COMPLETES} {attributes[_MODEL]}", attributes)
        try:
            output = guard(original, trains=False, args=args, kwargs=kwargs)
        except BaseException as error:
            recorder.finish(span, {}, error)
            raise
        recorder.finish(span, _used(args, kwargs, output))
        return output


def _asked(args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    model = args[0]
    facts: dict[str, Any] = {
        _OPERATION: _COMPLETES,
        _PROVIDER: "transformers",
        _MODEL: type(model).__name__,
    }
    with suppress(Exception):  # a model of the user's may raise anything
        facts[_MODEL] = hub_metadata(getattr(model, "config", None)).name or facts[_MODEL]
        config = kwargs.get("generation_config") or getattr(model, "generation_config", None)
        for name, key in _ASKED.items():
            value = kwargs.get(name, getattr(config, name, None))
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                facts[key] = value if name == "max_new_tokens" else float(value)
    return facts


def _used(args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> dict[str, int]:
    """Return the tokens of a single text; of several, some would be padding, which shapes do not tell."""
    with suppress(Exception):  # an output may be anything
        given: Any = args[1] if len(args) > 1 else kwargs.get("input_ids", kwargs.get("inputs"))
        made = getattr(output, "sequences", output)
        if len(given.shape) == len(made.shape) == _TABLE_AXES and made.shape[0] == 1:
            length, total = int(given.shape[1]), int(made.shape[1])
            begun = length
            if args[0].config.is_encoder_decoder:  # which begins with a token that says so
                said = kwargs.get("decoder_input_ids")
                begun = 1 if said is None else int(said.shape[1])
            return {_INPUT_TOKENS: length, _OUTPUT_TOKENS: total - begun}
    return {}
