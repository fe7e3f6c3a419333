"""Which samples and features of an input may leave the process, and how they are written."""

import os
import random
import re
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase, translate
from json import dumps
from numbers import Number
from typing import Any, Final, NamedTuple

from otel_ml.describe.arrays import Table, read_table
from otel_ml.describe.soundness import is_array
from otel_ml.describe.values import Facts, is_missing, row_texts
from otel_ml_conventions import attributes as keys

__all__ = ["Content", "ContentPolicy", "Drawn", "draw_rows", "names_in_force"]

# Between the name of a transformer and that of a column; and between that and what is said of it.
_PREFIX_END: Final = re.compile("__")
_APPENDED: Final = re.compile("[_^=]")
_BYTES_PER_VALUE: Final = 9  # a double in a packed array of attribute values, at the least
_MAX_VALUES: Final = 1000
_MAX_LAYOUTS: Final = 64
_BRACKETS: Final = 2
_THE_ONLY_ONE: Final = range(1)
_TRIED: Final = 2  # samples that are written to see how long they are
_DOUBLES: Final = frozenset({float})
_PLAIN: Final = frozenset({type(None), bool, bytes, float, int, str})
_DEEPEST: Final = 3  # lists inside of each other are looked into so far

# Not the generator of the `random` module: drawing from it would change what a seeded user gets.
_generator = random.Random()  # noqa: S311 - a sample of rows is no secret
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_generator.seed)


class Content(NamedTuple):
    """
    Feature values of one call as facts, and the positions of the samples they are of, ascending.

    One sample is `ml.input.features`, or `ml.input.values` where it has numbers without names;
    several are `ml.input.rows`. `ml.content.truncated` tells that features were left out; samples
    that were not drawn do not count as that.
    """

    rows: Sequence[int]
    facts: Facts


class Drawn(NamedTuple):
    """Copies of samples, as `Table.copy` gives them, and the positions that they had."""

    copies: Any
    rows: Sequence[int]


def draw_rows(count: int, at_most: int) -> Sequence[int]:
    """
    Return *at_most* of *count* positions, ascending: all of them, or a uniform random draw.

    The first rows of a batch are never taken for the whole, for batches are often sorted.
    """
    if count <= at_most:
        return range(count)
    # Floyd's way: as many random numbers as positions, however many there are to draw from. Comm. ACM 30 (1987), 754.
    drawn: set[int] = set()
    for last in range(count - at_most, count):
        position = int(_generator.random() * (last + 1))
        drawn.add(last if position in drawn else position)
    return sorted(drawn)


