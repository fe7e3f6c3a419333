"""`otel-ml splice`: print the overlay that puts the otel-ml processor into a collector that you have."""

from __future__ import annotations

import argparse
import io
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from otel_ml_processor.commands.parser import Parser
from otel_ml_processor.commands.splice.collector import Collector
from otel_ml_processor.commands.splice.conflicts import check_names_are_free
from otel_ml_processor.commands.splice.layers import read_layers, resolved
from otel_ml_processor.commands.splice.overlay import overlay
from otel_ml_processor.commands.splice.overlay_text import overlay_text
from otel_ml_processor.commands.splice.placement import Said
from otel_ml_processor.commands.splice.plan import plan
from otel_ml_processor.commands.splice.proof import prove
from otel_ml_processor.commands.splice.refusal import RefusedError
from otel_ml_processor.commands.splice.wishes import (
    DEFAULT_HOP,
    DEFAULT_NAME,
    DEFAULT_RETURN,
    Hop,
    Wishes,
)
from otel_ml_processor.errors import OtelMlError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from otel_ml_processor.commands.splice.plan import Plan

__all__ = ["main"]

_PRINTED, _REFUSED, _MISUSED = 0, 1, 2
_APPEND: Final = "confmap.enableMergeAppendOption"
_EPILOG: Final = """\
modes:
  tee       the processor gets a copy; your pipelines are not touched (default)
  inline    the spans pass through the processor and carry its verdicts; they wait while it is away
  failover  as inline while the processor lives, directly while it does not

Redaction stands before the hop, tail sampling behind it; a processor of a type that is not known is asked for (--before, --behind).
No file is changed and nothing is started. The overlay goes to stdout: save it, and give it to the collector as its last --config.

example: otel-ml splice gateway.yaml --collector otelcol-contrib > otel-ml.yaml

exit code: 0 printed (or in place already), 1 refused because it would break something, 2 for what you can mend: a file, an option.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run `otel-ml splice` with *argv* and return its exit code: 0, 1 where it refuses, 2 for misuse; both with the reason on stderr."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names that a terminal cannot show
    try:
        text = _splice(_parser().parse_args(argv))
    except RefusedError as error:
        sys.stderr.write(f"otel-ml splice: {error}\n")
        return _REFUSED
    except OtelMlError as error:
        sys.stderr.write(f"otel-ml splice: {error}\n")
        return _MISUSED
    sys.stdout.write(text)
    return _PRINTED


def _splice(arguments: argparse.Namespace) -> str:
    wishes = _wishes(arguments)
    root = read_layers(arguments.files, appends=wishes.appends)
    collector = Collector(root)
    planned = plan(collector, wishes)
    if planned is None:
        return (
            f"# Nothing to add: these files lead to the processor already (mode {wishes.mode}).\n"
        )
    added = overlay(planned)
    check_names_are_free(collector, added.added())
    text = overlay_text(added, _commands(arguments, planned))
    if arguments.collector is not None:
        prove(arguments.collector, arguments.files, root, text, arguments.feature_gates)
        sys.stderr.write(f"otel-ml splice: {arguments.collector} accepts it with your files\n")
    return text


def _wishes(arguments: argparse.Namespace) -> Wishes:
    gates = ",".join(arguments.feature_gates).split(",")
    return Wishes(
        mode=arguments.mode,
        said=Said(tuple(arguments.before), tuple(arguments.behind)),
        hop=Hop(arguments.processor, arguments.back, arguments.insecure),
        word=arguments.name,
        pipeline=arguments.pipeline,
        only_inferences=arguments.only_inferences,
        with_feedback=not arguments.without_feedback,
        appends=any(gate.strip().removeprefix("+") == _APPEND for gate in gates),
    )


def _commands(arguments: argparse.Namespace, planned: Plan) -> list[str]:
    """Return what is run with the overlay: the collector, and the processor with what it has to be told."""
    files = [f"--config {shlex.quote(str(file))}" for file in arguments.files]
    gates = [f"--feature-gates={shlex.quote(gate)}" for gate in arguments.feature_gates]
    told = _settings(planned)
    return [
        " ".join(
            [shlex.quote(arguments.collector or "otelcol"), *gates, *files, "--config otel-ml.yaml"]
        ),
        " ".join(["otel-ml processor", *(f"--set {shlex.quote(setting)}" for setting in told)]),
    ]


def _settings(planned: Plan) -> list[str]:
    """Return what the processor has to be told: the other ends of the collector's addresses."""
    hop, back = planned.hop, _reached(planned.hop)
    told = []
    if hop.to != DEFAULT_HOP:
        told.append(f"receive.endpoint={_listened_on(hop)}")
    if planned.mode != "tee":
        told += ["mode=inline", f"forward.endpoint={back}"]
    if hop.back != DEFAULT_RETURN:
        told.append(f"emit.endpoint={back}")
    if hop.is_insecure:
        told.append("insecure_bind=true")
    return told


