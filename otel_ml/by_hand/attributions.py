"""What a prediction is attributed to, whatever an explainer gives it in."""

from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from typing import Any, Final, NamedTuple

from otel_ml.by_hand.outputs import UnreadableError, names_of
from otel_ml.describe.values import is_missing, own_text, plain_number

__all__ = ["Attributions", "read_attributions", "read_base"]

_SAMPLES_FEATURES: Final = 2
_SAMPLES_FEATURES_OUTPUTS: Final = 3


class Attributions(NamedTuple):
    """
    The attributions of one sample.

    Attributes:
        by_feature: Contribution of each feature; names are `x0`, `x1` ... where nobody knows them.
        base_value: What the model answers when it knows nothing of the sample, None where unknown.
        are_named: Whether the names are the features' own.
    """

    by_feature: dict[str, float]
    base_value: float | None
    are_named: bool


def read_attributions(
    explanation: Any, names: Sequence[str] | None, target: object
) -> list[Attributions]:
    """
    Return the attributions of each sample that *explanation* is of.

    Args:
        explanation: A mapping by feature, or a pandas series; a data frame with a row per sample; an
            `Explanation` of SHAP (anything with `values`, `base_values` and `feature_names`); or numbers of one sample, or of
            several in rows, in the order of *names*, in an array also of shape (n_samples, n_features, n_outputs).
        names: Names of the features where *explanation* does not have them.
        target: The explained output by name or position, where there are several.

    Raises:
        UnreadableError: If it is none of these, or of several outputs and none is named.
    """
    if hasattr(explanation, "base_values"):
        return _of_shap(explanation, names, target)
    if hasattr(explanation, "columns") and hasattr(explanation, "to_numpy"):
        names = names_of(explanation.columns) if names is None else names
        explanation = explanation.to_numpy()
    elif hasattr(explanation, "to_dict"):
        explanation = explanation.to_dict()
    if isinstance(explanation, Mapping):
        values = {own_text(name): float(value) for name, value in explanation.items()}
        return [Attributions(values, None, are_named=True)]
    listed = _listed(explanation)
    # Not of a list of tables, which older versions of SHAP give: there the outputs come first.
    if len(getattr(explanation, "shape", ())) == _SAMPLES_FEATURES_OUTPUTS:
        listed = _of_output(listed, _output(explanation, len(listed[0][0]), target))
    return [_named(row, names, None) for row in _rows(listed)]


def read_base(base: Any, target: object) -> float | None:
    """
    Return the base value that *base* says, as an explainer's `expected_value`: a number, or one for each output.

    Raises:
        UnreadableError: If it is of several outputs and *target* is none of them.
    """
    if is_missing(base):
        return None
    base = _listed(base)
    if isinstance(base, list) and len(base) > 1:
        base = base[_output(None, len(base), target)]
    return _finite(base)


def _of_shap(explanation: Any, names: Sequence[str] | None, target: object) -> list[Attributions]:
    own_names = getattr(explanation, "feature_names", None)
    names = names if own_names is None else list(own_names)
    values, base = _listed(explanation.values), _listed(explanation.base_values)
    if _is_one_sample(explanation, values, names):
        values, bases = [values], [base]
    else:
        # Of several outputs a flat list has one for each of them, though there may be as many samples.
        is_by_sample = _depth(base) >= _depth(values) - 1 and len(base) == len(values)
        bases = base if is_by_sample else [base] * len(values)
    if _depth(values) == _SAMPLES_FEATURES_OUTPUTS:
        output = _output(explanation, len(values[0][0]), target)
        values = _of_output(values, output)
        bases = [one[output] if isinstance(one, list) else one for one in bases]
    return [_named(row, names, one) for row, one in zip(values, bases, strict=True)]


def _is_one_sample(explanation: Any, values: Any, names: Sequence[str] | None) -> bool:
    """Whether two axes are features and outputs of one sample, not samples and features."""
    depth = _depth(values)
    if depth != _SAMPLES_FEATURES:
        return depth < _SAMPLES_FEATURES
    axes = getattr(getattr(explanation, "data", None), "shape", None)
    if axes is not None:
        return len(axes) < _SAMPLES_FEATURES
    return names is not None and len(names) == len(values) != len(values[0])


def _of_output(values: list[Any], output: int) -> list[Any]:
    return [[feature[output] for feature in sample] for sample in values]


def _output(explanation: Any, count: int, target: object) -> int:
    target = plain_number(target)  # numpy's own, as `argmax` gives it
    own_names = getattr(explanation, "output_names", None)  # a list, or an array of numpy's
    names = list(range(count) if own_names is None else own_names)
    if target in names:
        return names.index(target)
    if isinstance(target, int) and 0 <= target < count:
        return target
    raise UnreadableError(f"expected target to be one of the {count} outputs that are explained")


def _named(row: Any, names: Sequence[str] | None, base: Any) -> Attributions:
    if names is not None and len(names) != len(row):
        raise UnreadableError(f"expected {len(names)} attributions, one per name, found {len(row)}")
    each_name = [f"x{i}" for i in range(len(row))] if names is None else list(map(own_text, names))
    by_feature = {name: float(value) for name, value in zip(each_name, row, strict=True)}
    base_value = _finite(base)
    return Attributions(by_feature, base_value, are_named=names is not None)


def _finite(base: Any) -> float | None:
    if isinstance(base, list):
        base = base[0] if len(base) == 1 else None
    return float(base) if base is not None and isfinite(base) else None


def _rows(values: Any) -> list[Any]:
    depth = _depth(values)
    if depth not in {1, _SAMPLES_FEATURES}:
        raise UnreadableError(f"expected attributions with one or two axes, found {depth}")
    return [values] if depth == 1 else list(values)


def _listed(values: Any) -> Any:
    if hasattr(values, "tolist"):
        return values.tolist()
    return list(values) if isinstance(values, Iterable) and not isinstance(values, str) else values


def _depth(values: Any) -> int:
    depth = 0
    while isinstance(values, (list, tuple)):
        depth += 1
        values = values[0] if values else None
    return depth
