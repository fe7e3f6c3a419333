"""The profile file: what a model's inputs and outputs looked like when it was right, as counts; no single value of a row."""

from __future__ import annotations

import gzip
import hashlib
import os
from itertools import pairwise
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from otel_ml_processor.errors import ProfileError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "FORMAT",
    "MAX_PROFILE_BYTES",
    "Calibration",
    "CellReference",
    "ColumnCalibration",
    "Inflation",
    "Profile",
    "RungReference",
    "SelfTest",
    "Source",
    "read_profile",
    "sealed",
    "write_profile",
]

FORMAT: Final = "otel-ml-profile/1"
MAX_PROFILE_BYTES = 64 << 20
"""A larger file is refused unread: a profile has a few kilobytes per feature."""


class CellReference(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """
    The reference of one column (a feature, the prediction or the confidence): how many rows lay in which cell.

    A numeric column has `edges` (inner, ascending; cells are closed on the right, so `len(counts) == len(edges) + 1`) and is
    `ordered`; a categorical one has `categories` (most frequent first; `counts` has one more cell, for `other_known`).
    """

    name: str
    type: Literal["numeric", "categorical"]
    counts: list[int]
    edges: list[float] = []
    bin_means: list[float] = []
    """Mean of the reference's values in each bin of a numeric column; the bin's middle where it has none, as long as `counts`."""
    categories: list[str] = []
    other_known: list[str] = []
    """Known categories beyond the most frequent ones: seen, but without a cell of their own."""
    missing: int = 0
    non_finite: int = 0
    min: float | None = None
    max: float | None = None
    mean: float | None = None
    std: float | None = None


class SelfTest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """
    The reference's own windows against the rest of the reference, by the processor's own test.

    `p_values` has, per family present, one value per window: the smallest Holm-adjusted p-value among the members that pass the
    effect floor (1.0 where none does). The processor counts how many lie below its own alpha: the measured false-alarm rate.
    """

    order: Literal["time", "random"]
    window: str
    """What one window was: `1 day`, `900 rows`."""
    effect_floor: float
    p_values: dict[str, list[float]]


class Calibration(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """
    What the model's scores meant in the reference, where the truth was known: how many rows per score bin, and how many came true.

    `edges` are the inner ones, ascending, bins are closed on the right. `probabilities` are those of coming true, fitted so that they
    never fall with the score.
    """

    positive: str | None = None
    """The class whose probability the score is. Without one it is the confidence, and a row comes true where the prediction is right."""
    edges: list[float]
    rows: list[int]
    positives: list[int]
    probabilities: list[float]


class Inflation(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How a test's statistic varies over the reference's own windows, beside how it varies by chance."""

    factor: float
    """How many times larger it is on average, at least 1 (of a location test: the variance inflation)."""
    shape: float = 1.0
    """Degrees of freedom per degree of the test, in (0, 1] (Satterthwaite): smaller where few directions vary most."""


class ColumnCalibration(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One column over the reference's own windows: `scale` is the 95 % quantile of -ln p, `inflation` is by test."""

    scale: float
    inflation: dict[str, Inflation]


class RungReference(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """
    The reference's own windows of `rows` consecutive rows, each against the rest of the reference.

    `columns` are in the order of the features, the prediction, the confidence, as far as the profile has them. `extremes` has, per family, one number
    per window, ascending: the largest -ln p of a column, each divided by the column's scale. `alarms` has, per family, what a self-test of some
    200 of them in mode `scaled` gives: the smallest adjusted p-value of a column whose effect reaches `effect_floor`.
    """

    rows: int
    effect_floor: float
    columns: list[ColumnCalibration]
    extremes: dict[str, list[float]]
    alarms: dict[str, list[float]]


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where the rows came from."""

    kind: str
    uri: str
    rows: int
    sha256: str = ""


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything that a window of live inferences is compared with. Additive: equal edges merge by adding counts."""

    format: Literal["otel-ml-profile/1"] = FORMAT
    id: str = ""
    model: str
    version: str = ""
    created: str
    source: Source
    features: list[CellReference]
    prediction: CellReference | None = None
    confidence: CellReference | None = None
    low_confidence: float | None = None
    """The 5 % quantile of the reference's confidence."""
    median_confidence: float | None = None
    self_tests: list[SelfTest] = []
    own_windows: list[RungReference] = []
    """The fewest rows first; none where rows have no time, or there are too few of them."""
    calibration: Calibration | None = None
    performance: dict[str, float] = {}
    """By name of the score, how good the predictions of the reference were; empty where its truth is not known."""


def _canonical(profile: Profile) -> bytes:
    return msgspec.json.encode(profile, order="sorted")


def sealed(profile: Profile) -> Profile:
    """Return *profile* with its `id`: the SHA-256 of its canonical JSON without the id."""
    # As it will be read: an integer where a float belongs is written as one and read as the other.
    bare = msgspec.json.decode(_canonical(msgspec.structs.replace(profile, id="")), type=Profile)
    digest = hashlib.sha256(_canonical(bare)).hexdigest()
    return msgspec.structs.replace(bare, id=f"sha256:{digest}")


def write_profile(profile: Profile, path: Path) -> None:
    """Write *profile*, sealed, as canonical JSON, gzipped where the name ends in `.gz`; whoever reads meanwhile sees old or new."""
    data = _canonical(sealed(profile))
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    aside.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data + b"\n")
    aside.replace(path)


def read_profile(path: Path) -> Profile:
    """
    Return the profile in *path*, its structure, consistency and id checked.

    Raises:
        ProfileError: If the file is missing, larger than `MAX_PROFILE_BYTES`, not JSON, not of this format, inconsistent, or
            changed since it was sealed. The message names file, path within it, expectation and finding.
    """
    profile = _parsed(_content(path), path)
    for place, column in _columns(profile):
        _check_column(column, f"{path}: {place}")
    for i, rung in enumerate(profile.own_windows):
        _check_rung(rung, len(_columns(profile)), f"{path}: $.own_windows[{i}]")
    if profile.calibration is not None:
        _check_calibration(profile.calibration, f"{path}: $.calibration")
    if profile.id != sealed(profile).id:
        message = f"{path}: $.id: the content does not match the id; build the profile again instead of editing it"
        raise ProfileError(message)
    return profile


def _content(path: Path) -> bytes:
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            data = file.read(MAX_PROFILE_BYTES + 1)
    except (OSError, EOFError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        message = (
            f"{path}: cannot read the profile: {reason}; build one with `otel-ml profile build`"
        )
        raise ProfileError(message) from None
    if len(data) > MAX_PROFILE_BYTES:
        raise ProfileError(
            f"{path}: expected a profile of at most {MAX_PROFILE_BYTES} bytes, got more"
        )
    return data


def _parsed(data: bytes, path: Path) -> Profile:
    try:
        return msgspec.json.decode(data, type=Profile)
    except msgspec.DecodeError as error:
        raise ProfileError(f"{path}: not a profile of format {FORMAT}: {error}") from None


def _columns(profile: Profile) -> list[tuple[str, CellReference]]:
    named = [(f"$.features[{i}]", feature) for i, feature in enumerate(profile.features)]
    outputs = [("$.prediction", profile.prediction), ("$.confidence", profile.confidence)]
    return named + [(place, column) for place, column in outputs if column is not None]


def _check_rung(rung: RungReference, n_columns: int, place: str) -> None:
    if len(rung.columns) != n_columns:
        raise ProfileError(
            f"{place}.columns: expected {n_columns}, one per column, got {len(rung.columns)}"
        )
    for what in (rung.extremes, rung.alarms):
        lengths = {len(values) for values in what.values()}
        if len(lengths) != 1 or lengths == {0} or what.keys() != rung.extremes.keys():
            raise ProfileError(
                f"{place}: expected 'extremes' and 'alarms' of the same families, a number per window, got {sorted(lengths)}"
            )
    if any(values != sorted(values) for values in rung.extremes.values()):
        raise ProfileError(f"{place}.extremes: expected ascending numbers")
    inflations = [i for column in rung.columns for i in column.inflation.values()]
    sizes = [i.factor for i in inflations] + [i.shape for i in inflations]
    sizes += [column.scale for column in rung.columns]
    if min(sizes, default=1.0) <= 0:
        raise ProfileError(f"{place}.columns: expected numbers > 0, got {min(sizes)}")


def _check_column(column: CellReference, place: str) -> None:
    bounds = column.edges if column.type == "numeric" else column.categories
    if len(column.counts) != len(bounds) + 1:
        what = "edges" if column.type == "numeric" else "categories"
        message = f"{place}.counts: expected {len(bounds) + 1} counts for {len(bounds)} {what}, got {len(column.counts)}"
        raise ProfileError(message)
    if column.bin_means and len(column.bin_means) != len(column.counts):
        message = f"{place}.bin_means: expected {len(column.counts)} means, one per bin, got {len(column.bin_means)}"
        raise ProfileError(message)
    if min(column.counts, default=0) < 0:
        raise ProfileError(f"{place}.counts: expected counts >= 0, got {min(column.counts)}")
    if any(left >= right for left, right in zip(column.edges, column.edges[1:], strict=False)):
        raise ProfileError(f"{place}.edges: expected strictly ascending edges")


def _check_calibration(calibration: Calibration, place: str) -> None:
    edges, probabilities = calibration.edges, calibration.probabilities
    for name in ("rows", "positives", "probabilities"):
        found = len(getattr(calibration, name))
        if found != len(edges) + 1:
            raise ProfileError(
                f"{place}.{name}: expected {len(edges) + 1} numbers for {len(edges)} edges, got {found}"
            )
    if any(left >= right for left, right in pairwise(edges)):
        raise ProfileError(f"{place}.edges: expected strictly ascending edges")
    pairs = zip(calibration.positives, calibration.rows, strict=True)
    if not all(0 <= positives <= rows for positives, rows in pairs):
        raise ProfileError(f"{place}.positives: expected counts from 0 to those of 'rows'")
    if not all(0.0 <= probability <= 1.0 for probability in probabilities):
        raise ProfileError(f"{place}.probabilities: expected numbers in [0, 1]")
