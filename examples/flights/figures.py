"""
Makes the figures and the numbers of the walk-through: `python examples/flights/figures.py`.

Flies the year through the processor (two minutes or so), writes what it said to `docs/walkthrough/flights.json`, draws it, and puts the
numbers into the page. With `--draw` it takes the numbers that are written already.
"""

from __future__ import annotations

import argparse
import json
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import matplotlib as mpl
import numpy as np
from departures import FEATURES

mpl.use("svg")

import matplotlib.pyplot as plt
from matplotlib.colors import BoundaryNorm
from matplotlib.dates import DateFormatter, MonthLocator

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["BEGIN", "END", "FACTS", "PAGE", "block", "draw", "main", "with_block"]

ROOT: Final = Path(__file__).resolve().parents[2]
FOLDER: Final = ROOT / "docs" / "walkthrough"
FACTS: Final = FOLDER / "flights.json"
PAGE: Final = FOLDER / "flights.md"
BEGIN: Final = "<!-- numbers: begin, written by examples/flights/figures.py -->"
END: Final = "<!-- numbers: end -->"
NEW_YEAR: Final = "2014-01-01"
BLUE, ORANGE, GREEN, GREY = "#0072b2", "#d55e00", "#009e73", "#777777"
"""Told apart by the colour-blind too (Okabe and Ito)."""
PSI_STEPS: Final = (0.0, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
UNITS: Final = {
    "temp": "°F",
    "dewp": "°F",
    "humid": "%",
    "wind_speed": "mph",
    "precip": "in",
    "visib": "mi",
    "pressure": "hPa",
    "dep_delay": "min",
    "distance": "mi",
}
Facts = dict[str, Any]


def performance(facts: Facts) -> Figure:
    """Draw accuracy and area under the ROC curve, estimated and realised, week by week."""
    figure, axes = plt.subplots(2, 1, figsize=(8, 5.2), sharex=True, layout="constrained")
    for axis, (name, title) in zip(
        axes, (("roc_auc", "area under the ROC curve"), ("accuracy", "accuracy")), strict=True
    ):
        _line(axis, facts, _score("estimated", name), ORANGE, "estimated, when the week ends")
        _line(axis, facts, _score("realized", name), BLUE, "realised, labels two weeks later")
        _reference(axis, facts["reference"]["performance"][name])
        axis.set_title(title, loc="left", fontsize=10)
    axes[0].legend(loc="lower left", frameon=False, fontsize=8)
    _months(axes[-1])
    return figure


def drift(facts: Facts) -> Figure:
    """Draw the PSI of every feature in every week, with a dot where it drifts."""
    weeks = facts["weeks"]
    names = sorted(FEATURES, key=lambda name: -sum(week["psi"][name] or 0 for week in weeks))
    psi = np.array([[week["psi"][name] or 0.0 for week in weeks] for name in names])
    figure, axis = plt.subplots(figsize=(8, 4.8), layout="constrained")
    norm = BoundaryNorm(PSI_STEPS, 256)
    edges = [*_days(weeks), date.fromisoformat(weeks[-1]["end"])]
    mesh = axis.pcolormesh(
        edges, np.arange(len(names) + 1), psi, cmap="cividis_r", norm=norm, rasterized=True
    )
    for row, name in enumerate(names):
        hit = [
            day
            for day, week in zip(_middles(weeks), weeks, strict=True)
            if name in week["drifting"]
        ]
        axis.plot(
            hit, [row + 0.5] * len(hit), "o", color="white", markersize=2.5, mec="black", mew=0.4
        )
    axis.set_yticks(np.arange(len(names)) + 0.5, names, fontsize=8)
    axis.invert_yaxis()
    axis.spines[:].set_visible(False)
    figure.colorbar(
        mesh, ax=axis, label="PSI against winter (a dot: drifting)", ticks=PSI_STEPS[:-1]
    )
    _months(axis)
    return figure


def confidence(facts: Facts) -> Figure:
    """Draw how sure the model is, and how often it is less sure than 95 % of winter's answers."""
    figure, axes = plt.subplots(2, 1, figsize=(8, 4.4), sharex=True, layout="constrained")
    _line(axes[0], facts, lambda week: week["confidence"], BLUE, "")
    axes[0].set_title("mean confidence of the answers", loc="left", fontsize=10)
    _line(axes[1], facts, lambda week: 100 * week["low_confidence"], BLUE, "")
    threshold = facts["reference"]["low_confidence"]
    axes[1].set_title(
        f"answers with a confidence below {threshold:.2f} (%)", loc="left", fontsize=10
    )
    _reference(axes[1], 5.0)
    _months(axes[1])
    return figure


def airports(facts: Facts) -> Figure:
    """Draw the realised accuracy of each airport's flights."""
    figure, axis = plt.subplots(figsize=(8, 3), layout="constrained")
    for airport, colour in zip(("EWR", "JFK", "LGA"), (BLUE, ORANGE, GREEN), strict=True):
        of_airport = _of_airport(airport)
        _line(axis, facts, of_airport, colour, airport)
    axis.set_title("realised accuracy by airport", loc="left", fontsize=10)
    axis.legend(loc="lower left", ncols=3, frameon=False, fontsize=8)
    _months(axis)
    return figure


FIGURES: Final = {
    "performance": performance,
    "drift": drift,
    "confidence": confidence,
    "airports": airports,
}


def draw(facts: Facts, folder: Path) -> list[Path]:
    """Write every figure into *folder* and return the files."""
    written = []
    with plt.rc_context(
        {
            "svg.hashsalt": "otel-ml",
            "svg.fonttype": "none",
            "axes.spines.top": False,
            "axes.spines.right": False,
        }
    ):
        for name, of_facts in FIGURES.items():
            figure = of_facts(facts)
            path = folder / f"{name}.svg"
            figure.savefig(path, metadata={"Date": None})
            plt.close(figure)
            written.append(path)
    return written


def block(facts: Facts) -> str:
    """Return the page's table: a line per month, and what is said of the control."""
    control, promised = facts["control"], facts["weeks"][0]["promised"]
    weeks, winter = facts["weeks"], facts["reference"]
    scores = winter["performance"]
    quiet, warned = control.get("drifting", 0), control.get("warning", 0)
    n_flights = sum(week["flights"] for week in weeks)
    off = [
        f"{_gap(facts, name):.3f} of {said}"
        for name, said in (("roc_auc", "area"), ("accuracy", "accuracy"))
    ]
    lines = [
        f"* Winter: {winter['rows']} flights, accuracy {scores['accuracy']:.3f}, area under the ROC curve {scores['roc_auc']:.3f}.",
        f"* Winter once more, in random order: {quiet} of {control['windows']} windows of 900 flights drift, {warned} warn.",
        f"* The year: {len(weeks)} weeks, {n_flights} flights, a false alarm promised in {100 * promised:.1f} % of weeks.",
        f"* By so much is the estimate of a week off, on average: {' and '.join(off)}.",
        f"* {_unforeseen(facts)}",
        "",
        "| first week | begins to drift |",
        "|---|---|",
        *(f"| {week} | {', '.join(names)} |" for week, names in _first_weeks(facts).items()),
        "",
        "| month | accuracy estimated | realised | area estimated | realised | what drifts all month | most: mean PSI, mean of winter to this month's |",
        "|---|---|---|---|---|---|---|",
        *(_month_line(month, of_month, facts) for month, of_month in _by_month(facts)),
    ]
    return "\n".join(lines)


def with_block(page: str, facts: Facts) -> str:
    """Return *page* with the numbers of *facts* between its two marks."""
    before, rest = page.split(BEGIN)
    return f"{before}{BEGIN}\n{block(facts)}\n{END}{rest.split(END)[1]}"


def _unforeseen(facts: Facts) -> str:
    """Return in words what is special about the four weeks whose accuracy was overestimated most."""
    known = [week for week in facts["weeks"] if "accuracy" in week["realized"]]
    worst = sorted(known, key=lambda w: w["realized"]["accuracy"] - w["estimated"]["accuracy"])[:4]
    shares = sorted(100 * week["late_after_leaving_on_time"] for week in worst)
    usual = 100 * float(np.median([week["late_after_leaving_on_time"] for week in known]))
    begins = ", ".join(sorted(week["begin"] for week in worst))
    return (
        f"In the four weeks that it overestimates most ({begins}), {shares[0]:.0f} to {shares[-1]:.0f} % of the flights that left on time "
        f"landed late; in the median week {usual:.0f} %."
    )


def _first_weeks(facts: Facts) -> dict[str, list[str]]:
    """Return by the begin of a week what drifts then for the first time; what never does is under `never`."""
    found: dict[str, list[str]] = {}
    for name in FEATURES:
        first = next((w["begin"] for w in facts["weeks"] if name in w["drifting"]), "never")
        found.setdefault(first, []).append(f"`{name}`")
    return dict(sorted(found.items()))


def _gap(facts: Facts, name: str) -> float:
    return float(
        np.mean(
            [
                abs(week["estimated"][name] - week["realized"][name])
                for week in facts["weeks"]
                if name in week["realized"]
            ]
        )
    )


def _by_month(facts: Facts) -> list[tuple[str, list[Facts]]]:
    months: dict[str, list[Facts]] = {}
    for middle, week in zip(_middles(facts["weeks"]), facts["weeks"], strict=True):
        months.setdefault(f"{middle:%B}", []).append(week)
    return list(months.items())


def _month_line(month: str, weeks: Sequence[Facts], facts: Facts) -> str:
    always = [name for name in FEATURES if all(name in week["drifting"] for week in weeks)]
    scores = [
        _number(np.mean([week[basis][name] for week in weeks if name in week[basis]]))
        for name in ("accuracy", "roc_auc")
        for basis in ("estimated", "realized")
    ]
    numbers = facts["reference"]["means"]
    largest = max(numbers, key=lambda name: np.mean([week["psi"][name] for week in weeks]))
    psi = np.mean([week["psi"][largest] for week in weeks])
    mean = np.mean([week["means"][largest] for week in weeks])
    moved = f"`{largest}` {psi:.2f}, {numbers[largest]:.1f} to {mean:.1f} {UNITS.get(largest, '')}"
    named = ", ".join(f"`{name}`" for name in always) or "none"
    return f"| {month} | {' | '.join(scores)} | {named} | {moved} |"


def _number(value: Any) -> str:
    return f"{float(value):.3f}"


def _score(basis: str, name: str) -> Callable[[Facts], float | None]:
    return lambda week: week[basis].get(name)


def _of_airport(airport: str) -> Callable[[Facts], float | None]:
    return lambda week: week["accuracy_by_origin"].get(airport)


def _line(
    axis: Axes, facts: Facts, value: Callable[[Facts], float | None], colour: str, label: str
) -> None:
    weeks = facts["weeks"]
    values = [np.nan if (found := value(week)) is None else found for week in weeks]
    axis.plot(_middles(weeks), values, color=colour, label=label, linewidth=1.6)


def _reference(axis: Axes, value: float) -> None:
    axis.axhline(value, color=GREY, linewidth=1, linestyle="--")
    axis.annotate(
        "winter", (1.0, value), xycoords=("axes fraction", "data"), xytext=(3, -3),
        textcoords="offset points", color=GREY, fontsize=8,
    )  # fmt: skip


def _days(weeks: Sequence[Facts]) -> list[Any]:
    return [date.fromisoformat(week["begin"]) for week in weeks]


def _middles(weeks: Sequence[Facts]) -> list[Any]:
    return [
        date.fromisoformat(week["begin"])
        + (date.fromisoformat(week["end"]) - date.fromisoformat(week["begin"])) / 2
        for week in weeks
    ]


def _months(axis: Axes) -> None:
    axis.xaxis.set_major_locator(MonthLocator())
    axis.xaxis.set_major_formatter(DateFormatter("%b"))
    axis.tick_params(labelsize=8)
    axis.set_xlabel("2013, by week", fontsize=8)


def main(argv: Sequence[str] | None = None) -> int:
    """Fly, write, draw; returns the exit code."""
    parser = argparse.ArgumentParser(prog="figures.py", description=__doc__.split("\n\n", 1)[0])
    parser.add_argument("--draw", action="store_true", help="from the numbers written last time")
    if not parser.parse_args(argv).draw:
        from year import facts_until

        FOLDER.mkdir(exist_ok=True)
        FACTS.write_text(json.dumps(facts_until(NEW_YEAR), indent=1) + "\n", encoding="utf-8")
    facts = json.loads(FACTS.read_text(encoding="utf-8"))
    for path in draw(facts, FOLDER):
        print(f"{path.relative_to(ROOT)}: {path.stat().st_size:,} bytes")
    PAGE.write_text(with_block(PAGE.read_text(encoding="utf-8"), facts), encoding="utf-8")
    print(block(facts))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
