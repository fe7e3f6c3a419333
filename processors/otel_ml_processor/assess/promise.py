"""The promised false-alarm rate of every window, and what the references' own windows say of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from otel_ml_processor.assess.calibration import Calibration
from otel_ml_processor.assess.drift import family_alphas
from otel_ml_processor.assess.run_length import RunLength
from otel_ml_processor.assess.self_test import measured_false_alarm_rate

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from otel_ml_processor.assess.calibration import Wanted
    from otel_ml_processor.config import Config, DriftConfig, ModelConfig, WindowConfig
    from otel_ml_processor.profile import Profile, SelfTest

__all__ = [
    "BROKEN",
    "Promises",
    "alphas",
    "is_broken",
    "shortest_window",
    "told",
    "told_of_evidence",
]

BROKEN: Final = 3.0
"""A measured false-alarm rate so many times the promised one means that the promise does not hold."""
_MAX_ALPHA: Final = 0.5


@dataclass(frozen=True, slots=True)
class Promises:
    """
    What was promised and what was measured, both as shares of undrifted windows that alarm.

    `alphas` is by window name; `measured` by id of the profile, then by window name: the rate on the reference's own windows, in the
    order of time where the profile knows the time, else in random order, in mode `iid`. A profile without a self-test has no entry.
    `calibrations` is by id of the profile, too: what p-values can be calibrated on. `models` are those for which something else is promised.
    """

    alphas: Mapping[str, float]
    measured: Mapping[str, Mapping[str, float]]
    calibrations: Mapping[str, Calibration] = field(default_factory=dict)
    models: Sequence[tuple[ModelConfig, Promises]] = ()

    @classmethod
    def of(
        cls, drift: DriftConfig, windows: Sequence[WindowConfig], profiles: Iterable[Profile]
    ) -> Promises:
        """Return the promises of a configuration, tested on *profiles*."""
        rates, all_profiles = alphas(drift, windows), list(profiles)
        return cls(
            rates,
            {p.id: _measured(p, rates) for p in all_profiles if p.self_tests},
            {p.id: Calibration.of(p) for p in all_profiles},
        )

    @classmethod
    def of_config(cls, config: Config, profiles: Iterable[Profile]) -> Promises:
        """Return the promises of *config*, those of the models that have their own among them."""
        known = list(profiles)
        own = [(entry, config.with_own(entry)) for entry in config.models]
        return replace(
            cls.of(config.drift, config.windows, known),
            models=tuple((entry, cls.of(c.drift, c.windows, known)) for entry, c in own),
        )

    def of_model(self, model: str, version: str) -> Promises:
        """Return what is promised for one version of a model."""
        return next((own for entry, own in self.models if entry.fits(model, version)), self)

    def measured_rates(self, reference_id: str) -> Mapping[str, float]:
        """Return the measured rates by window name; empty where nothing was measured."""
        return self.measured.get(reference_id, {})

    def calibration(self, reference_id: str) -> Calibration:
        """Return what windows compared with this profile can be calibrated on; nothing where it is not known."""
        return self.calibrations.get(reference_id, Calibration())


def alphas(drift: DriftConfig, windows: Sequence[WindowConfig]) -> dict[str, float]:
    """
    Return by window name the probability, in (0, .5], that an undrifted window of that kind alarms.

    A row window has `false_alarm_rate`. The time windows share one false alarm per `false_alarm_interval` equally, so each has
    length / interval / (number of time windows).
    """
    lengths = {w.name: w.length for w in windows if w.length is not None}
    rates = {w.name: drift.false_alarm_rate for w in windows if w.rows is not None}
    for name, length in lengths.items():
        rates[name] = min(_MAX_ALPHA, length / drift.false_alarm_interval / len(lengths))
    return rates


def shortest_window(windows: Sequence[WindowConfig]) -> WindowConfig:
    """Return the window whose reading is freshest: row windows before time windows, the smaller before the larger; one at least."""
    return min(windows, key=lambda w: (w.rows is None, w.rows or 0, w.length or 0.0))


def is_broken(measured: float | None, promised: float) -> bool:
    """Whether *measured* is so much more than *promised* that the promise does not hold; None is not known to be."""
    return measured is not None and measured > BROKEN * promised


def told(
    profile: Profile, window: str, alpha: float, effect_floor: float, wanted: Wanted = "iid"
) -> Iterator[tuple[bool, str]]:
    """
    Yield what tells the operator whether the promise of *window* holds: for each text, whether the promise is broken there.

    Of each self-test of *profile*, which is in mode `iid`; where another mode is *wanted*, of each size of windows in that mode, and then only
    these can break the promise.
    """
    calibration = Calibration.of(profile) if wanted != "iid" else Calibration()
    for test in profile.self_tests:
        measured = measured_false_alarm_rate(test, alpha)
        broken = is_broken(measured, alpha) and not calibration.rungs
        text = (
            f"self-test of {profile.model} {profile.version}, window {window}: promised {_percent(alpha)}, mode iid; "
            f"{_percent(measured)} of the reference's own {_windows(test)} alarm"
        )
        if test.effect_floor != effect_floor:
            text += f" (with an effect floor of {test.effect_floor:g}, not {effect_floor:g})"
        yield broken, text + (_CONSEQUENCE if broken else "")
    who = f"{profile.model} {profile.version}, window {window}"
    for rung in calibration.rungs:
        alphas = family_alphas(rung.extremes, alpha)
        how = calibration.calibrated(rung.rows, alphas, wanted)
        measured_in_mode = how.measured(alphas) or 0.0
        broken = is_broken(measured_in_mode, alpha)
        yield (
            broken,
            f"calibration of {who}: up to {rung.rows} rows, mode {how.mode.value} on {rung.windows} windows of the reference, "
            f"of which {_percent(measured_in_mode)} alarm" + (_CONSEQUENCE if broken else ""),
        )
    if wanted != "iid":
        beyond = (
            f"more than {calibration.rungs[-1].rows} rows" if calibration.rungs else "all windows"
        )
        yield (
            False,
            f"calibration of {who}: {beyond}, mode iid: the profile has no windows for more",
        )


def told_of_evidence(profile: Profile, windows_between_alarms: float) -> Iterator[tuple[bool, str]]:
    """Yield, as `told` does, how often the evidence of slow drift alarms on the windows of *profile*; nothing where it does not say that."""
    for rung in Calibration.of(profile).rungs:
        if rung.evidence is not None:
            found = RunLength.of(rung.evidence, rung.windows, windows_between_alarms)
            broken = found.breaks(windows_between_alarms)
            yield (
                broken,
                f"slow drift of {profile.model} {profile.version}: promised one alarm in {windows_between_alarms:g} windows; "
                f"{found.alarms} in the {found.windows} windows of {rung.rows} rows of the reference"
                + (_NOT_INDEPENDENT if broken else ""),
            )


_NOT_INDEPENDENT: Final = (
    ": the promise does not hold there. Such windows resemble those before them, as seasons make them do, and slow drift will be told "
    "more often than promised; a larger `drift.windows_between_alarms` makes it rarer"
)
_CONSEQUENCE: Final = (
    ": the promise does not hold there. Rows of one such window are alike, so windows differ by more than chance, "
    "and alarms will be more frequent than promised; `drift.calibration: auto` calibrates on such windows"
)


def _measured(profile: Profile, rates: Mapping[str, float]) -> dict[str, float]:
    test = min(profile.self_tests, key=lambda test: test.order != "time")
    return {name: measured_false_alarm_rate(test, alpha) for name, alpha in rates.items()}


def _windows(test: SelfTest) -> str:
    number = len(next(iter(test.p_values.values()), []))
    order = "order of time" if test.order == "time" else "random order"
    return f"{number} windows of {test.window} in {order}"


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
