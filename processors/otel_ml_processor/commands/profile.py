"""`otel-ml profile`: build a profile from a table, and show one."""

from __future__ import annotations

import argparse
import io
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
import numpy as np

from otel_ml_conventions.attributes import MlDriftTargetValues
from otel_ml_processor.commands.own_windows import own_windows, rung_sizes
from otel_ml_processor.commands.profile_text import profile_text
from otel_ml_processor.commands.self_tests import AssignedTarget, self_tests
from otel_ml_processor.commands.table_arguments import (
    Parser,
    Steps,
    add_roles,
    progress_steps,
    roles_of,
)
from otel_ml_processor.commands.table_columns import FeatureColumns, times_ns_of
from otel_ml_processor.commands.table_roles import Roles
from otel_ml_processor.commands.table_truth import truth_of
from otel_ml_processor.commands.tables import (
    as_table,
    digest_of_files,
    digest_of_table,
    read_tables,
)
from otel_ml_processor.config import DriftConfig
from otel_ml_processor.errors import OtelMlError, ProfileError, TableError
from otel_ml_processor.profile import Profile, Source, read_profile, sealed, write_profile
from otel_ml_processor.windows.reference import (
    Reference,
    build_profile,
    confidence_values,
    prediction_values,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pyarrow as pa

    from otel_ml_processor.columns import FloatArray, ValueColumn
    from otel_ml_processor.commands.self_tests import Window
    from otel_ml_processor.windows.reference import TargetReference

__all__ = ["build_profile_from_table", "main"]

_DEFAULTS: Final = DriftConfig()


def main(argv: Sequence[str] | None = None) -> int:
    """Run `otel-ml profile` with *argv* and return its exit code: 0, or 2 with one line on stderr that says what to mend."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal without bars or accents
    try:
        arguments = _parser().parse_args(argv)
        sys.stdout.write(arguments.run(arguments))
    except OtelMlError as error:
        sys.stderr.write(f"otel-ml profile: {error}\n")
        return 2
    return 0


def build_profile_from_table(
    table: object,
    *,
    model: str,
    version: str = "",
    label: str | None = None,
    score: str | None = None,
    positive: str | None = None,
    confidence: str | None = None,
    target: str | None = None,
    time: str | None = None,
    features: Sequence[str] | None = None,
    ignore: Sequence[str] = (),
    categorical: Sequence[str] = (),
    ordered: Sequence[str] = (),
    window: Window | None = None,
    uri: str = "",
    created: str | None = None,
) -> Profile:
    """
    Return the sealed profile of a data frame: what `otel-ml profile build` makes of a file.

    Args:
        table: A data frame of pandas >= 2.2, polars or pyarrow, all that speaks Arrow's PyCapsule interface, or a mapping of arrays.
        model: Name of the model, as its spans say it (`ml.model.name`).
        version: Version of the model; empty where it has none.
        label: Column of the predicted classes, or of a regression's predicted numbers; not of the truth.
        score: Column of the probability of the class *positive*; needs *label*.
        positive: The class that *score* belongs to, as text.
        confidence: Column of the probability of the predicted class, instead of *score*.
        target: Column of the true classes or numbers: from it the profile learns what scores mean, and how good the predictions are.
        time: Column of timestamps, dates or ISO 8601 texts, for the self-test in the order of time.
        features: The feature columns; by default all without another role.
        ignore: Columns to leave out.
        categorical: Columns to treat as categories, also if they hold numbers.
        ordered: Columns to treat as numbers, also if they are booleans or dictionary-coded.
        window: Window of the self-tests: `day`, `hour` or a number of rows; by default what the table allows.
        uri: Where the table came from, for the record.
        created: When, in ISO 8601; by default now.

    Raises:
        TableError: If a column is missing, has no values or the wrong type, a score is no probability, or roles do not fit.
    """
    rows = as_table(table)
    roles = Roles(
        label=label,
        score=score,
        positive=positive,
        confidence=confidence,
        target=target,
        time=time,
        features=features,
        ignore=ignore,
        categorical=categorical,
        ordered=ordered,
    )
    kind = type(table).__module__.partition(".")[0]
    source = Source(kind=kind, uri=uri, rows=rows.num_rows, sha256=digest_of_table(rows))
    whose = {"model": model, "version": version, "created": created or _now()}
    return _built(rows, roles, window, lambda _step: None, source=source, **whose)


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def _built(
    table: pa.Table,
    roles: Roles,
    window: Window | None,
    on_step: Callable[[str], None],
    *,
    source: Source,
    **whose: str,
) -> Profile:
    roles.check(table)
    if window in ("day", "hour") and roles.time is None:
        raise TableError(f"--window {window} needs --time: a column that says when")
    features = FeatureColumns(table, roles.feature_names(table), on_step)
    outputs = _Outputs(roles.predictions(table), roles.confidences(table))
    types = roles.types(table)
    profile = build_profile(
        features,
        source=source,
        types=types,
        prediction=outputs.predictions,
        prediction_type=types.get(roles.label or ""),
        confidence=outputs.confidences,
        **whose,
    )
    are_classes = profile.prediction is not None and profile.prediction.type == "categorical"
    truth = truth_of(
        roles, table, outputs.predictions, outputs.confidences, are_classes=are_classes
    )
    targets = _assigned(Reference.of(profile), features, outputs)
    times = None if roles.time is None else times_ns_of(table, roles.time)
    tests = self_tests(
        targets,
        times,
        window=window,
        seed=int(source.sha256[:16], 16),
        effect_floor=_DEFAULTS.effect_floor,
        on_step=on_step,
    )
    floor = _DEFAULTS.effect_floor
    windows = own_windows(targets, times, effect_floor=floor, on_step=on_step) if times else []
    known = {"self_tests": tests, "own_windows": windows, **truth}
    return sealed(msgspec.structs.replace(profile, **known))


class _Outputs(NamedTuple):
    """What a table says of the model's outputs, as far as it does."""

    predictions: ValueColumn | None
    confidences: FloatArray | None


def _assigned(
    reference: Reference, features: FeatureColumns, outputs: _Outputs
) -> list[AssignedTarget]:
    if not reference.targets:
        raise TableError("expected at least one feature, a --label or a --confidence, found none")
    return [
        # Cells and slots together are far fewer than an int16 holds, and there is one per row and column.
        AssignedTarget(target, target.cells.assign(column).astype(np.int16))
        for target in reference.targets
        if (column := _column_of(target, features, outputs)) is not None
    ]


def _column_of(
    target: TargetReference, features: FeatureColumns, outputs: _Outputs
) -> ValueColumn | None:
    if target.target is MlDriftTargetValues.FEATURE:
        return features[target.name]
    if target.target is MlDriftTargetValues.PREDICTION:
        return None if outputs.predictions is None else prediction_values(outputs.predictions)
    return None if outputs.confidences is None else confidence_values(outputs.confidences)


def _build(arguments: argparse.Namespace) -> str:
    output: Path = arguments.output
    if not output.parent.is_dir():
        raise ProfileError(f"{output}: expected an existing folder, there is no {output.parent}")
    roles = roles_of(arguments)
    with progress_steps(is_shown=arguments.progress or sys.stderr.isatty()) as steps:
        table = read_tables(arguments.tables)
        profile = _built_from_file(arguments, table, roles, steps)
    try:
        write_profile(profile, output)
    except OSError as error:
        raise ProfileError(f"{output}: cannot write the profile: {error.strerror}") from None
    text = profile_text(profile, _DEFAULTS.false_alarm_rate, roles.reasons(table))
    return f"{output}: {output.stat().st_size:,} bytes\n{text}"


def _built_from_file(
    arguments: argparse.Namespace, table: pa.Table, roles: Roles, steps: Steps
) -> Profile:
    paths: list[Path] = arguments.tables
    uri = ", ".join(map(str, paths))
    kind = "Parquet" if paths[0].suffix.lower() in {".parquet", ".pq"} else "CSV"
    source = Source(kind=kind, uri=uri, rows=table.num_rows, sha256=digest_of_files(paths))
    whose = {"model": arguments.model, "version": arguments.version, "created": _now()}
    try:
        rungs = rung_sizes(table.num_rows) if roles.time is not None else []
        steps.expect(2 * len(roles.feature_names(table)) + 2 + len(rungs))
        return _built(table, roles, arguments.window, steps, source=source, **whose)
    except TableError as error:
        raise TableError(f"{uri}: {error}") from None


def _show(arguments: argparse.Namespace) -> str:
    return profile_text(read_profile(arguments.file), _DEFAULTS.false_alarm_rate)


def _parser() -> Parser:
    parser = Parser(prog="otel-ml profile", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="build|show")
    _add_build(commands.add_parser("build", help="count a table of inferences into a profile"))
    show = commands.add_parser("show", help="show what a profile holds")
    show.add_argument("file", type=Path, metavar="FILE", help="a profile, .json or .json.gz")
    show.set_defaults(run=_show)
    return parser


def _add_build(build: argparse.ArgumentParser) -> None:
    add = build.add_argument
    add("tables", nargs="+", type=Path, metavar="TABLE", help=".csv, .csv.gz or .parquet files")
    add("--model", required=True, help="name of the model, as its spans say it")
    add("--version", default="", help="version of the model")
    add_roles(build)
    add("--window", type=_window, metavar="day|hour|N", help="window of the self-tests")
    add("--progress", action="store_true", help="show progress even if stderr is no terminal")
    add("-o", "--output", type=Path, default=Path("profile.json"), metavar="FILE")
    build.set_defaults(run=_build)


def _window(text: str) -> Window:
    periods: dict[str, Window] = {"day": "day", "hour": "hour"}
    if text in periods:
        return periods[text]
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise argparse.ArgumentTypeError(f"expected day, hour or a number of rows, got {text!r}")
