"""The PSI of a model that is spread over processors, as Prometheus adds it up from their counters."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from prometheus_client.openmetrics import parser

from otel_ml_processor.config import StreamsConfig, WindowConfig
from otel_ml_processor.decode.spans import PlainDecoder
from otel_ml_processor.emit.feature_bins import FeatureBins
from otel_ml_processor.emit.metrics import MetricBook
from otel_ml_processor.emit.prometheus import exposition
from otel_ml_processor.profile import Source
from otel_ml_processor.self_metrics import SelfMetrics
from otel_ml_processor.sketches.categories import Categories
from otel_ml_processor.statistics.psi import population_stability_index
from otel_ml_processor.windows.placed import place
from otel_ml_processor.windows.reference import Reference, build_profile
from otel_ml_processor.windows.streams import Streams
from tests.integration.real_servers import find_tool
from tests.unit.processor.otlp_requests import inference, request_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from prometheus_client import Metric

    from otel_ml_processor.columns import IntArray
    from otel_ml_processor.sketches.bins import Bins

pytestmark = pytest.mark.real_servers

read_page: Callable[[str], Iterable[Metric]] = parser.text_string_to_metric_families
RULES = Path(__file__).parents[2] / "collector-config" / "prometheus" / "rules.yaml"
NOW_NS = 1_800_000_000_000_000_000
N_REFERENCE, N_ROWS, N_REPLICAS = 5000, 3000, 2
Rows = list[dict[str, Any]]


def reference() -> Reference:
    """Return one of a normal amount and a country of four."""
    random = np.random.default_rng(1)
    columns = {
        "amount": random.normal(size=N_REFERENCE),
        "country": random.integers(0, 4, N_REFERENCE).astype(float),
    }
    source = Source(kind="test", uri="", rows=N_REFERENCE, sha256="")
    profile = build_profile(
        columns,
        model="fraud",
        source=source,
        created="2026-01-01T00:00:00Z",
        types={"country": "categorical"},
    )
    return Reference.of(profile)


def moved_rows() -> Rows:
    """Return rows whose amount has moved by half a standard deviation, a tenth of them missing, and whose country is mostly one."""
    random = np.random.default_rng(2)
    amounts = random.normal(0.5, 1, N_ROWS)
    countries = random.choice(4, N_ROWS, p=[0.7, 0.1, 0.1, 0.1])
    return [
        {"amount": None if i % 10 == 0 else float(amount), "country": float(country)}
        for i, (amount, country) in enumerate(zip(amounts, countries, strict=True))
    ]


def counted(cells: Bins | Categories, name: str, rows: Rows) -> IntArray:
    """Return how many of *rows* fall into each cell, one after the other."""
    counts: IntArray = np.zeros(cells.n_cells, dtype=np.int64)
    for value in (row[name] for row in rows if row[name] is not None):
        if isinstance(cells, Categories):
            counts[cells.names.index(f"{value:g}")] += 1
        else:
            counts[sum(value > cells.edges)] += 1
    return counts


def page_of(of: Reference, rows: Rows, begin: int) -> bytes:
    """Return the page of a processor that has had *rows*."""
    bins = FeatureBins()
    streams = Streams(StreamsConfig(), [WindowConfig(name="rows", rows=1000)], lambda _: of)
    decoder = PlainDecoder(lambda *_: of.feature_names)
    spans = [
        inference(begin + i, end_ns=NOW_NS, model="fraud", features=row)
        for i, row in enumerate(rows)
    ]
    decoded = decoder.decode(request_of(spans).SerializeToString())
    bins.add(streams.add([place(columns, of) for columns in decoded.columns], NOW_NS))
    book = MetricBook(windows=["rows"], scores=["psi"], self_metrics=SelfMetrics(), bins=bins)
    page, _ = exposition(book.collect, "application/openmetrics-text; version=1.0.0")
    return page


def input_series(pages: Iterable[bytes]) -> list[dict[str, str]]:
    """Return what promtool is given: on each page the counters rise from 0, the gauges stand."""
    found = []
    for number, page in enumerate(pages):
        for family in read_page(page.decode()):
            for sample in family.samples:
                if not sample.name.startswith("ml_feature_"):
                    continue
                labels = {"job": "otel-ml", "instance": f"replica-{number}", **sample.labels}
                named = ",".join(f"{key}={json.dumps(value)}" for key, value in labels.items())
                is_counter = sample.name.endswith("_total")
                values = f"0x2 {sample.value}x90" if is_counter else f"{sample.value}x92"
                found.append({"series": f"{sample.name}{{{named}}}", "values": values})
    return found


def recorded(folder: Path, series: list[dict[str, str]], expected: dict[str, float]) -> str:
    """Return what promtool complains of when the rules, after an hour of *series*, should say *expected*; nothing where they do."""
    cases = [
        {
            # 1 where the two agree to 1e-4, and nothing where they do not.
            "expr": f'ml:feature:psi1h{{ml_feature_name="{name}"}} > bool {psi - 1e-4} == 1'
            f' and ml:feature:psi1h{{ml_feature_name="{name}"}} < bool {psi + 1e-4} == 1',
            "eval_time": "61m",
            "exp_samples": [{"labels": labels_of(series, name), "value": 1}],
        }
        for name, psi in expected.items()
    ]
    test = {"interval": "1m", "input_series": series, "promql_expr_test": cases}
    file = folder / "psi.yaml"
    file.write_text(
        json.dumps({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": [test]})
    )
    command = [find_tool("promtool"), "test", "rules", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def labels_of(series: list[dict[str, str]], feature: str) -> str:
    """Return the labels that are left of the stream and the feature."""
    one = next(entry["series"] for entry in series if f'"{feature}"' in entry["series"])
    kept = [
        part
        for part in one[one.index("{") + 1 : -1].split(",")
        if not part.startswith(("job=", "instance=", "ml_feature_bin=", "otel_scope"))
    ]
    return "{" + ",".join(kept) + "}"


def test_psi_summed_over_replicas_is_the_psi_of_all_rows(tmp_path: Path) -> None:
    """Two processors, each with half of the rows: Prometheus says what one would have said, to 1e-4."""
    of, rows = reference(), moved_rows()
    half = N_ROWS // N_REPLICAS
    pages = [page_of(of, rows[:half], 0), page_of(of, rows[half:], half)]

    expected = {
        feature.name: population_stability_index(
            feature.counts[: feature.cells.n_cells], counted(feature.cells, feature.name, rows)
        )
        for feature in of.features
    }

    assert expected["amount"] == pytest.approx(0.25, rel=0.2)  # d squared, for normal distributions
    assert recorded(tmp_path, input_series(pages), expected) == ""
    assert "FAILED" in recorded(tmp_path, input_series(pages[:1]), expected), (
        "one half alone differs"
    )