def names_in_force(table: Table, known: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """Return the names that the input carries, else those *known* of the model if they fit it."""
    names = table.names()
    if names is not None:
        return names
    return known if known is not None and len(known) == table.columns else None


class _Layout(NamedTuple):
    """
    How a sample is written: what to take of it, and a key before each value.

    Attributes:
        width: Values to be taken from its beginning.
        picked: Those to be told of them; None where all are.
        heads: The key of each with its colon.
        template: Gives the whole object for as many texts.
        is_cut: Whether features were left out.
        least_bytes: What a sample takes if each value is a single digit.
    """

    width: int
    picked: tuple[int, ...] | None
    heads: tuple[str, ...]
    template: str
    is_cut: bool
    least_bytes: int


class ContentPolicy:
    """
    The one place that decides which feature values may leave the process.

    Globs act on names, and a denied name stays denied, also as others write it. Where nobody knows the names of an input,
    any glob at all means that nothing of it is captured, nor of a value that has parts of its own, a
    mapping say: it is null.

    Args:
        max_rows: Samples per call, at least 1.
        max_features: Features per sample, at least 1.
        max_bytes: Bytes of all values of one call with their names, at least 1.
        allow: Globs of names; empty allows all.
        deny: Globs of names.
    """

    def __init__(
        self,
        max_rows: int,
        max_features: int,
        max_bytes: int,
        allow: Sequence[str] = (),
        deny: Sequence[str] = (),
    ) -> None:
        self._max_rows = max_rows
        self._max_features = max_features
        self._max_bytes = max_bytes
        self._allow = tuple(allow)
        self._denied = _Denied(deny) if deny else None
        self._layouts: dict[tuple[tuple[str, ...] | None, int], _Layout | None] = {}

    def capture(self, table: Table, known: tuple[str, ...] | None) -> Content | None:
        """
        Return what of *table* may leave; None where nothing may, or nothing can be had.

        *known* are the model's names of the columns, for inputs that carry none.
        """
        if not table.rows or table.columns is None:
            return None
        names = names_in_force(table, known)
        layout = self._layout(names, table.columns)
        if layout is None:
            return None
        if table.rows > 1:
            return self._several(table, table.rows, layout)
        rows = range(1)
        samples = table.take(rows, layout.width)
        if samples is None:
            return None
        if names is None and (values := _numbers(samples[0])) is not None:
            return self._unnamed(rows, values, table.columns)
        text, is_cut = self._object(samples[0], table.types(), layout, self._max_bytes)
        return _content(rows, keys.ML_INPUT_FEATURES, text, is_cut or layout.is_cut)

    def draw(self, table: Table, known: tuple[str, ...] | None) -> "Drawn | None":
        """
        Return copies of as many of the several samples of *table* as may be captured, or a few more.

        `capture` makes of them what it would make of the table itself. None where it would make nothing,
        or where they cannot be copied, or not in as many bytes as may leave.
        """
        if not table.rows or table.columns is None:
            return None
        layout = self._layout(names_in_force(table, known), table.columns)
        if layout is None:
            return None
        at_most = max(_TRIED, self._max_bytes // layout.least_bytes)
        rows = draw_rows(table.rows, min(self._max_rows, at_most))
        copied = table.copy(rows, self._max_bytes)
        # One sample is told in another way than several.
        if copied is None or len(rows) == 1 < table.rows:
            return None
        return Drawn(copied, rows)

    def capture_drawn(self, samples: Any, known: tuple[str, ...] | None) -> Content | None:
        """
        Return what `capture` makes of *samples*, with the positions that they had before.

        They are `Drawn`, or what `Table.copy` gave of the only sample.
        """
        drawn = samples if type(samples) is Drawn else Drawn(samples, _THE_ONLY_ONE)
        content = self.capture(read_table(drawn.copies), known)
        if content is None:
            return None
        return content._replace(rows=[drawn.rows[row] for row in content.rows])

    def _unnamed(self, rows: Sequence[int], values: list[float], columns: int) -> Content:
        kept = values[: min(_MAX_VALUES, self._max_bytes // _BYTES_PER_VALUE)]
        return _content(rows, keys.ML_INPUT_VALUES, kept, len(kept) < columns)

    def _several(self, table: Table, count: int, layout: _Layout) -> Content | None:
        most = min(count, self._max_rows)
        # A few tell how many will fit, so that not many more are written: that is what takes time.
        tried = self._written(table, draw_rows(count, min(most, _TRIED)), layout)
        if tried is None:
            return None
        rows = draw_rows(count, min(most, self._fitting(tried)))
        written = self._written(table, rows, layout)
        if written is None:
            return None
        # By the longest, so that a sample's own length has no say in whether it is drawn.
        kept = draw_rows(len(rows), self._fitting(written))
        return _content(
            [rows[position] for position in kept],
            keys.ML_INPUT_ROWS,
            f"[{','.join(written[position][0] for position in kept)}]",
            layout.is_cut or any(written[position][1] for position in kept),
        )

    def _written(
        self, table: Table, rows: Sequence[int], layout: _Layout
    ) -> list[tuple[str, bool]] | None:
        """Return the samples of *rows* as JSON objects, and whether each was cut."""
        samples, types = table.take(rows, layout.width), table.types()
        if samples is None:
            return None
        budget = self._max_bytes - _BRACKETS
        return [self._object(sample, types, layout, budget) for sample in samples]

    def _fitting(self, written: list[tuple[str, bool]]) -> int:
        """Return how many objects fit, if none is longer than the longest of *written*; at least 1."""
        return max(1, (self._max_bytes - _BRACKETS) // (max(len(text) for text, _ in written) + 1))

    def _object(
        self, sample: list[Any], types: tuple[str, ...] | None, layout: _Layout, budget: int
    ) -> tuple[str, bool]:
        """Return *sample* as a JSON object of at most *budget* bytes, and whether it was cut."""
        if layout.picked is not None:
            sample = [sample[column] for column in layout.picked]
            if types is not None and len(types) > 1:
                types = tuple(types[column] for column in layout.picked)
        if self._allow or self._denied is not None:
            sample = _without_parts(sample)
        texts = row_texts(sample, types)
        text = layout.template % tuple(texts)
        if len(text) <= budget:
            return text, False
        return _cut_object(layout.heads, texts, budget), True

    def _layout(self, names: tuple[str, ...] | None, columns: int) -> _Layout | None:
        try:
            return self._layouts[names, columns]
        except KeyError:
            if len(self._layouts) >= _MAX_LAYOUTS:
                self._layouts.clear()
            layout = self._layouts[names, columns] = self._lay_out(names, columns)
            return layout

    def _lay_out(self, names: tuple[str, ...] | None, columns: int) -> _Layout | None:
        if names is None:
            if self._allow or self._denied is not None:
                return None
            permitted: Sequence[int] = range(columns)
        else:
            permitted = [i for i, name in enumerate(names) if self.permits(name)]
        picked = tuple(permitted[: self._max_features])
        if not picked:
            return None
        heads = tuple(f"{dumps(names[i] if names else f'x{i}')}:" for i in picked)
        width = picked[-1] + 1
        return _Layout(
            width=width,
            picked=None if len(picked) == width else picked,
            heads=heads,
            template="{" + ",".join(head.replace("%", "%%") + "%s" for head in heads) + "}",
            is_cut=len(picked) < columns,
            least_bytes=sum(map(len, heads)) + 2 * len(heads) + 1,
        )

    def permits(self, name: str) -> bool:
        """Whether values of the feature *name* may be captured."""
        if self._denied is not None and self._denied.has(name):
            return False
        return not self._allow or _is_among(name, self._allow)


class _Denied:
    """
    Tells whether a name, or what a transformer has made it of, is among those of *globs*, however written.

    A name that is denied is found again in another case, with underscores in place of blanks (as
    LightGBM writes them), and in `num__ssn` and `cat__city_Paris` of a column transformer.
    """

    def __init__(self, globs: Sequence[str]) -> None:
        written = tuple(map(_written_plainly, globs))
        self._names = {*globs, *written}
        # All at once, for inputs may have a hundred thousand names.
        self._as_given = _any_of(globs)
        self._as_written = _any_of(written)

    def has(self, name: str) -> bool:
        """Whether *name* is among them."""
        if name in self._names or self._as_given(name) is not None:
            return True
        forms = _forms(_written_plainly(name))
        return any(form in self._names or self._as_written(form) is not None for form in forms)


def _any_of(globs: Sequence[str]) -> Callable[[str], object]:
    return re.compile("|".join(map(translate, globs))).match


def _written_plainly(name: str) -> str:
    return "_".join(name.casefold().split())


def _forms(name: str) -> Iterator[str]:
    """Yield *name*, and what follows each prefix in it, whole and up to where something may be appended."""
    yield name
    for prefix in _PREFIX_END.finditer(name):
        made = name[prefix.end() :]
        yield made
        yield from (made[: appended.start()] for appended in _APPENDED.finditer(made))


def _is_among(name: str, globs: Sequence[str]) -> bool:
    # Brackets in a name, as in `income [EUR]`, are no set of letters to who writes down that very name.
    return name in globs or any(fnmatchcase(name, glob) for glob in globs)


def _without_parts(sample: list[Any]) -> list[Any]:
    """
    Return *sample* without values that may hold others by name, which nobody has asked a list about.

    What a request's JSON or an object of the user's has inside would be told as its text.
    """
    if _PLAIN.issuperset(map(type, sample)):
        return sample
    return [value if _is_plain(value, _DEEPEST) else None for value in sample]


def _is_plain(value: Any, depth: int) -> bool:
    """Whether *value* is a text, a number, a date, or at most *depth* lists of such inside of each other."""
    if value is None or isinstance(value, (str, bytes, Number)) or hasattr(value, "isoformat"):
        return True
    kind = getattr(getattr(value, "dtype", None), "kind", "")
    if kind == "V":  # a record of numpy's, or several
        return False
    if getattr(value, "shape", None) == ():
        return bool(kind != "O")
    if is_missing(value):
        return True
    # Not those that extend them: a named tuple has names.
    is_list = type(value) in {list, tuple, set} or is_array(value)
    return is_list and depth > 0 and all(_is_plain(item, depth - 1) for item in value)


def _content(rows: Sequence[int], key: str, written: str | list[float], is_cut: bool) -> Content:
    facts = {key: written}
    return Content(rows, {**facts, keys.ML_CONTENT_TRUNCATED: True} if is_cut else facts)


def _cut_object(heads: tuple[str, ...], texts: list[str], budget: int) -> str:
    left = budget - _BRACKETS
    members = []
    for head, text in zip(heads, texts, strict=True):
        if len(head) + len(text) + 1 <= left:
            members.append(head + text)
            left -= len(head) + len(text) + 1
    return "{" + ",".join(members) + "}"


def _numbers(sample: list[Any]) -> list[float] | None:
    """Return *sample* as doubles, a missing value being NaN; None where one is no number."""
    if _DOUBLES.issuperset(map(type, sample)):
        return sample
    try:
        return [float("nan") if is_missing(value) else _number(value) for value in sample]
    except (TypeError, ValueError, OverflowError):
        return None


def _number(value: Any) -> float:
    if isinstance(value, (str, bytes)):
        raise TypeError  # float() would parse it
    return float(value)
