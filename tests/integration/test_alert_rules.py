"""The rules of collector-config/prometheus, as promtool judges them, and the page that explains them."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from otel_ml_conventions.metrics import DEFINITIONS
from otel_ml_conventions.schema import SCHEMA_URL
from otel_ml_processor.emit.prometheus import prometheus_name
from tests.integration.real_servers import find_tool

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "collector-config" / "prometheus"
RUNBOOK = ROOT / "docs" / "how-to" / "alert-with-prometheus.md"
TESTS = sorted((FOLDER / "tests").glob("*.yaml"))
SAID = {"summary", "how_sure", "since", "look_at", "runbook_url"}
HOME = "{0.scheme}://{0.netloc}/".format(urlsplit(SCHEMA_URL))


def rules_of(name: str) -> list[dict[str, Any]]:
    """Return the rules of a file, of all its groups."""
    groups = yaml.safe_load((FOLDER / name).read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


RECORDED = rules_of("rules.yaml")
ALERTS = rules_of("alerts.yaml")
NAMES = [rule["alert"] for rule in ALERTS]


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Return what promtool says."""
    command = [find_tool("promtool"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)


def cases() -> list[tuple[str, bool]]:
    """Return every case of the rules' own tests: the alert, and whether it must fire."""
    return [
        (case["alertname"], bool(case["exp_alerts"]))
        for path in TESTS
        for test in yaml.safe_load(path.read_text())["tests"]
        for case in test.get("alert_rule_test", [])
    ]


@pytest.mark.real_servers
def test_prometheus_reads_the_rules() -> None:
    """Every expression and every template is one."""
    done = promtool("check", "rules", FOLDER / "rules.yaml", FOLDER / "alerts.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.real_servers
@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_alerts_fire_and_stay_silent_as_their_own_tests_say(path: Path) -> None:
    """Each with labels, numbers and words, on series as two replicas, a scrape and a push give them."""
    done = promtool("test", "rules", path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.real_servers
def test_a_changed_limit_is_noticed(tmp_path: Path) -> None:
    """The tests of the rules are able to fail: with another limit one does."""
    (tmp_path / "tests").mkdir()
    alerts = (FOLDER / "alerts.yaml").read_text()
    assert alerts.count("ml:confidence:low_share1h > 0.1\n") == 1
    alerts = alerts.replace(
        "ml:confidence:low_share1h > 0.1\n", "ml:confidence:low_share1h > 0.2\n"
    )
    (tmp_path / "alerts.yaml").write_text(alerts)
    (tmp_path / "rules.yaml").write_text((FOLDER / "rules.yaml").read_text())
    case = tmp_path / "tests" / "confidence.yaml"
    case.write_text((FOLDER / "tests" / "confidence.yaml").read_text())
    assert promtool("test", "rules", case).returncode == 1


@pytest.mark.real_servers
def test_an_alert_without_patience_says_since_when_as_well(tmp_path: Path) -> None:
    """In its first evaluation Prometheus has not written yet when it began: it began now."""
    (tmp_path / "rules.yaml").write_text((FOLDER / "rules.yaml").read_text())
    alerts = (FOLDER / "alerts.yaml").read_text()
    (tmp_path / "alerts.yaml").write_text(re.sub(r"for: \d+[mh]\b", "for: 0s", alerts))
    case = yaml.safe_load((FOLDER / "tests" / "drift.yaml").read_text())
    (fires,) = [one for one in case["tests"][0]["alert_rule_test"] if one["exp_alerts"]]
    (said,) = fires["exp_alerts"]
    assert said["exp_annotations"]["since"].startswith("1970-01-01 00:02:00")
    case["tests"] = [case["tests"][0] | {"alert_rule_test": [fires | {"eval_time": "2m"}]}]
    (tmp_path / "tests").mkdir()
    path = tmp_path / "tests" / "drift.yaml"
    path.write_text(yaml.safe_dump(case, sort_keys=False))
    done = promtool("test", "rules", path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("is_firing", [True, False], ids=["fires", "stays silent"])
def test_every_alert_has_a_case_in_which_it(is_firing: bool) -> None:
    """An alert that never fires is peace that nobody checked; one that always does is muted by Friday."""
    assert set(NAMES) - {name for name, fires in cases() if fires is is_firing} == set()


@pytest.mark.parametrize("rule", ALERTS, ids=NAMES)
def test_every_alert_says_what_how_sure_since_when_and_where_to_look(rule: dict[str, Any]) -> None:
    """Whoever is woken has a sentence for each, and a section of the runbook under the address that the alert gives."""
    assert rule["annotations"].keys() >= SAID
    assert rule["labels"]["severity"] in {"page", "ticket"}
    page, anchor = rule["annotations"]["runbook_url"].split("#")
    assert page == HOME + RUNBOOK.relative_to(ROOT).as_posix()
    assert anchor == rule["alert"].lower()
    assert f"\n### {rule['alert']}\n" in RUNBOOK.read_text()


def test_the_runbook_has_no_alert_that_is_gone() -> None:
    """A section without an alert would be believed."""
    sections = re.findall(r"^### (Ml\w+)$", RUNBOOK.read_text(), re.MULTILINE)
    assert sorted(sections) == sorted(NAMES)


def test_rules_read_only_series_that_somebody_writes() -> None:
    """Metrics of the registry, or what another rule records."""
    said = {prometheus_name(one) for one in DEFINITIONS.values()}
    said |= {f"{name}_{part}" for name in said for part in ("bucket", "count", "sum")}
    said |= {rule["record"] for rule in RECORDED}
    for rule in (*RECORDED, *ALERTS):
        text = "\n".join([rule["expr"], *rule.get("annotations", {}).values()])
        # A name of a series stands before a brace, a range or an end; one of a label stands in braces or lists.
        without_labels = re.sub(
            r"\b(by|on|ignoring|group_left|group_right)\s*\([^)]*\)|\{[^{}]*\}", "", text
        )
        used = re.findall(r"\bml(?::[a-z0-9_]+)+|(?<![.\w])ml_[a-z0-9_]+", without_labels)
        assert set(used) <= said, rule.get("alert", rule.get("record"))
