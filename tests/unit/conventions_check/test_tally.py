"""What was found so far, and which of the registry was seen."""

from __future__ import annotations

from otel_ml_conventions.conformance import Finding, Judgement, Registry, Rule
from otel_ml_conventions.tally import MAX_FINDINGS, Tally

REGISTRY = Registry()


def finding(attribute: str, rule: Rule = Rule.WRONG_TYPE) -> Finding:
    """Return a finding about *attribute* of the inference span."""
    return Finding("span ml.inference", attribute, rule, "int", "string")


def judged(*findings: Finding, seen: tuple[str, ...] = ()) -> Judgement:
    """Return the judgement of one inference span."""
    return Judgement("span ml.inference", frozenset(seen), findings)


def test_equal_findings_are_one_with_its_first_place() -> None:
    """A thousand spans with one mistake are one line."""
    tally = Tally(REGISTRY)

    tally.add([judged(finding("ml.a"))], "a.json:1")
    tally.add([judged(finding("ml.a")), judged(finding("ml.a"))], "a.json:2")

    (found,) = tally.found()
    assert (found.times, found.first, tally.n_violations) == (3, "a.json:1", 3)
    assert str(found).endswith("(3 x, first in a.json:1)")


def test_findings_are_in_order_whatever_the_order_of_arrival() -> None:
    """Violations first, then by attribute, so that two reports can be compared."""
    findings = [finding("ml.b", Rule.DEPRECATED), finding("ml.z"), finding("ml.c")]
    forward, backward = Tally(REGISTRY), Tally(REGISTRY)

    forward.add([judged(*findings)], "x")
    backward.add([judged(*reversed(findings))], "x")

    assert forward.found() == backward.found()
    assert [item.finding.attribute for item in forward.found()] == ["ml.c", "ml.z", "ml.b"]
    assert forward.n_violations == 2


def test_the_number_of_different_findings_is_bounded() -> None:
    """Names made up at random must not fill the memory; all are counted."""
    tally = Tally(REGISTRY)

    tally.add([judged(finding(f"ml.x{n}")) for n in range(MAX_FINDINGS + 5)], "x")
    tally.add([judged(finding("ml.x0"))], "x")

    assert (len(tally.found()), tally.n_unkept) == (MAX_FINDINGS, 5)
    assert tally.n_violations == MAX_FINDINGS + 6


def test_coverage_tells_seen_from_never() -> None:
    """Of every signal of the registry, with what is only written on demand apart."""
    tally = Tally(REGISTRY)

    tally.add([judged(seen=("ml.model.name",)), judged(seen=("ml.batch.size",))], "x")

    coverage = {signal.signal: signal for signal in tally.coverage()}
    inference = coverage["span ml.inference"]
    assert (inference.times, tally.n_seen) == (2, 2)
    assert inference.seen == ("ml.model.name", "ml.batch.size")
    assert "ml.operation.name" in inference.never
    assert "ml.input.features" in inference.opt_in <= set(inference.never)
    assert coverage["span ml.verdict"].times == 0
    assert set(coverage) == set(REGISTRY.signals())
