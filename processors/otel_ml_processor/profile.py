"""The profile file: what a model's inputs and outputs looked like when it was right, as counts; no single value of a row."""

from __future__ import annotations

import hashlib
from typing import Annotated, Final, Literal

import msgspec

__all__ = [
    "FORMAT",
    "Calibration",
    "CellReference",
    "ColumnCalibration",
    "CorrelationReference",
    "ErrorSplit",
    "ExpectedErrors",
    "HourlyCounts",
    "Inflation",
    "Part",
    "PrincipalComponents",
    "Profile",
    "RungReference",
    "Season",
    "SegmentReference",
    "SegmentsReference",
    "SelfTest",
    "Source",
    "canonical",
    "cells_id",
    "columns_of",
    "reference_id",
    "sealed",
]

FORMAT: Final = "otel-ml-profile/1"
Count = Annotated[int, msgspec.Meta(le=(1 << 53) - 1)]
"""A number that JSON can say exactly wherever it is read, and thousands of which add up in 64 bits."""


class Part(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True
):
    """A part of a profile; what has its default is not written, so that a field more changes no profile without it."""


class CellReference(Part, frozen=True, kw_only=True):
    """
    The reference of one column (a feature, the prediction or the confidence): how many rows lay in which cell.

    A numeric column has `edges` (inner, ascending; cells are closed on the right, so `len(counts) == len(edges) + 1`) and is
    `ordered`; a categorical one has `categories` (most frequent first; `counts` has one more cell, for `other_known`).
    """

    name: str
    """Of the feature; empty for the prediction and the confidence."""
    type: Literal["numeric", "categorical"]
    """`numeric`: counted in bins. `categorical`: counted by name."""
    counts: list[Count]
    """Rows per cell."""
    edges: list[float] = []
    """Inner edges of the bins, midway between neighbouring values of the reference."""
    bin_means: list[float] = []
    """Mean of the reference's values in each bin of a numeric column; the bin's middle where it has none, as long as `counts`."""
    categories: list[str] = []
    """The most frequent categories, most frequent first."""
    other_known: list[str] = []
    """Known categories beyond the most frequent ones: seen, but without a cell of their own."""
    missing: Count = 0
    """Rows without a value."""
    non_finite: Count = 0
    """Rows with an infinite number."""
    unseen: Count = 0
    """Rows whose category has no name here: too rare to be named in a profile that was learned from inferences."""
    type_error: Count = 0
    """Rows with a value of another type, in a profile that was learned from inferences."""
    min: float | None = None
    """Smallest value of a numeric column; what is below is out of range."""
    max: float | None = None
    """Largest value of a numeric column; what is above is out of range."""
    mean: float | None = None
    """Mean of a numeric column, in its own unit."""
    std: float | None = None
    """Standard deviation of a numeric column, in its own unit."""


class SelfTest(Part, frozen=True, kw_only=True):
    """
    The reference's own windows against the rest of the reference, by the processor's own test.

    `p_values` has, per family present, one value per window: the smallest Holm-adjusted p-value among the members that pass the
    effect floor (1.0 where none does). The processor counts how many lie below its own alpha: the measured false-alarm rate.
    """

    order: Literal["time", "random"]
    """How rows were put into windows."""
    window: str
    """What one window was: `1 day`, `900 rows`."""
    effect_floor: float
    """Smallest debiased PSI that could alarm."""
    p_values: dict[str, list[float]]
    """By family (`features`, `outputs`), one number per window."""


class Calibration(Part, frozen=True, kw_only=True):
    """
    What the model's scores meant in the reference, where the truth was known: how many rows per score bin, and how many came true.

    `edges` are the inner ones, ascending, bins are closed on the right. `probabilities` are those of coming true, fitted so that they
    never fall with the score.
    """

    positive: str | None = None
    """The class whose probability the score is. Without one it is the confidence, and a row comes true where the prediction is right."""
    edges: list[float]
    """Inner edges of the score bins, in [0, 1]."""
    rows: list[Count]
    """Rows per bin."""
    positives: list[Count]
    """Those that came true, per bin."""
    probabilities: list[float]
    """Of coming true, per bin, in [0, 1]."""


class Inflation(Part, frozen=True, kw_only=True):
    """How a test's statistic varies over the reference's own windows, beside how it varies by chance."""

    factor: float
    """How many times larger it is on average, at least 1 (of a location test: the variance inflation)."""
    shape: float = 1.0
    """Degrees of freedom per degree of the test, in (0, 1] (Satterthwaite): smaller where few directions vary most."""


class ColumnCalibration(Part, frozen=True, kw_only=True):
    """One column over the reference's own windows: `scale` is the 95 % quantile of -ln p, `inflation` is by test."""

    scale: float
    """95 % quantile of -ln p over the windows, > 0."""
    inflation: dict[str, Inflation]
    """By test."""


