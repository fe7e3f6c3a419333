"""
The dashboards, asked of a real Prometheus that holds what a real processor and a real service said.

Grafana itself does not run here. What it is given is checked instead: the JSON model field by field against Grafana's own types, and
every query of every panel, variable and annotation against the server that it is for.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import yaml

from tests.integration.observed_flights import SERVICE, Observed, observed_flights
from tests.integration.real_servers import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
GRAFANA = ROOT / "collector-config" / "grafana"
DASHBOARDS = {
    path.stem: json.loads(path.read_text()) for path in sorted((GRAFANA / "dashboards").glob("*"))
}
SERIES_PAGE = ROOT / "docs" / "reference" / "series.md"
OF_MARKS = re.compile(r"\$\.annotations\.list\[\d\]\.(step|titleFormat|textFormat)")
"""What the Prometheus data source adds to an annotation; the types know what all data sources have."""
OUTPUTS = ("prediction", "confidence", "pca", "correlation")
"""Parts of a profile that are compared beside the features."""
CHOSEN = {"model": "late-arrival", "window": "rows"}
"""What a person chooses where there is no "All"."""


@pytest.fixture(scope="module", name="observed")
def _observed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Observed]:
    """One stack for all tests of this file: starting it takes longer than asking it."""
    with observed_flights(tmp_path_factory.mktemp("dashboards")) as observed:
        yield observed


def panels(dashboard: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the panels that ask something."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def chosen(text: str, dashboard: dict[str, Any]) -> str:
    """Return *text* as Grafana sends it when all is chosen that can be."""
    for variable in dashboard["templating"]["list"]:
        value = CHOSEN.get(variable["name"], ".*")
        text = re.sub(rf"\${variable['name']}\b", value, text)
    text = text.replace("$__rate_interval", "1m")
    assert "$" not in text, f"nobody fills in: {text}"
    return text


QUERIES = [
    pytest.param(name, target["expr"], id=f"{name}: {panel['title']} {target['refId']}")
    for name, dashboard in DASHBOARDS.items()
    for panel in panels(dashboard)
    for target in panel["targets"]
] + [
    pytest.param(name, annotation["expr"], id=f"{name}: {annotation['name']}")
    for name, dashboard in DASHBOARDS.items()
    for annotation in dashboard["annotations"]["list"]
]


WRITTEN = [
    pytest.param(re.sub(r" > \d+$", "", query.strip()), id=f"{page.stem}: {query.split('{')[0]}")
    for page in sorted((ROOT / "docs").rglob("*.md"))
    for query in re.findall(r"^```promql\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
]
"""What pages tell a reader to ask, without the threshold that an alert would have."""


def test_the_dashboards_are_what_the_generator_writes() -> None:
    """Who changes one by hand is told so."""
    command = [sys.executable, str(GRAFANA / "generate.py"), "check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("name", DASHBOARDS)
def test_the_json_is_a_dashboard_by_grafanas_own_types(name: str) -> None:
    """Nothing is written that Grafana's published types do not know, and nothing is lost when they read it."""
    types = pytest.importorskip("grafana_foundation_sdk.models.dashboard")  # needs Python 3.11
    encoder = pytest.importorskip("grafana_foundation_sdk.cog.encoder").JSONEncoder
    read = json.loads(encoder().encode(types.Dashboard.from_json(DASHBOARDS[name])))

    found = [place for place in lost(DASHBOARDS[name], read) if not OF_MARKS.fullmatch(place)]
    assert found == []


def lost(ours: Any, read: Any, place: str = "$") -> list[str]:
    """Return the places of what *ours* says and *read* does not."""
    if isinstance(ours, dict) and isinstance(read, dict):
        return [
            found
            for key, value in ours.items()
            for found in (
                lost(value, read[key], f"{place}.{key}")
                if key in read
                else []
                if value in (None, [], {})
                else [f"{place}.{key}"]
            )
        ]
    if isinstance(ours, list) and isinstance(read, list) and len(ours) == len(read):
        return [
            found
            for i, (one, other) in enumerate(zip(ours, read, strict=True))
            for found in lost(one, other, f"{place}[{i}]")
        ]
    return [] if ours == read else [f"{place}: {ours!r} became {read!r}"]


