"""The page for people: every stream with its last readings, the promise it is held to, and where to look next."""

from __future__ import annotations

import base64
import hashlib
import math
import time
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from otel_ml_conventions.attributes import (
    MlDriftMethodValues,
    MlDriftStateValues,
    MlDriftTargetValues,
)
from otel_ml_processor.assess.confidence_fall import describe_fall
from otel_ml_processor.assess.error_patterns import describe_pattern
from otel_ml_processor.assess.promise import is_broken
from otel_ml_processor.assess.sampling import BIASED
from otel_ml_processor.emit.points import valid_text
from otel_ml_processor.emit.readings import iso_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jinja2 import Template

    from otel_ml_processor.assess.explanations import ExplanationReading
    from otel_ml_processor.assess.performance import PerformanceReading
    from otel_ml_processor.assess.reading import Reading, TargetReading
    from otel_ml_processor.assess.segments import Gap, SegmentReading
    from otel_ml_processor.emit.stream_pages import StreamView

__all__ = ["CONTENT_SECURITY_POLICY", "ProcessorFacts", "page_html"]

_SHOWN: Final = 25
"""Rows of a window's table that are open at once; the others unfold."""
_NAMED: Final = 10
"""Features that a sentence names; the others are counted."""
_NO_REFERENCE: Final = "no reference"
_WAITING: Final = "waiting"
_VERDICTS: Final = ("drifting", "warning", "steady", "insufficient", _NO_REFERENCE, _WAITING)
"""What is said of a window or a stream, the worst first."""
_UNKNOWN: Final = "\N{EN DASH}"
_EXPLAINED: Final = 5
"""Features of which it is said how much they count."""
_FULL_BAR: Final = 0.1
"""PSI at which a bar is full, unless the window has a larger one: a steady window must not look alarming."""
_LAST: Final = (MlDriftTargetValues.FEATURE, MlDriftTargetValues.EXPLANATION)
_SMALLEST_SHARE: Final = 0.001
_SMALLEST_P_VALUE: Final = 0.0001
_QUIET_S: Final = 600.0
"""From then on it is remarkable that a feature has no value."""
_INVALID: Final = {
    "non_finite": "not finite",
    "empty": "empty",
    "improbable": "with a confidence that is no probability",
    "range": "outside the range of the reference",
    "category": "of a class that the reference does not have",
}
"""What breaks a rule for outputs, in words."""
_DRIVERS: Final = {
    "chi_squared": "shape",
    "rank_location": "location",
    "rank_scale": "spread",
    "rank_correlation": "dependence",
    "ood": "distance",
}
"""What a test is sensitive to, in a word; the other drivers are such words."""


@dataclass(frozen=True, slots=True)
class ProcessorFacts:
    """What the page says of the processor itself."""

    mode: str
    """`tee` or `inline`."""
    receive_endpoint: str
    """Where spans are to be sent by gRPC."""
    version: str
    http_endpoint: str = ""
    """Where they are to be sent by HTTP; empty where that door is closed."""


def page_html(views: Sequence[StreamView], facts: ProcessorFacts, *, is_ready: bool) -> str:
    """Return the page, the worst streams first; whatever a stream, a feature or a class is called, it is shown as text."""
    streams = sorted(
        ((view, _verdict(view)) for view in views), key=lambda s: _VERDICTS.index(s[1])
    )
    verdicts = [verdict for _, verdict in streams]
    return _template().render(
        facts=facts,
        is_ready=is_ready,
        streams=streams,
        tally=[(verdict, verdicts.count(verdict)) for verdict in dict.fromkeys(verdicts)],
        now=_moment(time.time_ns()),
        biased=BIASED,
    )


def _verdict(view: StreamView) -> str:
    """Return the worst verdict among the windows."""
    verdicts = {_verdict_of(reading) for reading in view.readings} or {_WAITING}
    return min(verdicts, key=_VERDICTS.index)


def _verdict_of(reading: Reading) -> str:
    return reading.state.value.replace("_", " ")


def _full_bar(reading: Reading) -> float:
    return max([_FULL_BAR, *filter(math.isfinite, map(_psi, reading.targets))])


def _sorted_targets(reading: Reading) -> list[TargetReading]:
    """Return prediction, confidence and all that is of the whole model, then the features, then attributions to them, the worst first."""

    def rank(target: TargetReading) -> tuple[int, int, float]:
        kind = _LAST.index(target.target) + 1 if target.target in _LAST else 0
        return kind, _VERDICTS.index(target.state.value), -target.effect

    return sorted(reading.targets, key=rank)