class RungReference(Part, frozen=True, kw_only=True):
    """
    The reference's own windows of `rows` consecutive rows, each against the rest of the reference.

    `columns` are in the order of the features, the prediction, the confidence, as far as the profile has them. `extremes` has, per family, one number
    per window, ascending: the largest -ln p of a column, each divided by the column's scale. `alarms` has, per family, what a self-test of some
    200 of them in mode `scaled` gives: the smallest adjusted p-value of a column whose effect reaches `effect_floor`.
    """

    rows: Count
    """Of one window."""
    effect_floor: float
    """Smallest debiased PSI that could alarm."""
    columns: list[ColumnCalibration]
    """One per column."""
    extremes: dict[str, list[float]]
    """By family, one number per window, ascending."""
    alarms: dict[str, list[float]]
    """By family, one adjusted p-value per window."""
    evidence: list[float] | None = None
    """How far the evidence of slow drift rises over the windows before it is gone again: one logarithm per time, descending. None where it is not known."""


Season = Literal["hour_of_day", "hour_of_week"]
"""What windows differ by without drift: the 24 hours of the day, or the 168 of the week, in UTC."""


class HourlyCounts(Part, frozen=True, kw_only=True):
    """
    The rows of the reference that have a time, hour by hour of the season.

    `counts` are per column (the features, the prediction, the confidence, as far as the profile has them), per hour: the value cells, then the
    missing, the non-finite, the unseen and those of a wrong type. Hour 0 begins at midnight, of the week's on Monday.
    """

    season: Season
    """`hour_of_day` or `hour_of_week`."""
    counts: list[list[list[Count]]]
    """By column, by hour."""


class PrincipalComponents(Part, frozen=True, kw_only=True):
    """
    All features together: the directions in which rows of the reference vary, and how far rows lie off them.

    Every feature is a number: a category its share of the rows of the reference. Less its mean, in standard deviations, with 0 where it
    is missing; what is left of such a row without its part along the components is its error.
    """

    mean: list[float]
    """One per feature, in its own unit."""
    std: list[float]
    """One per feature; 0 where it does not take part, since it does not vary or has no finite variance."""
    components: list[list[float]]
    """Orthonormal directions, each with one number per feature."""
    errors: CellReference
    """How the rows' errors fall into bins; what lies in the last one is out of distribution, at most one row of the reference in a thousand."""


class ErrorSplit(Part, frozen=True, kw_only=True):
    """A question to a row: is its cell of one column among some."""

    column: int
    """Position of the feature; one more than the last is the prediction."""
    inside: list[int]
    """Cells, then slots (missing, non-finite, unseen, of a wrong type), whose rows go to the first of `children`."""
    children: tuple[int, int]
    """What follows: n >= 0 is split n, a later one; -1 - n is leaf n."""


class ExpectedErrors(Part, frozen=True, kw_only=True):
    """
    How wrong the model is to be expected to be, row by row, as the truth of the reference told.

    Of classes it is one less the calibrated probability of being right. Of numbers it is the mean absolute error of the leaf of a tree
    that the row falls into; its leaves were chosen by half of the rows, and what they say is of the other half.
    """

    errors: CellReference
    """How the expected errors of the reference's rows fall into bins; of numbers each leaf has its own."""
    splits: list[ErrorSplit] = []
    """Of numbers: the tree, the root first."""
    absolute: list[float] = []
    """Mean absolute error by leaf."""
    squared: list[float] = []
    """Mean squared error by bin of `errors`."""


class CorrelationReference(Part, frozen=True, kw_only=True):
    """
    How numeric features depend on each other: correlations of normal scores of their bins, over the rows that have all of them.

    `sums` are those of whole numbers, so that they add up exactly: rows, sum and sum of squares by feature, products by pair.
    """

    features: list[int]
    """Positions of the features that belong to a pair, ascending."""
    pairs: list[tuple[int, int]]
    """Positions within `features`."""
    sums: list[int]
    """As many as 1 + 2 x features + pairs."""
    spreads: list[float]
    """By pair, the standard deviation of Fisher's z times the root of the rows; 1 for normal ones."""


class SegmentReference(Part, frozen=True, kw_only=True):
    """The reference's rows with one value of an attribute: counts, from which shares and their differences follow."""

    value: str
    """Of the attribute, as text; empty: all rows with another value that is not among the most frequent ones."""
    rows: Count
    """How many have it."""
    outputs: list[Count] = []
    """Rows by cell and slot of the prediction, then of the confidence, as far as the profile has them."""
    confident: Count = 0
    """Rows that have a confidence."""
    low: Count = 0
    """Those below `low_confidence`."""
    labelled: Count = 0
    """Rows whose truth is known."""
    wrong: Count = 0
    """Those whose prediction was wrong."""


class SegmentsReference(Part, frozen=True, kw_only=True):
    """The reference apart by one attribute."""

    name: str
    """Of the attribute, as inferences say it."""
    values: list[SegmentReference]
    """The most frequent first, all others last."""


class Source(Part, frozen=True, kw_only=True):
    """Where the rows came from."""

    kind: str
    """`CSV`, `Parquet`, `OTLP`, `inferences` (learned by a processor), or the library of a data frame."""
    uri: str
    """Files or whatever names the rows."""
    rows: Count
    """How many there were."""
    sha256: str = ""
    """Of the files, in hexadecimal; empty where there is none."""
    service: str = ""
    """`service.name` of the inferences, where they are of one service."""
    environment: str = ""
    """`deployment.environment.name` of the inferences, where they are of one environment."""
    tenant: str = ""
    """Whose inferences they are, where tenants are told apart."""


