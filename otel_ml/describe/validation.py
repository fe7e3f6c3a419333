"""Rules for inputs and outputs, and how they are broken; no value of a sample is in what is said."""

import math
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import islice, repeat
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from otel_ml.describe.arrays import Table, read_table
from otel_ml.describe.columns import Column, read_columns
from otel_ml.describe.probabilities import class_label
from otel_ml.describe.samples import names_in_force
from otel_ml.describe.tensors import plain_array, shape_of
from otel_ml.describe.values import Facts, is_infinite, is_missing
from otel_ml_conventions import attributes as keys
from otel_ml_conventions.attributes import MlValidationResultValues, MlValidationRuleValues

if TYPE_CHECKING:  # only who has a profile needs what reads one
    from otel_ml.describe.reference import Reference, ReferenceFeature

__all__ = [
    "Expectation",
    "Failure",
    "ValidationError",
    "failures_of_input",
    "failures_of_output",
    "has_expected_form",
    "validation_facts",
]

_MAX_SHOWN: Final = 3
_FEW_NUMBERS: Final = 64  # which Python adds up sooner than numpy begins
_MAX_PARTS: Final = 16
# A range is wider by this part of its ends: what went through single precision is still inside.
_SINGLE_PRECISION: Final = 1e-6

_EMPTY: Final = MlValidationRuleValues.EMPTY.value
_MISSING: Final = MlValidationRuleValues.MISSING.value
_NON_FINITE: Final = MlValidationRuleValues.NON_FINITE.value
_DTYPE: Final = MlValidationRuleValues.DTYPE.value
_SHAPE: Final = MlValidationRuleValues.SHAPE.value
_SCHEMA: Final = MlValidationRuleValues.SCHEMA.value
_RANGE: Final = MlValidationRuleValues.RANGE.value
_CATEGORY: Final = MlValidationRuleValues.CATEGORY.value
_WARN: Final = MlValidationResultValues.WARN.value
_FAIL: Final = MlValidationResultValues.FAIL.value

_PASSED: Final[Facts] = {keys.ML_VALIDATION_RESULT: MlValidationResultValues.PASS.value}


class Failure(NamedTuple):
    """
    A rule that one feature of a call breaks, in however many samples.

    Attributes:
        rule: A value of `ml.validation.rule`.
        feature: Name of the feature; None where the rule is about none, or its name is not known.
        expected: What the rule asks for.
    """

    rule: str
    feature: str | None
    expected: str


_MISSING_VALUE: Final = Failure(_MISSING, None, "a value")
_INFINITE_VALUE: Final = Failure(_NON_FINITE, None, "a finite number")


class Expectation(NamedTuple):
    """
    What a model says of its inputs.

    Attributes:
        feature_names: Names of the features, in order; None where it knows none.
        feature_count: How many there are; None where it does not tell.
        takes_missing: Whether it says that it can do with missing values.
        takes_texts: Whether it may be given something else than numbers.
        picks: Those of its features that it picks by name out of an input with names, whatever else is
            there, in whatever order; None where it takes all as they come.
    """

    feature_names: tuple[str, ...] | None = None
    feature_count: int | None = None
    takes_missing: bool = False
    takes_texts: bool = True
    picks: frozenset[str] | None = None


class ValidationError(ValueError):
    """
    An input breaks a rule, and such calls are to be rejected: the model was not called.

    Args:
        model: Name of the model.
        failures: What is broken; the message shows the first of them, and no value.
    """

    def __init__(self, model: str, failures: Sequence[Failure]) -> None:
        super().__init__(model, tuple(failures))
        self.model = model
        self.failures = tuple(failures)

    def __str__(self) -> str:
        shown = "; ".join(map(_sentence, self.failures[:_MAX_SHOWN]))
        more = len(self.failures) - _MAX_SHOWN
        rest = f"; and {more} more" if more > 0 else ""
        return f"model {self.model!r} was not called, its input is not valid: {shown}{rest}"


def _sentence(failure: Failure) -> str:
    place = "" if failure.feature is None else f"feature {failure.feature!r}: "
    return f"{place}expected {failure.expected} (rule {failure.rule})"


def validation_facts(failures: Sequence[Failure], *, is_rejected: bool) -> Facts:
    """Return what the span says of a call that breaks the rules in *failures*; of none, that it passed."""
    if not failures:
        return _PASSED
    return {
        keys.ML_VALIDATION_RESULT: (_FAIL if is_rejected else _WARN),
        keys.ML_VALIDATION_FAILURE_COUNT: len(failures),
    }