@pytest.mark.parametrize("name", DASHBOARDS)
def test_panels_stand_side_by_side_and_say_what_they_are_for(name: str) -> None:
    """No two panels overlap or share an id, none is beyond the page, each has a title and a sentence."""
    taken: set[tuple[int, int]] = set()
    ids = [panel["id"] for panel in DASHBOARDS[name]["panels"]]
    assert len(set(ids)) == len(ids)
    for panel in DASHBOARDS[name]["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells
    for panel in panels(DASHBOARDS[name]):
        assert panel["title"]
        assert panel["description"].endswith(".")


def test_links_between_dashboards_lead_to_a_dashboard_with_those_variables() -> None:
    """Whoever clicks on a model sees that model."""
    (link,) = [
        link
        for panel in panels(DASHBOARDS["fleet"])
        for override in panel["fieldConfig"]["overrides"]
        for one in override["properties"]
        if one["id"] == "links"
        for link in one["value"]
    ]
    uid = re.match(r"/d/([\w-]+)\?", link["url"])
    assert uid is not None
    assert uid[1] == DASHBOARDS["model"]["uid"]
    named = {variable["name"] for variable in DASHBOARDS["model"]["templating"]["list"]}
    assert set(re.findall(r"var-(\w+)=", link["url"])) <= named


def test_data_sources_are_those_that_dashboards_and_links_name() -> None:
    """A point on a curve leads to Jaeger, a span back to Prometheus, under the names that are provisioned."""
    file = GRAFANA / "provisioning" / "datasources" / "otel-ml.yaml"
    sources = {one["uid"]: one for one in yaml.safe_load(file.read_text())["datasources"]}
    (prometheus,) = [one for one in sources.values() if one["type"] == "prometheus"]
    (jaeger,) = [one for one in sources.values() if one["type"] == "jaeger"]
    for dashboard in DASHBOARDS.values():
        default = dashboard["templating"]["list"][0]["current"]
        assert (default["text"], default["value"]) == (prometheus["name"], prometheus["uid"])
    (exemplar,) = prometheus["jsonData"]["exemplarTraceIdDestinations"]
    assert exemplar["datasourceUid"] == jaeger["uid"]
    assert jaeger["jsonData"]["tracesToMetrics"]["datasourceUid"] == prometheus["uid"]


@pytest.mark.real_servers
@pytest.mark.parametrize(("name", "expr"), QUERIES)
def test_every_query_of_every_panel_has_data(observed: Observed, name: str, expr: str) -> None:
    """A panel that shows nothing, on a stack where everything happened, shows nothing anywhere."""
    asked = chosen(expr, DASHBOARDS[name])
    most = f"max_over_time(count({asked})[1h:1s])"  # marks in time come and go
    assert eventually(lambda: observed.value(most), bool, 60) > 0, asked


@pytest.mark.real_servers
@pytest.mark.parametrize("query", WRITTEN)
def test_every_query_of_the_documentation_has_data(observed: Observed, query: str) -> None:
    """Who copies a query out of the page gets numbers."""
    assert eventually(lambda: observed.query(query), bool, 60), query


@pytest.mark.real_servers
@pytest.mark.parametrize("name", DASHBOARDS)
def test_every_variable_has_values_to_choose(observed: Observed, name: str) -> None:
    """The lists at the top of a dashboard are not empty, and hold what was sent."""
    expected = {
        "service": {SERVICE},
        "environment": {"production", "staging"},
        "model": {"late-arrival"},
        "version": {"1", "2"},
        "window": {"rows"},
        "feature": {feature["name"] for feature in observed.profile["features"]},
    }
    for variable in DASHBOARDS[name]["templating"]["list"]:
        if variable["type"] != "query":
            continue
        asked = re.fullmatch(
            r"label_values\((.+), (\w+)\)", chosen(variable["query"]["query"], DASHBOARDS[name])
        )
        assert asked is not None
        found = {series["metric"].get(asked[2], "") for series in observed.query(asked[1])} - {""}
        assert found >= expected[variable["name"]], variable["name"]


@pytest.mark.real_servers
@pytest.mark.parametrize(
    "histogram",
    [
        "ml_inference_duration_seconds_bucket",
        "ml_prediction_confidence_bucket",
        "ml_confidence_samples_bucket",
    ],
)
def test_a_point_on_a_curve_leads_to_its_trace(observed: Observed, histogram: str) -> None:
    """Prometheus keeps, beside the histogram, which call it was, under the label that the data source looks for."""
    file = GRAFANA / "provisioning" / "datasources" / "otel-ml.yaml"
    (label,) = {
        one["name"]
        for source in yaml.safe_load(file.read_text())["datasources"]
        for one in source["jsonData"].get("exemplarTraceIdDestinations", ())
    }

    def known() -> list[Any]:
        answer = httpx.get(
            f"http://{observed.at.prometheus}/api/v1/query_exemplars",
            params={"query": histogram, "start": observed.begin_ns / 1e9, "end": observed.now_s},
            trust_env=False,
            timeout=60,
        )
        return [one for series in answer.json()["data"] for one in series["exemplars"]]

    exemplars = eventually(known, bool, 60)
    assert exemplars, histogram
    url = f"http://{observed.at.jaeger_query}/api/traces/{exemplars[0]['labels'][label]}"
    (trace,) = httpx.get(url, trust_env=False, timeout=60).raise_for_status().json()["data"]
    assert "predict late-arrival" in {span["operationName"] for span in trace["spans"]}


@pytest.mark.real_servers
def test_rules_that_sum_count_what_was_sent(observed: Observed) -> None:
    """Staging predicts "on time" as often as it did, whichever way the number came in: once, not once for each way."""
    labels = [one.said["ml.prediction.label"] for one in observed.sent_to("staging", "1")]
    expected = {label: labels.count(label) for label in set(labels)}
    counted = {
        series["metric"]["ml_prediction_label"]: float(series["value"][1])
        for series in observed.query(
            "max by (ml_prediction_label) (sum by (ml_prediction_label, job) ("
            'ml_prediction_samples_total{deployment_environment_name="staging"}))'
        )
    }
    assert counted == expected


@pytest.mark.real_servers
def test_the_panel_of_scores_shows_what_the_labels_say(observed: Observed) -> None:
    """Every fifth prediction turned out wrong, so accuracy is .8."""
    (expr,) = [
        target["expr"]
        for panel in panels(DASHBOARDS["model"])
        for target in panel["targets"]
        if panel["title"] == "Scores"
    ]
    asked = chosen(expr, DASHBOARDS["model"])
    found = eventually(lambda: observed.query(asked), bool, 60)
    values = {
        (one["metric"]["ml_evaluation_name"], one["metric"]["ml_evaluation_basis"]): one["value"][1]
        for one in found
    }
    assert float(values["accuracy", "realized"]) == pytest.approx(0.8)


@pytest.mark.real_servers
def test_an_alert_of_the_drift_is_on_its_way(observed: Observed) -> None:
    """Flights of half a year later drift: Prometheus counts the minutes until it tells."""
    pending = 'ALERTS{alertname="MlFeatureDrift", alertstate="pending"}'
    found = eventually(lambda: observed.query(pending), lambda series: len(series) >= 2, 60)
    told = {series["metric"]["deployment_environment_name"] for series in found}
    assert told >= {"production", "staging"}


def promised_series() -> dict[str, str]:
    """Return the table of docs/reference/series.md: how many series a metric has in one stream, as a formula."""
    rows = re.findall(r"^\| `(ml_\w+)` \| ([^|]+) \|", SERIES_PAGE.read_text(), re.MULTILINE)
    return {name: formula.strip() for name, formula in rows}


@pytest.mark.real_servers
def test_a_stream_has_as_many_series_as_the_table_says(observed: Observed) -> None:
    """Who plans a Prometheus reads the numbers from the page: every metric is on it, with its number."""
    found = {
        series["metric"]["__name__"]: int(series["value"][1])
        for series in observed.query(
            'count by (__name__) ({job="otel-ml", __name__=~"ml_.+", ml_model_version="1", deployment_environment_name="production"})'
        )
    }
    promised = promised_series()
    assert found.keys() <= promised.keys()
    numbers = known(observed)
    for name, count in found.items():
        formula = promised[name].removeprefix("at most ")
        most = eval(formula, {}, numbers)  # our own page
        assert count == most or (formula != promised[name] and count < most), name


def known(observed: Observed) -> dict[str, int]:
    """Return what the formulas of the table are made of, as this stack has it."""
    config = yaml.safe_load((ROOT / "collector-config" / "processor.yaml").read_text())
    features = len(observed.profile["features"])
    labels = {one.said["ml.prediction.label"] for one in observed.sent_to("production", "1")}
    return {
        "windows": len(config["windows"]),
        "features": features,
        "bins": sum(len(feature["counts"]) for feature in observed.profile["features"]),
        "targets": features + sum(bool(observed.profile.get(part)) for part in OUTPUTS),
        "segments": 4,  # three airports, and `other`
        "scores": len(config["drift"]["scores"]),
        "classes": len(labels),
    }