def _listened_on(hop: Hop) -> str:
    """Return where the processor listens: a name by which others reach it is none of its own addresses."""
    port = resolved(hop.to).rpartition(":")[2]
    return resolved(hop.to) if hop.is_here else f"0.0.0.0:{port}"


def _reached(hop: Hop) -> str:
    """Return where the processor sends to: on another machine, to a name of the collector that is for the operator to fill in."""
    host, _, port = resolved(hop.back).rpartition(":")
    if host not in {"0.0.0.0", "[::]"}:  # noqa: S104 - compared with, not listened on
        return resolved(hop.back)
    return f"{'127.0.0.1' if hop.is_here else 'COLLECTOR'}:{port}"


def _parser() -> Parser:
    parser = Parser(
        prog="otel-ml splice",
        description=__doc__,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add(
        "files",
        nargs="+",
        type=Path,
        metavar="CONFIG",
        help="the files of the collector, in the order of its --config",
    )
    add(
        "--mode",
        type=_mode,
        default="tee",
        help="tee, inline or failover; see below",
        metavar="MODE",
    )
    add("--pipeline", metavar="NAME", help="the pipeline of traces, where there are several")
    add(
        "--before",
        action="append",
        default=[],
        metavar="NAME",
        help="a processor that stands before the hop",
    )
    add(
        "--behind",
        action="append",
        default=[],
        metavar="NAME",
        help="a processor that stands behind it",
    )
    add(
        "--only-inferences",
        action="store_true",
        help="with mode tee: other spans are left out of the copy",
    )
    add(
        "--without-feedback",
        action="store_true",
        help="no logs: feedback and explanations come on spans, if at all",
    )
    add(
        "--processor",
        default=DEFAULT_HOP,
        metavar="ADDRESS",
        help=f"host:port of the otel-ml processor (default: {DEFAULT_HOP})",
    )
    add(
        "--return",
        dest="back",
        default=DEFAULT_RETURN,
        metavar="ADDRESS",
        help=f"host:port where the collector takes in what comes back (default: {DEFAULT_RETURN})",
    )
    add(
        "--insecure",
        action="store_true",
        help="no TLS beyond this machine either: the network itself is closed",
    )
    add("--name", default=DEFAULT_NAME, metavar="WORD", help="ends the names of what is added")
    add(
        "--feature-gates",
        action="append",
        default=[],
        metavar="GATES",
        help="those of the collector, written as for it",
    )
    add(
        "--collector",
        metavar="PROGRAM",
        help="your collector, which then validates the result",
    )
    return parser


def _mode(text: str) -> str:
    # `in-line` is how one writes it, `inline` what the processor's own option is called.
    mode = text.replace("-", "")
    if mode not in {"tee", "inline", "failover"}:
        raise argparse.ArgumentTypeError(f"expected tee, inline or failover, got {text!r}")
    return mode
