"""One call of a model by hand: what is told of it while it goes on, and how it becomes an inference."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from time import perf_counter, time_ns
from types import TracebackType
from typing import Any, Final, NamedTuple

from opentelemetry import trace

from otel_ml.by_hand.capture import Capture, capture_of, table_of
from otel_ml.by_hand.checks import Checks
from otel_ml.by_hand.operations import version_of
from otel_ml.by_hand.outputs import (
    UnreadableError,
    describe_confidence,
    describe_distributions,
    describe_embedding,
    describe_interval,
    describe_labels,
    describe_scores,
    describe_values,
    probabilities_text,
    read_probabilities,
)
from otel_ml.by_hand.prediction_ids import context_of, id_of, plain_id
from otel_ml.by_hand.typed import size, text, typed, whole
from otel_ml.describe.arrays import Table
from otel_ml.describe.inputs import describe_form
from otel_ml.describe.models import Model
from otel_ml.describe.probabilities import class_label
from otel_ml.describe.samples import draw_rows
from otel_ml.describe.validation import ValidationError
from otel_ml.describe.values import Facts, own_text
from otel_ml.in_force import in_force
from otel_ml.record.channel import Channel
from otel_ml.record.current import attach, detach
from otel_ml.record.inference import Inference
from otel_ml.record.recent import recent
from otel_ml.record.recording import Recording
from otel_ml.record.tracing import is_enabled
from otel_ml.recorder import InferenceRecorder
from otel_ml.running import NO_INFERENCE, Entered, enter, leave, running
from otel_ml_conventions import attributes as keys

__all__ = ["Call", "Identity"]

_MAX_CHANNELS: Final = 1024


class Identity(NamedTuple):
    """Whose call it is: what all calls of one model by one way have in common."""

    name: str
    version: str | None
    operation: str
    task: str | None
    framework: str
    function_name: str | None = None

    def channel(self, recorder: InferenceRecorder) -> Channel:
        """Return what these calls share under *recorder*."""
        channels = capture_of(recorder).channels
        channel = channels.get(self)
        if channel is None:
            if len(channels) >= _MAX_CHANNELS:  # somebody puts what varies into a name
                channels.clear()
            channel = recorder.channel(self.model(), self.operation, self.function_name)
            channels[self] = channel
        return channel

    def model(self) -> Model:
        """Return the model, as far as it is told."""
        version = None if self.version is None else text(self.version)
        return Model(
            text(self.name), version, "", self.framework, version_of(self.framework), self.task
        )


class Call:
    """
    One call of a model, told by hand; `inference` makes it.

    Where it is made inside of another call it is a part of that, and tells nothing itself unless
    parts are to be captured. Neither does it where telemetry is suppressed.
    """

    __slots__ = (
        "_batch_size",
        "_capture",
        "_checks",
        "_facts",
        "_feature_names",
        "_features",
        "_identity",
        "_inputs",
        "_inside",
        "_links",
        "_missing_count",
        "_outer",
        "_outputs",
        "_prediction_id",
        "_recorder",
        "_recording",
        "_rows",
        "_table",
    )

    _recorder: InferenceRecorder
    _capture: Capture
    _checks: Checks
    _table: Table

    def __init__(
        self,
        identity: Identity,
        features: Any = None,
        *,
        feature_names: Sequence[str] | None = None,
        batch_size: int | None = None,
        prediction_id: object = None,
        facts: Mapping[str, Any] | None = None,
        links: Iterable[trace.SpanContext | trace.Span] = (),
    ) -> None:
        self._identity = identity
        self._features = features
        self._feature_names = feature_names
        self._batch_size = batch_size
        self._prediction_id = prediction_id
        self._facts = facts or {}
        self._links = links
        self._recording: Recording | None = None
        self._outer: Recording | None = None
        self._inside: Entered | None = None
        self._rows: Sequence[int] | None = None
        self._missing_count: int | None = None
        self._inputs: dict[str, Any] = {}
        self._outputs: dict[str, Any] = {}

    @property
    def prediction_id(self) -> str | None:
        """
        What feedback will call this prediction, also after the block.

        It is what the caller gave, else the address of the span; the outer call's where this one is
        a part of it; None where nothing is recorded.
        """
        recording = self._recording or self._outer
        return None if recording is None else id_of(recording)

    def output(
        self,
        *,
        label: object = None,
        labels: Any = None,
        probabilities: Any = None,
        classes: Sequence[Any] | None = None,
        confidence: Any = None,
        value: Any = None,
        interval: Any = None,
        score: Any = None,
        embedding: Any = None,
    ) -> None:
        """
        Tell what the model answered; what is given again replaces what was told before.

        Every argument takes one sample's answer or a sequence of them, array, data frame or not. Values,
        intervals, scores and the probabilities of all classes leave only where the settings say
        `capture_outputs="full"`; embeddings never do.

        Args:
            label: The predicted class of one sample.
            labels: The predicted class of each sample.
            probabilities: Of each class: a mapping, a row of a data frame, or numbers in the order of *classes*; of several
                samples a sequence of them, an array of shape (n_samples, n_classes), or a data frame
                whose columns are called as the classes.
            classes: Classes of the columns of *probabilities*.
            confidence: Probability of the predicted class.
            value: The predicted number.
            interval: Lower and upper end of the predicted interval of one sample.
            score: An uncalibrated score.
            embedding: The vector, of which dimension and length are told.
        """
        if not self._takes_answers():
            return
        answers = {
            "label": label,
            "labels": labels,
            "probabilities": probabilities,
            "confidence": confidence,
            "value": value,
            "interval": interval,
            "score": score,
            "embedding": embedding,
        }
        for name, answer in answers.items():
            if answer is not None:
                self._checks.look_at_output(name, answer, self._table.rows)
        if not self._capture.tells_outputs:
            return
        if probabilities is not None:
            self._tell(self._probabilities, probabilities, classes)
        told = [
            (describe_labels, label),
            (describe_labels, labels),
            (describe_confidence, confidence),
            (describe_embedding, embedding),
        ]
        if self._capture.tells_all:
            told += [
                (describe_values, value),
                (describe_interval, interval),
                (describe_scores, score),
            ]
        for describe, answer in told:
            if answer is not None:
                self._tell(describe, answer, self._positions)

    def read_output(self, read: Callable[[Any], Mapping[str, Any]], result: Any) -> None:
        """Tell what *read* makes of *result*: the arguments of `output`."""
        if not self._takes_answers():
            return
        try:
            self.output(**read(result))
        except Exception as error:  # noqa: BLE001 - a function of the user's may raise anything
            self._recorder.failed("describe_output", error)

    def fallback(self, reason: str) -> None:
        """Tell that something else answered in place of the model, and why, in a word of the code's."""
        if self._recording is not None and self._takes_answers():
            # A text so long that it may quote something becomes its hash, as a label does.
            self._tell(lambda: {keys.ML_FALLBACK_REASON: class_label(reason)})
            self._recording.fallback_reason = self._outputs.get(keys.ML_FALLBACK_REASON)

    def retried(self, count: int = 1) -> None:
        """Tell that the call was tried again, *count* times more; the first try does not count."""
        if self._takes_answers():
            so_far = self._outputs.get(keys.ML_RETRY_COUNT, 0)
            self._tell(lambda: {keys.ML_RETRY_COUNT: size(so_far + whole(count))})

    def refuse(self, reason: str) -> None:
        """Count, and log once with its *reason*, that something told cannot be meant."""
        if self._recording is not None:
            self._recorder.refused("describe_output", reason)

    def _takes_answers(self) -> bool:
        if self._recording is None:
            return False
        if self._recording.has_ended:
            self.refuse("expected answers inside of the block, found one after its end")
        return not self._recording.has_ended

    def __enter__(self) -> "Call":  # noqa: PYI034 - `Self` came with Python 3.11
        self.open()
        is_under_way = self._recording is not None and not self._recording.has_ended
        if is_under_way and self._inside is None:
            self._inside = enter(id(self))
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        if self._inside is not None:
            leave(self._inside)
            self._inside = None
        # A generator around the block that nobody wants more of has not failed.
        self.close(None if isinstance(error, GeneratorExit) else error)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Make a call that was opened as not current the current one, for one of its turns."""
        if self._recording is None:
            yield
            return
        inside = enter(id(self))
        try:
            with recent.during(self._recording), _in_span(self._recording.span):
                yield
        finally:
            leave(inside)

    def open(self, *, is_current: bool = True) -> None:
        """Begin; with *is_current* false nothing of the call is current but in its `turn`s."""
        recorder = in_force()
        if self._recording is not None:
            recorder.refused(
                "begin_inference", "expected a call for each block, found one of before"
            )
            return
        try:
            if _is_inference(recorder):
                self._begin(recorder, is_current=is_current)
            else:
                self._outer = recent.under_way()
        except ValidationError:  # of which the settings say that it is the caller's
            raise
        except Exception as error:  # noqa: BLE001 - what a user gives may raise anything
            recorder.failed("begin_inference", error)
        except BaseException as interruption:  # from a keyboard, say: nobody else will end it
            self.close(interruption)
            raise

    def _begin(self, recorder: InferenceRecorder, *, is_current: bool) -> None:
        self._recorder = recorder
        self._capture = capture_of(recorder)
        self._checks = Checks(recorder)
        self._table = self._read_features()
        if self._batch_size is not None:
            told = typed({keys.ML_BATCH_SIZE: self._batch_size}, recorder.failed)
            self._batch_size = told.get(keys.ML_BATCH_SIZE)
        links = self._read_links()
        channel = self._identity.channel(recorder)
        rows = self._size()
        self._recording = Recording(channel, rows)
        recorder.begin(self._recording, is_current=is_current, links=links)
        if self._prediction_id is not None:
            self._recording.prediction_id = plain_id(self._prediction_id)
        try:
            self._describe_input(self._recording)
        except Exception as error:  # noqa: BLE001 - an input of the user's may raise anything
            recorder.failed("describe_input", error)
        if self._features is not None:
            self._validate_input()

    def _validate_input(self) -> None:
        try:
            self._checks.look_at_input(self._table, self._names(), self._identity.model())
        except ValidationError as rejection:
            self.close(rejection)
            raise

    def _names(self) -> tuple[str, ...] | None:
        """Return the names of the columns that the caller gave; a text is the one of one column."""
        names = self._feature_names
        if isinstance(names, str):
            names = (names,)
        return None if names is None else tuple(map(own_text, names))

    def _read_links(self) -> list[trace.Link] | None:
        try:
            return _links(self._links) or None
        except Exception as error:  # noqa: BLE001 - what a user gives may raise anything
            self._recorder.failed("describe_facts", error)
            return None

    def _read_features(self) -> Table:
        try:
            return table_of(self._features)
        except Exception as error:  # noqa: BLE001 - an input of the user's may raise anything
            self._recorder.failed("describe_input", error)
            return Table(None)

    def _describe_input(self, recording: Recording) -> None:
        table = self._table
        self._missing_count = table.missing()
        if not recording.is_recording:
            return
        facts = {**self._facts, keys.ML_PREDICTION_ID: recording.prediction_id}
        self._inputs = typed(facts, self._recorder.failed)
        names = self._names()
        self._inputs.update(describe_form(table, names, self._missing_count))
        # Before the call, for a model may work in place on what it is given.
        content = self._capture.content(table, names)
        if content is not None:
            self._inputs.update(content.facts)
            self._rows = content.rows
        told = self._capture.input_hash(table, names)
        if told is not None:
            self._inputs[keys.ML_INPUT_HASH] = told

    def _size(self) -> int | None:
        """Return the number of samples, as far as it is known by now."""
        return self._table.rows if self._batch_size is None else self._batch_size

    def _positions(self, length: int) -> Sequence[int]:
        """Return the positions of the samples whose inputs are captured, or else might have been."""
        if self._batch_size is None:
            self._batch_size = length if self._table.rows is None else self._table.rows
        if length != self._batch_size:
            raise UnreadableError(f"expected {self._batch_size} samples, found {length}")
        if self._rows is None:
            self._rows = draw_rows(length, self._capture.max_rows)
        return self._rows

    def _probabilities(self, told: Any, classes: Sequence[Any] | None) -> Facts:
        values, labels = read_probabilities(told, classes)
        facts = describe_distributions(values, labels, self._positions)
        if labels is None or not self._capture.tells_all:
            return facts
        text = probabilities_text(values, labels, self._positions, self._capture.max_bytes)
        return facts if text is None else {**facts, keys.ML_PREDICTION_PROBABILITIES: text}

    def _tell(self, describe: Callable[..., Facts], *told: Any) -> None:
        try:
            self._outputs.update(describe(*told))
        except UnreadableError as error:
            self._recorder.refused("describe_output", str(error))
        except Exception as error:  # noqa: BLE001 - an output of the user's may raise anything
            self._recorder.failed("describe_output", error)

    def close(self, error: BaseException | None = None) -> None:
        """End the call, with the exception that left it."""
        recording = self._recording
        if recording is None or recording.has_ended:
            return
        duration, now = perf_counter() - recording.started, time_ns()
        size = self._size()
        facts: Facts = self._outputs if error is None else {}
        judged = self._checks.told_of(recording, error)
        if recording.is_recording:
            facts = self._capture.filtered({**self._inputs, **facts, **judged}, recording.span)
        self._recorder.end(
            recording, Inference(size, duration, now, self._missing_count, {}, facts, error)
        )


def _is_inference(recorder: InferenceRecorder) -> bool:
    """Whether a call that begins now is one, or a part that is to be captured."""
    current = running.get()
    is_part = NO_INFERENCE not in current and recorder.settings.capture_nested
    is_wanted = not current or is_part
    return is_wanted and is_enabled()


def _links(requests: Any) -> list[trace.Link]:
    is_one = isinstance(requests, (str, trace.Span, trace.SpanContext))
    contexts = map(context_of, [requests] if is_one else requests)
    return [trace.Link(context) for context in contexts if context is not None]


@contextmanager
def _in_span(span: trace.Span | None) -> Iterator[None]:
    if span is None:
        yield
        return
    token = attach(span)
    try:
        yield
    finally:
        detach(token)