class Profile(Part, frozen=True, kw_only=True):
    """Everything that a window of live inferences is compared with. Additive: equal edges merge by adding counts."""

    format: Literal["otel-ml-profile/1"] = FORMAT
    """Name and version of this format; always written."""
    id: str = ""
    """`sha256:` and the SHA-256 of the canonical JSON (keys sorted, no blanks) without this field."""
    model: str
    """`ml.model.name` of its inferences."""
    version: str = ""
    """`ml.model.version` of its inferences; empty: of every version that has no profile of its own."""
    created: str
    """When it was built, in ISO 8601."""
    source: Source
    """Where the rows came from."""
    provisional: bool = False
    """Whether rows are still being added to it: windows are counted against it and nothing raises an alarm."""
    features: list[CellReference]
    """One per feature, in the order of unnamed values."""
    schemas: list[str] = []
    """Hashes of the schemas of its inputs, the most frequent first, as its inferences said them (`ml.input.schema.hash`); a table says none."""
    prediction: CellReference | None = None
    """The predicted classes or numbers."""
    confidence: CellReference | None = None
    """The probability of the predicted class."""
    low_confidence: float | None = None
    """The 5 % quantile of the reference's confidence."""
    median_confidence: float | None = None
    """The 50 % quantile of the reference's confidence."""
    self_tests: list[SelfTest] = []
    """The measured false-alarm rate, in random order and in the order of time."""
    own_windows: list[RungReference] = []
    """The fewest rows first; none where rows have no time, or there are too few of them."""
    slots: HourlyCounts | None = None
    """Hour by hour, where windows are compared with the reference of their own hours; without, with all of it."""
    pca: PrincipalComponents | None = None
    """All features together; None of fewer than three that vary, or of too many."""
    correlation: CorrelationReference | None = None
    """Pairs of numeric features; None where there is none."""
    explanations: list[CellReference] = []
    """What predictions were attributed to, per feature in numeric columns; missing where a feature was not among those told."""
    segments: list[SegmentsReference] = []
    """Parts of the reference, by the attributes that were asked for."""
    calibration: Calibration | None = None
    """What scores meant; where the truth was known."""
    class_calibrations: list[Calibration] = []
    """What the probability of each class meant, one per class; where the truth and the probabilities of all classes were known."""
    expected: ExpectedErrors | None = None
    """What errors are to be expected of a row; None where the truth is not known, or where all rows are alike."""
    performance: dict[str, float] = {}
    """By name of the score, how good the predictions of the reference were; empty where its truth is not known."""


def canonical(profile: Profile) -> bytes:
    """Return *profile* as canonical JSON."""
    # Which format it is stands in every file, defaults or not.
    said = {"format": profile.format, **msgspec.to_builtins(profile)}
    return msgspec.json.encode(said, order="sorted")


def reference_id(profile: Profile) -> str:
    """Return what windows that are counted against *profile* say of it: its id; of one that still grows, that of its cells, which stay."""
    return cells_id(profile) if profile.provisional else profile.id


def cells_id(profile: Profile) -> str:
    """
    Return the SHA-256 of what decides where a row is counted: the columns with their edges and categories.

    Profiles with equal ones merge by adding counts; it stays the same while rows are added to a profile.
    """
    cells = [
        (
            place.split("[")[0],
            column.name,
            column.type,
            column.edges,
            column.categories,
            column.other_known,
        )
        # Components and expected errors are those of all rows together, and are not added up.
        for place, column in columns_of(msgspec.structs.replace(profile, pca=None, expected=None))
    ]
    scores = profile.calibration and (profile.calibration.positive, profile.calibration.edges)
    of_classes = [(of.positive, of.edges) for of in profile.class_calibrations]
    content = msgspec.json.encode(
        [profile.model, profile.version, cells, scores, *([of_classes] if of_classes else [])]
    )
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def sealed(profile: Profile) -> Profile:
    """Return *profile* with its `id`: the SHA-256 of its canonical JSON without the id."""
    # As it will be read: an integer where a float belongs is written as one and read as the other.
    bare = msgspec.json.decode(canonical(msgspec.structs.replace(profile, id="")), type=Profile)
    digest = hashlib.sha256(canonical(bare)).hexdigest()
    return msgspec.structs.replace(bare, id=f"sha256:{digest}")


def columns_of(profile: Profile) -> list[tuple[str, CellReference]]:
    """Return the columns that *profile* counts, each with its path in the file: features, then what follows from them."""
    named = [(f"$.features[{i}]", feature) for i, feature in enumerate(profile.features)]
    outputs = [("$.prediction", profile.prediction), ("$.confidence", profile.confidence)]
    if profile.expected is not None:
        outputs.append(("$.expected.errors", profile.expected.errors))
    if profile.pca is not None:
        outputs.append(("$.pca.errors", profile.pca.errors))
    return named + [(place, column) for place, column in outputs if column is not None]