def failures_of_input(
    table: Table, expectation: Expectation, reference: "Reference | None" = None
) -> tuple[Failure, ...]:
    """
    Return which rules *table* breaks, once per feature and rule, however many samples do.

    Without a reference: something is there, it has the shape and the names that the model says, and
    its values are there, are finite, and of a type that the model takes. With one: it has the
    features of the profile in their order, in their types, ranges and categories; what may be
    missing is told by the profile. An input of more than a million cells is judged by its shape.

    Args:
        table: The input.
        expectation: What the model says of it.
        reference: What the profile of the model says of it.
    """
    if reference is None and _is_usual(table, expectation):
        return ()
    if table.rows == 0 or table.columns == 0:
        return (Failure(_EMPTY, None, "at least one sample and one feature"),)
    if table.rows is None and table.is_sound() is False:
        return (Failure(_MISSING, None, "an input"),)
    if reference is not None and table.columns is not None:
        return tuple(_against_reference(table, expectation, reference))
    known = expectation.feature_names
    names = _as_known(table.names(), known)
    failures: list[Failure] = []
    if names is None or names != known:
        failures += _against_model(table, names, expectation)
    if not expectation.takes_texts:
        failures += _texts(table, expectation)
    if table.is_sound() is False:
        failures += _soundness(table, expectation)
    return tuple(failures)


def _is_usual(table: Table, expectation: Expectation) -> bool:
    """Whether nothing can be wrong: almost all calls, in the caller's time; what is odd is looked at rule by rule."""
    return bool(table.rows and table.is_sound()) and has_expected_form(table, expectation)


def has_expected_form(table: Table, expectation: Expectation) -> bool:
    """Whether number, names and types of the columns of *table* are what the model says; not where that is open."""
    if not table.columns:
        return False
    known = expectation.feature_names
    count = expectation.feature_count if known is None else len(known)
    if count not in {None, table.columns}:
        return False
    if _as_known(table.names(), known) not in {None, known}:
        return False
    return expectation.takes_texts or _are_numbers(table.types())


def _as_known(
    names: tuple[str, ...] | None, known: tuple[str, ...] | None
) -> tuple[str, ...] | None:
    """Return *names* as the model writes them: LightGBM's do so with an underscore for each space."""
    if names is None or known is None or names == known:
        return names
    own = frozenset(known)
    return tuple(name if name in own else name.replace(" ", "_") for name in names)


@lru_cache(maxsize=64)
def _are_numbers(types: tuple[str, ...] | None) -> bool:
    return types is not None and all(map(_is_number_type, types))


def _against_model(
    table: Table, names: tuple[str, ...] | None, expectation: Expectation
) -> Iterator[Failure]:
    known = expectation.feature_names
    # Names of which the model knows none are names of another kind, not absent features.
    if names is not None and known is not None and not set(known).isdisjoint(names):
        if expectation.picks is None:
            yield from _against_names(table, names, known, "model")
        else:
            yield from _absent(names, filter(expectation.picks.__contains__, known))
        return
    count = len(known) if known is not None else expectation.feature_count
    if count is not None and table.columns not in {None, count}:
        yield Failure(_SHAPE, None, f"{count} features")


def _against_names(
    table: Table, names: tuple[str, ...], known: tuple[str, ...], whose: str
) -> Iterator[Failure]:
    if names == known:
        return
    absent = list(_absent(names, known))
    yield from absent
    # The names of others are not told: they may be a user's data.
    if set(names).difference(known):
        yield Failure(_SCHEMA, None, f"no features but the {whose}'s")
    elif not absent and table.is_ordered():
        yield Failure(_SCHEMA, None, f"the features in the {whose}'s order, each once")


def _absent(names: tuple[str, ...], needed: Iterable[str]) -> Iterator[Failure]:
    found = set(names)
    for name in needed:
        if name not in found:
            yield Failure(_SCHEMA, class_label(name), "this feature")


def _texts(table: Table, expectation: Expectation) -> Iterator[Failure]:
    """Return which features are no numbers, where the model takes nothing else."""
    if all(map(_is_number_type, table.types() or ("",))):
        return
    columns = read_columns(table)
    for column, feature in zip(columns, _told_names(table, expectation), strict=False):
        if column.has_texts or column.has_containers:
            yield Failure(_DTYPE, feature, "a number")


def _is_number_type(kind: str) -> bool:
    return kind.lower().startswith(("bool", "float", "int", "uint"))


def _told_names(table: Table, expectation: Expectation) -> Iterable[str | None]:
    """Return what to call each column: by its name if the model knows it too, for no other is sure to be a name."""
    known = expectation.feature_names
    names = _as_known(names_in_force(table, known), known) if known else None
    if names is None or known is None:
        return repeat(None)
    return [class_label(name) if name in known else None for name in names]


def _soundness(table: Table, expectation: Expectation) -> Iterator[Failure]:
    """Return what is missing or infinite, feature by feature where they can be told apart."""
    columns = read_columns(table)
    found = list(dict.fromkeys(_of_unsound(columns, _told_names(table, expectation))))
    if not found:  # in what cannot be read, or is not, column by column
        found = [_INFINITE_VALUE if table.missing() == 0 else _MISSING_VALUE]
    for failure in found:
        if failure.rule != _MISSING or not expectation.takes_missing:
            yield failure


