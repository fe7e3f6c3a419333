"""What of the inputs that users hand over may leave: the same rules as for instrumented frameworks."""

from collections.abc import Container, Mapping
from typing import TYPE_CHECKING, Any

from otel_ml.describe.arrays import Table, read_table
from otel_ml.describe.samples import Content
from otel_ml.describe.series import is_row, one_sample
from otel_ml.describe.tensors import shape_of
from otel_ml.hooks import CONTENT, ContentHook
from otel_ml.permitted import content_policy, input_hash
from otel_ml.recorder import InferenceRecorder

if TYPE_CHECKING:
    from otel_ml.record.channel import Channel

__all__ = ["Capture", "capture_of", "table_of"]


class Capture:
    """
    What calls by hand share under one recorder, worked out once from its settings.

    Attributes:
        channels: What the calls of one model have in common, by who that model is.
        tells_outputs: Whether anything is told of outputs.
        tells_all: Whether numbers, scores and all probabilities are.
        max_rows: Samples per call of which values are told.
        max_bytes: Bytes of the text of probabilities.
    """

    def __init__(self, recorder: InferenceRecorder) -> None:
        settings = recorder.settings
        self.channels: dict[object, Channel] = {}
        self.tells_outputs = settings.capture_outputs != "none"
        self.tells_all = settings.capture_outputs == "full"
        self.max_rows = settings.capture_max_rows
        self.max_bytes = settings.capture_max_bytes
        self._is_off = settings.capture_content == "no_content"
        self._has_lists = bool(settings.feature_allowlist or settings.feature_denylist)
        self._policy = content_policy(settings)
        self._input_hash = input_hash(settings)
        self._hook = ContentHook.chosen(settings, recorder.failed)

    def content(self, table: Table, names: tuple[str, ...] | None) -> Content | None:
        """Return the feature values of *table* that may leave, None where none may."""
        return None if self._is_off else self._policy.capture(table, names)

    def input_hash(self, table: Table, names: tuple[str, ...] | None) -> str | None:
        """Return the keyed hash of *table*, None where none is asked for or it has none."""
        return None if self._input_hash is None else self._input_hash.of(table, names)

    def permits(self, feature: str | None) -> bool:
        """Whether something of *feature* may leave; of one without a name where there is no list."""
        return not self._has_lists if feature is None else self._policy.permits(feature)

    def filtered(
        self, facts: Mapping[str, Any], span: Any, kinds: Container[str] = CONTENT
    ) -> Mapping[str, Any]:
        """Return of *facts* what the user's hook lets pass; content are those of *kinds*."""
        return facts if self._hook is None else self._hook.filtered(facts, span, kinds)


def capture_of(recorder: InferenceRecorder) -> Capture:
    """Return the rules of *recorder*."""
    found: Capture | None = recorder.kept.get(Capture)
    if found is None:
        found = recorder.kept[Capture] = Capture(recorder)
    return found


def table_of(features: Any) -> Table:
    """Return *features* as a table; a mapping, a row of a data frame, a text or a number is one sample."""
    # One of scipy's sparse matrices is a mapping, too: of positions, in a matrix that has a shape.
    if isinstance(features, Mapping) and shape_of(features) is None:
        return read_table([dict(features)])
    if is_row(features):
        return read_table(one_sample(features))
    is_value = isinstance(features, (str, int, float)) or shape_of(features) == ()
    return read_table([features] if is_value else features)
