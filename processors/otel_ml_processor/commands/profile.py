"""`otel-ml profile`: build a profile from a table or from telemetry, show, merge, freeze and log one."""

from __future__ import annotations

import argparse
import io
import logging
import sys
from dataclasses import replace
from datetime import datetime, timezone
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa

from otel_ml_conventions.attributes import MlDriftTargetValues
from otel_ml_processor.commands.own_windows import own_windows, rung_sizes
from otel_ml_processor.commands.parser import Parser, add_command
from otel_ml_processor.commands.profile_kept import add_kept, check_output, written
from otel_ml_processor.commands.profile_text import profile_text
from otel_ml_processor.commands.reference_hours import TableHours
from otel_ml_processor.commands.self_tests import AssignedTarget, self_tests
from otel_ml_processor.commands.table_arguments import (
    Steps,
    add_roles,
    progress_steps,
    roles_of,
)
from otel_ml_processor.commands.table_columns import FeatureColumns, times_ns_of
from otel_ml_processor.commands.table_errors import with_expected_errors
from otel_ml_processor.commands.table_explanations import explanation_columns
from otel_ml_processor.commands.table_of_otlp import CONFIDENCE as CONFIDENCE_COLUMN
from otel_ml_processor.commands.table_of_otlp import PREDICTION as PREDICTION_COLUMN
from otel_ml_processor.commands.table_of_otlp import TARGET as TARGET_COLUMN
from otel_ml_processor.commands.table_of_otlp import TIME as TIME_COLUMN
from otel_ml_processor.commands.table_of_otlp import table_of_otlp
from otel_ml_processor.commands.table_roles import Roles
from otel_ml_processor.commands.table_segments import segments_of
from otel_ml_processor.commands.table_together import AssignedPairs, with_components, with_pairs
from otel_ml_processor.commands.table_truth import truth_of, truth_warning
from otel_ml_processor.commands.table_validation import VALIDATION, with_validation
from otel_ml_processor.commands.tables import (
    as_table,
    digest_of_files,
    digest_of_table,
    kind_of_table,
    read_tables,
)
from otel_ml_processor.config import DriftConfig
from otel_ml_processor.errors import ConfigError, OtelMlError, TableError
from otel_ml_processor.profile import Profile, Source, sealed
from otel_ml_processor.windows.reference import (
    Reference,
    build_profile,
    confidence_values,
    prediction_values,
)
from otel_ml_processor.windows.seasons import N_HOURS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from otel_ml_processor.columns import FloatArray, ValueColumn
    from otel_ml_processor.commands.self_tests import Window
    from otel_ml_processor.profile import Season
    from otel_ml_processor.windows.reference import TargetReference

__all__ = ["build_profile_from_table", "main"]