def _drifting(reading: Reading) -> tuple[int, int]:
    """Return how many features drift, and how many there are."""
    features = [t for t in reading.targets if t.target == MlDriftTargetValues.FEATURE]
    return sum(t.state == MlDriftStateValues.DRIFTING for t in features), len(features)


def _slowly(reading: Reading) -> str:
    """Return what drifts slowly by the evidence of all windows so far, in words; empty where nothing does."""
    level = math.log(reading.windows_between_alarms or math.inf)
    slow = [t for t in reading.targets if t.evidence is not None and t.evidence.log >= level]
    named = [
        f"{valid_text(t.name) or t.target.value} ({'rising' if t.evidence.rises else 'falling'})"
        for t in slow[:_NAMED]
        if t.evidence is not None
    ]
    rest = [f"{len(slow) - _NAMED} more"] if len(slow) > _NAMED else []
    return ", ".join(named + rest)


def _quality(reading: Reading) -> list[str]:
    """Return what is to be said of the quality of a window's data, a sentence each; nothing where there is nothing."""
    quality = reading.quality
    if quality is None:
        return []
    said = []
    if quality.duplicates is not None:
        said.append(f"{_share(quality.duplicates)} of the inputs came before")
    if quality.inconsistent is not None:
        share = _share(quality.inconsistent)
        said.append(f"{share} of the repeated ones were answered differently")
    broken = [f"{_thousands(n)} {_INVALID[rule]}" for rule, n in quality.invalid.items() if n]
    if broken:
        said.append(f"unusable predictions: {', '.join(broken)}")
    if quality.constant:
        said.append(f"all in one bin or category, and were not: {_listed(quality.constant)}")
    pairs = [f"{p.first} and {p.second} ({p.before:.2f} to {p.after:.2f})" for p in quality.alike]
    if pairs:
        said.append(f"say nearly the same, and did not: {_listed(pairs)}")
    return said


def _quiet(view: StreamView) -> str:
    """Return the features that have had no value for ten minutes longer than no row has come, the longest first; empty where there is none."""
    since_s = _QUIET_S + (view.silent_s or 0.0)
    quiet = [(age, name) for name, age in view.stale_s.items() if age >= since_s]
    return _listed([f"{name} ({_duration(age)})" for age, name in sorted(quiet, reverse=True)])