def _of_unsound(columns: Sequence[Column], names: Iterable[str | None]) -> Iterator[Failure]:
    for column, feature in zip(columns, names, strict=False):
        if column.has_missing:
            yield _MISSING_VALUE._replace(feature=feature)
        if column.has_infinite:
            yield _INFINITE_VALUE._replace(feature=feature)


def _against_reference(
    table: Table, expectation: Expectation, reference: "Reference"
) -> Iterator[Failure]:
    known = tuple(feature.name for feature in reference.features)
    names = names_in_force(table, expectation.feature_names)
    if names is not None:
        yield from _against_names(table, names, known, "profile")
    elif table.columns != len(known):
        yield Failure(_SHAPE, None, f"{len(known)} features")
        return
    columns = dict(zip(known if names is None else names, read_columns(table), strict=False))
    for feature in reference.features:
        column = columns.get(feature.name)
        if column is not None:
            yield from _against_feature(column, feature)


def _against_feature(column: Column, feature: "ReferenceFeature") -> Iterator[Failure]:
    name = class_label(feature.name)
    if column.has_missing and not feature.takes_missing:
        yield _MISSING_VALUE._replace(feature=name)
    if column.has_infinite:
        yield _INFINITE_VALUE._replace(feature=name)
    if column.has_containers or (feature.is_numeric and column.has_texts):
        expected = "a number" if feature.is_numeric else "a category"
        yield Failure(_DTYPE, name, expected)
    if _is_out_of_range(column, feature):
        yield Failure(_RANGE, name, f"[{_number(feature.low)}, {_number(feature.high)}]")
    known = feature.categories
    if known is not None and not known.issuperset(column.categories()):
        yield Failure(_CATEGORY, name, f"one of {len(known)} categories")


def _is_out_of_range(column: Column, feature: "ReferenceFeature") -> bool:
    return (
        column.low < feature.low - abs(feature.low) * _SINGLE_PRECISION
        or column.high > feature.high + abs(feature.high) * _SINGLE_PRECISION
    )


def _number(number: float) -> str:
    return f"{number:.6g}"


def failures_of_output(output: Any, samples: int | None = None) -> tuple[Failure, ...]:
    """
    Return which rules *output* breaks: it is there, is not empty, and has no null, NaN or infinity.

    To no *samples* an empty one is right; None where their number is not known. Minus infinity
    passes: it is the logarithm of an impossible class. Of arrays in a list, a tuple or a map the
    first 16 are looked at; in a tuple or a map one may be None, for not having been asked for.
    """
    parts = output if type(output) is list else (output,)
    if 0 < len(parts) <= _MAX_PARTS and all(map(_is_sound_array, parts)):
        return ()
    if not isinstance(output, (dict, list, tuple)):
        return _of_part(output, samples)
    found = (failure for part in _parts(output) for failure in _of_part(part, samples))
    return tuple(dict.fromkeys(found))


def _is_sound_array(output: Any) -> bool:
    """Whether *output* is a small array of whole numbers, or of finite ones: most answers, in the caller's time."""
    array = plain_array(output)
    if array is None or not 0 < array.size <= _FEW_NUMBERS:
        return False
    kind = array.dtype.kind
    return kind in "iub" or (kind == "f" and math.isfinite(sum(array.ravel().tolist())))


def _parts(output: Any) -> Sequence[Any]:
    parts = list(islice(output.values() if isinstance(output, dict) else output, _MAX_PARTS))
    are_arrays = any(shape_of(part) for part in parts)
    if not are_arrays:
        return (output,)
    # In a list each sample or output has its place; elsewhere one may not have been asked for.
    return [part for part in parts if part is not None or isinstance(output, list)]


def _of_part(part: Any, samples: int | None) -> tuple[Failure, ...]:
    # Of a single value pandas has its own words for none, and databases give decimal numbers.
    is_odd = part is not None and (is_missing(part) or is_infinite(part))
    is_single = is_odd or shape_of(part) == ()
    table = read_table([part] if is_single else part)
    if table.rows == 0:
        return () if samples == 0 else (Failure(_EMPTY, None, "an output for each sample"),)
    return () if table.is_sound() is not False else tuple(_of_unsound_part(table))


def _of_unsound_part(table: Table) -> Iterator[Failure]:
    if table.rows is None:
        yield Failure(_MISSING, None, "an output")
    columns = read_columns(table)
    if any(column.has_missing for column in columns):
        yield Failure(_MISSING, None, "a value in each output")
    if any(column.highest == math.inf for column in columns):
        yield Failure(_NON_FINITE, None, "finite outputs")