_DEFAULTS: Final = DriftConfig()
_LOGGER: Final = logging.getLogger(__name__)
_EPILOG: Final = """\
example: otel-ml profile build train.parquet --model fraud --label predicted --confidence confidence -o fraud.json

exit code: 0 done, 2 for what you can mend: a file, an option.
"""


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
    probabilities: Mapping[str, str] | None = None,
    target: str | None = None,
    time: str | None = None,
    features: Sequence[str] | None = None,
    ignore: Sequence[str] = (),
    categorical: Sequence[str] = (),
    ordered: Sequence[str] = (),
    segments: Sequence[str] = (),
    window: Window | None = None,
    slots: Season | None = None,
    uri: str = "",
    created: str | None = None,
    validation: object = None,
    explanations: object = None,
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
        probabilities: By class, as text, the column of its probability; needs *label*. With *target* the profile learns what they mean, so that
            precision, recall, F1 and the area under the ROC curve of several classes can be estimated.
        target: Column of the true classes or numbers: from it the profile learns what scores mean, and how good the predictions are.
        time: Column of timestamps, dates or ISO 8601 texts, for the self-test in the order of time.
        features: The feature columns; by default all without another role.
        ignore: Columns to leave out.
        categorical: Columns to treat as categories, also if they hold numbers.
        ordered: Columns to treat as numbers, also if they are booleans or dictionary-coded.
        segments: Columns whose values divide the rows, as inferences say them under these names; no features, unless *features* names them.
        window: Window of the self-tests: `day`, `hour` or a number of rows; by default what the table allows.
        slots: Keep the reference hour by hour of the day or of the week, so that windows are compared with their own hours; needs *time*.
        uri: Where the table came from, for the record.
        created: When, in ISO 8601; by default now.
        validation: A further table, of rows that the model was not trained on: what the model says is taken from these alone. A warning is
            logged where the rows that it is taken from look like training rows.
        explanations: A table of attributions, a row per prediction and a column per feature: what is usual of explanations.

    Raises:
        TableError: If a column is missing, has no values or the wrong type, a score is no probability, or roles do not fit.
    """
    rows = as_table(table)
    if validation is not None:
        rows = with_validation(rows, as_table(validation))
    roles = Roles(
        label=label,
        score=score,
        positive=positive,
        confidence=confidence,
        probabilities=probabilities or {},
        target=target,
        time=time,
        features=features,
        ignore=ignore,
        categorical=categorical,
        ordered=ordered,
        segments=segments,
        validation=None if validation is None else VALIDATION,
    )
    kind = type(table).__module__.partition(".")[0]
    source = Source(kind=kind, uri=uri, rows=rows.num_rows, sha256=digest_of_table(rows))
    whose = {"model": model, "version": version, "created": created or _now()}
    on_step = _pass_over
    profile = _built(rows, roles, window, slots, on_step, source=source, **whose)
    if explanations is not None:
        profile = _explained(profile, as_table(explanations))
    warning = truth_warning(profile)
    if warning:
        _LOGGER.warning("%s", warning)
    return profile


def _explained(profile: Profile, attributions: pa.Table) -> Profile:
    return sealed(msgspec.structs.replace(profile, explanations=explanation_columns(attributions)))


def _pass_over(_step: str) -> None:
    """Be told, and do nothing."""


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def _built(
    table: pa.Table,
    roles: Roles,
    window: Window | None,
    slots: Season | None,
    on_step: Callable[[str], None],
    *,
    source: Source,
    **whose: str,
) -> Profile:
    roles.check(table)
    if window in ("day", "hour") and roles.time is None:
        raise TableError(f"--window {window} needs --time: a column that says when")
    if slots is not None and roles.time is None:
        raise TableError(f"--slots {slots} needs --time: a column that says when")
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
        model=whose["model"],
        version=whose["version"],
        created=whose["created"],
    )
    are_classes = profile.prediction is not None and profile.prediction.type == "categorical"
    truth = truth_of(
        roles, table, outputs.predictions, outputs.confidences, are_classes=are_classes
    )
    times = None if roles.time is None else times_ns_of(table, roles.time)
    hours = TableHours.of(slots, *times) if slots and times else None
    targets = _assigned(Reference.of(profile), features, outputs)
    profile = msgspec.structs.replace(profile, **truth)
    profile, expected = with_expected_errors(
        profile, targets, outputs.predictions, roles.truths(table), outputs.confidences
    )
    targets += expected
    on_step("features together")
    profile, errors = with_components(profile, table, targets)
    # What moves with the hour is correlated over the day, and within an hour is not.
    profile, pairs = (profile, []) if hours else with_pairs(profile, targets)
    targets = [replace(target, hours=hours) for target in (*targets, *errors)]
    tested: list[AssignedTarget | AssignedPairs] = [*targets, *pairs]
    tests = self_tests(
        tested,
        times,
        window=window,
        seed=int(source.sha256[:16], 16),
        effect_floor=_DEFAULTS.effect_floor,
        on_step=on_step,
    )
    floor = _DEFAULTS.effect_floor
    windows = own_windows(tested, times, effect_floor=floor, on_step=on_step) if times else []
    by_hour = hours and hours.part([(t.cells, len(t.target.counts)) for t in targets])
    segments = segments_of(table, roles, profile, targets, outputs.confidences)
    known = {
        "self_tests": tests,
        "own_windows": windows,
        "slots": by_hour,
        "segments": segments,
    }
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
    _check_inputs(arguments)
    output: Path = arguments.output
    inputs = (arguments.tables, arguments.from_otlp, arguments.validation, arguments.explanations)
    check_output(output, list(chain(*inputs)))
    roles = roles_of(arguments)
    with progress_steps(is_shown=arguments.progress or sys.stderr.isatty()) as steps:
        if arguments.from_otlp:
            table, roles = _read_otlp(arguments, roles, steps)
        else:
            table, roles = _read_tables(arguments, roles)
        profile = _built_from_file(arguments, table, roles, steps)
        if arguments.explanations:
            profile = _explained_by_files(profile, arguments.explanations)
    text = profile_text(profile, _DEFAULTS.false_alarm_rate, roles.reasons(table))
    warning = truth_warning(profile)
    said = f"warning: {warning}\n" if warning else ""
    return written(profile, output, f"{text}{said}")


def _explained_by_files(profile: Profile, paths: Sequence[Path]) -> Profile:
    attributions = read_tables(paths)
    try:
        return _explained(profile, attributions)
    except TableError as error:
        raise TableError(f"{', '.join(map(str, paths))}: {error}") from None


def _check_inputs(arguments: argparse.Namespace) -> None:
    if bool(arguments.tables) == bool(arguments.from_otlp):
        raise ConfigError("expected tables, or --from-otlp with files of telemetry, and not both")
    if arguments.tables and not arguments.model:
        raise ConfigError("expected --model: the name of the model, as its spans say it")
    if arguments.from_otlp and arguments.validation:
        raise ConfigError("--validation is for tables: inferences were not trained on anyway")


def _read_tables(arguments: argparse.Namespace, roles: Roles) -> tuple[pa.Table, Roles]:
    table = read_tables(arguments.tables)
    if not arguments.validation:
        return table, roles
    return with_validation(table, read_tables(arguments.validation)), replace(
        roles, validation=VALIDATION
    )


def _read_otlp(arguments: argparse.Namespace, roles: Roles, steps: Steps) -> tuple[pa.Table, Roles]:
    """Return the inferences of the files, and what the columns are that they bring with them; the rest is as *roles* say."""
    if set(roles.outputs) - {None}:
        raise ConfigError(
            "--from-otlp: spans say themselves what was predicted, how sure, and when"
        )
    found = table_of_otlp(arguments.from_otlp, arguments.model, arguments.version, steps)
    arguments.model, arguments.version = found.stream.model, found.stream.version
    arguments.service, arguments.environment = found.stream.service, found.stream.environment
    arguments.schemas = found.schemas
    names = set(found.table.column_names)
    said = {
        "label": PREDICTION_COLUMN,
        "confidence": CONFIDENCE_COLUMN,
        "target": TARGET_COLUMN,
        "time": TIME_COLUMN,
    }
    known: dict[str, Any] = {role: name for role, name in said.items() if name in names}
    if "label" not in known:
        known.pop("target", None)
    known["probabilities"] = found.probabilities
    # As they will be counted: classes by their labels, all else by its numbers, be they few and whole.
    is_number = "label" in known and pa.types.is_floating(found.table[PREDICTION_COLUMN].type)
    ordered = [*roles.ordered, PREDICTION_COLUMN] if is_number else roles.ordered
    return found.table, replace(roles, ordered=ordered, **known)


def _built_from_file(
    arguments: argparse.Namespace, table: pa.Table, roles: Roles, steps: Steps
) -> Profile:
    paths: list[Path] = arguments.from_otlp or [*arguments.tables, *arguments.validation]
    uri = ", ".join(map(str, paths))
    source = Source(
        kind="OTLP" if arguments.from_otlp else kind_of_table(paths[0]),
        uri=uri,
        rows=table.num_rows,
        sha256=digest_of_files(paths),
        service=getattr(arguments, "service", ""),
        environment=getattr(arguments, "environment", ""),
    )
    whose = {"model": arguments.model, "version": arguments.version, "created": _now()}
    try:
        rungs = rung_sizes(table.num_rows) if roles.time is not None else []
        steps.expect(2 * len(roles.feature_names(table)) + 3 + len(rungs))
        slots = None if arguments.slots == "none" else arguments.slots
        profile = _built(table, roles, arguments.window, slots, steps, source=source, **whose)
        schemas = list(getattr(arguments, "schemas", ()))
        return sealed(msgspec.structs.replace(profile, schemas=schemas))
    except TableError as error:
        raise TableError(f"{uri}: {error}") from None


def _parser() -> Parser:
    parser = Parser(
        prog="otel-ml profile",
        description=__doc__,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="build|show|merge|freeze|log")
    _add_build(
        add_command(
            commands,
            "build",
            "count a table of inferences into a profile",
            epilog=_EPILOG,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
    )
    add_kept(commands)
    return parser


def _add_build(build: argparse.ArgumentParser) -> None:
    add = build.add_argument
    add(
        "tables",
        nargs="*",
        type=Path,
        metavar="TABLE",
        help=".csv, .csv.gz, .parquet or .npz files",
    )
    add(
        "--from-otlp",
        nargs="+",
        type=Path,
        default=[],
        metavar="FILE",
        help="inferences and feedback, as a collector's file exporter writes them, instead of tables",
    )
    add(
        "--validation",
        nargs="+",
        type=Path,
        default=[],
        metavar="TABLE",
        help="rows that the model was not trained on: what it says is taken from these alone",
    )
    add("--model", default="", help="name of the model, as its spans say it")
    add("--version", default="", help="version of the model")
    add_roles(build)
    add(
        "--probabilities",
        type=_columns_of_classes,
        default={},
        metavar="CLASS=COL,..",
        help="probability of each class, or COL alone where it is called as its class; with --target, what they mean",
    )
    add(
        "--segment",
        action="append",
        dest="segments",
        default=[],
        metavar="COL",
        help="keep the reference of each value too, as inferences say it under that name; may be repeated",
    )
    add(
        "--explanations",
        nargs="+",
        type=Path,
        default=[],
        metavar="TABLE",
        help="attributions, a row per prediction and a column per feature: what is usual of explanations",
    )
    add("--window", type=_window, metavar="day|hour|N", help="window of the self-tests")
    add(
        "--slots",
        choices=["none", *N_HOURS],
        default="none",
        help="compare windows with the reference of their own hours; needs --time (%(default)s)",
    )
    add("--progress", action="store_true", help="show progress even if stderr is no terminal")
    add(
        *("-o", "--output"),
        type=Path,
        default=Path("profile.json"),
        metavar="FILE",
        help="where the profile goes (default: %(default)s)",
    )
    build.set_defaults(run=_build)


def _columns_of_classes(text: str) -> dict[str, str]:
    """Return by class the column of its probability."""
    pairs = [part.strip().rpartition("=") for part in text.split(",") if part.strip()]
    classes = {name or column: column for name, _, column in pairs}
    if len(classes) < len(pairs) or not all(classes.values()):
        raise argparse.ArgumentTypeError(f"expected CLASS=COLUMN, each class once, got {text!r}")
    return classes


def _window(text: str) -> Window:
    periods: dict[str, Window] = {"day": "day", "hour": "hour"}
    if text in periods:
        return periods[text]
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise argparse.ArgumentTypeError(f"expected day, hour or a number of rows, got {text!r}")