def _duration(seconds: float) -> str:
    hours, minutes = divmod(int(seconds) // 60, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min"


def _listed(names: Sequence[str]) -> str:
    """Return the first of *names*, and how many more there are."""
    rest = [f"{len(names) - _NAMED} more"] if len(names) > _NAMED else []
    return ", ".join([*map(valid_text, names[:_NAMED]), *rest])


def _driver(target: TargetReading) -> str:
    """Return what changed, where something did."""
    changed = target.state in {MlDriftStateValues.DRIFTING, MlDriftStateValues.WARNING}
    return _DRIVERS.get(target.driver, target.driver) if changed else ""


def _together(target: TargetReading) -> str:
    """Return what the features together say, in words; empty of every other target."""
    if target.target is MlDriftTargetValues.MULTIVARIATE:
        error = target.scores.get(MlDriftMethodValues.PCA_RECONSTRUCTION.value, math.nan)
        return f"{_share(target.ood)} out of distribution, mean error {_number(error)}"
    if target.target is MlDriftTargetValues.DATA_QUALITY:
        return f"{_share(target.effect)} of rows with another schema" if target.effect else ""
    if target.pair is None:
        return ""
    first, second = valid_text(target.pair.first), valid_text(target.pair.second)
    return f"{first} and {second}: {target.pair.before:.2f} to {target.pair.after:.2f}"


def _explanations(explanations: ExplanationReading) -> str:
    """Return what counts most for the predictions that were explained, and before, in words."""
    heaviest = sorted(explanations.importance.items(), key=lambda each: -each[1])[:_EXPLAINED]
    named = [
        f"{valid_text(name)} {value:.3g} ({explanations.before[name]:.3g})"
        for name, value in heaviest
    ]
    reference = (
        "the first explanations that came" if explanations.is_provisional else "the reference"
    )
    text = (
        f"{_thousands(explanations.rows)} predictions explained; what counts most, and in {reference}: "
        f"{', '.join(named)}."
    )
    if explanations.consistency is None:
        return text
    return f"{text} Like inputs are explained alike to {_share(explanations.consistency)}."


def _psi(target: TargetReading) -> float:
    """Return the PSI, or the debiased one where other scores are configured."""
    if target.target is MlDriftTargetValues.DATA_QUALITY:
        return math.nan
    return target.scores.get(MlDriftMethodValues.PSI.value, target.effect)


def _classes(reading: Reading) -> list[tuple[str, int, float]]:
    """Return the five most frequent classes with count and share, and the others as one."""
    total = sum(reading.labels.values())
    ranked = sorted(reading.labels.items(), key=lambda item: -item[1])
    top = [(label, count, count / total) for label, count in ranked[:5] if total]
    rest = sum(count for _, count in ranked[5:])
    n_others = len(ranked) - len(top)
    others = f"{n_others} other{'' if n_others == 1 else 's'}"
    return [*top, (others, rest, rest / total)] if rest else top


def _gaps(segments: Sequence[SegmentReading]) -> list[tuple[str, int, Gap]]:
    """Return the rates of the segments of a window: which segment, how many rows, and the rate beside that of the rest."""
    return [(str(s.segment), s.rows, gap) for s in segments for gap in s.gaps]


def _labelled_gaps(reading: PerformanceReading | None) -> list[tuple[str, int, Gap]]:
    """Return the error rates of segments, as labels tell them."""
    parts = reading.segments if reading else ()
    return [(str(part.segment), part.labelled, part.gap) for part in parts if part.gap]


def _performance(view: StreamView, window: str) -> PerformanceReading | None:
    """Return what labels say of *window*; None where there are not enough of them."""
    return next((p for p in view.performance if p.window.name == window), None)


def _scores(view: StreamView, reading: Reading) -> list[tuple[str, list[float]]]:
    """Return by name of the score: of the reference, expected of this window and as a part of that, come true, and by how much that had been overestimated."""
    labelled = _performance(view, reading.window.name)
    before = view.reference.performance if view.reference else {}
    columns = (
        before,
        reading.estimated,
        {name: part / before[name] for name, part in reading.estimated.items() if before.get(name)},
        labelled.realized if labelled else {},
        labelled.gaps if labelled else {},
    )
    names = dict.fromkeys(name for column in columns[1:4] for name in column)
    return [(name, [column.get(name, math.nan) for column in columns]) for name in names]


def _share(value: float) -> str:
    if not math.isfinite(value):
        return _UNKNOWN
    if 0 < value < _SMALLEST_SHARE:
        return f"< {_SMALLEST_SHARE:.1%}".replace("%", "\N{NO-BREAK SPACE}%")
    return f"{value * 100:.3g}\N{NO-BREAK SPACE}%"


def _number(value: float) -> str:
    return f"{value:.3f}" if math.isfinite(value) else _UNKNOWN


def _p_value(value: float) -> str:
    if not math.isfinite(value):
        return _UNKNOWN
    return f"< {_SMALLEST_P_VALUE:.4f}" if value < _SMALLEST_P_VALUE else f"{value:.2g}"


def _thousands(count: int) -> str:
    return f"{count:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def _short(reference_id: str) -> str:
    return reference_id.removeprefix("sha256:")[:12]


def _moment(time_ns: int) -> str:
    return iso_time(time_ns).replace("T", " ").removesuffix("Z")


def _span(reading: Reading | PerformanceReading) -> str:
    """Return the event time of a window, the day once where it is the same."""
    start, end = _moment(reading.window.start_ns), _moment(reading.window.end_ns)
    return f"{start} \N{EN DASH} {end[11:] if start[:10] == end[:10] else end} UTC"


_STYLE: Final = files("otel_ml_processor.emit").joinpath("page.css").read_text(encoding="utf-8")
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
CONTENT_SECURITY_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The page's own style and nothing else: no script, no picture, no address but its own."""


@cache  # and not as this file is read: a processor at whose page nobody looks starts sooner, and has 2 MiB less in memory
def _template() -> Template:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(_FILTERS)
    environment.globals.update(style=_STYLE, shown=_SHOWN, is_broken=is_broken)
    return environment.from_string(
        files("otel_ml_processor.emit").joinpath("page.html").read_text(encoding="utf-8")
    )


_FILTERS: Final = {
    "classes": _classes,
    "driver": _driver,
    "explanations": _explanations,
    "drifting": _drifting,
    "gaps": _gaps,
    "labelled_gaps": _labelled_gaps,
    "fall": describe_fall,
    "pattern": describe_pattern,
    "full_bar": _full_bar,
    "moment": _moment,
    "number": _number,
    "scores": _scores,
    "quality": _quality,
    "quiet": _quiet,
    "p_value": _p_value,
    "performance": _performance,
    "psi": _psi,
    "share": _share,
    "short": _short,
    "slowly": _slowly,
    "sorted_targets": _sorted_targets,
    "span": _span,
    "text": valid_text,
    "together": _together,
    "thousands": _thousands,
    "verdict": _verdict_of,
}
"""What the page calls what it shows numbers, times and states with."""
