"""What a dashboard is made of, and how Grafana writes it down."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["WIDTH", "Dashboard", "Panel", "Query", "annotation", "variable", "written"]

PROMETHEUS: Final = {"type": "prometheus", "uid": "${datasource}"}
WIDTH: Final = 24
HEIGHT: Final = 8


@dataclass(frozen=True, slots=True)
class Query:
    """One PromQL expression and how its series are called; `{{label}}` stands for a label."""

    expr: str
    legend: str = "__auto"
    has_exemplars: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """
    One panel: what it is called, what it is for, what it asks.

    `kind` is a panel type of Grafana, `unit` one of its units; `width` is in 24ths of the page, `limits` of the axis and
    `custom` how lines are drawn.
    """

    title: str
    about: str
    queries: tuple[Query, ...]
    unit: str = "short"
    kind: str = "timeseries"
    width: int = 12
    limits: tuple[float | None, float | None] = (0, None)
    options: tuple[tuple[str, Any], ...] = ()
    custom: tuple[tuple[str, Any], ...] = ()
    mappings: tuple[dict[str, Any], ...] = ()
    overrides: tuple[dict[str, Any], ...] = ()
    transformations: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Dashboard:
    """One dashboard: rows of panels under their titles, variables to choose by, marks in time."""

    uid: str
    title: str
    about: str
    variables: tuple[dict[str, Any], ...]
    rows: tuple[tuple[str, tuple[Panel, ...]], ...]
    annotations: tuple[dict[str, Any], ...] = ()


def variable(name: str, label: str, query: str, *, takes_many: bool = True) -> dict[str, Any]:
    """Return a variable whose values are those of a label; one that takes many begins with all of them."""
    every = {"text": "All", "value": "$__all"} if takes_many else {}
    return {
        "type": "query",
        "name": name,
        "label": label,
        "datasource": PROMETHEUS,
        "query": {"query": query, "refId": name},
        "refresh": 2,  # whenever the time range changes
        "sort": 1,
        "multi": takes_many,
        "includeAll": takes_many,
        "allValue": ".*" if takes_many else None,  # a stream without the label, too
        "current": every,
    }


def annotation(name: str, color: str, expr: str, text: str) -> dict[str, Any]:
    """Return marks in time wherever *expr* has a value."""
    return {
        "name": name,
        "datasource": PROMETHEUS,
        "enable": True,
        "iconColor": color,
        "expr": expr,
        "step": "60s",
        "titleFormat": name,
        "textFormat": text,
    }


def written(dashboard: Dashboard) -> dict[str, Any]:
    """Return *dashboard* as the JSON model of Grafana."""
    return {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "description": dashboard.about,
        "tags": ["otel-ml"],
        "schemaVersion": 39,
        "editable": True,
        "graphTooltip": 1,  # one cursor for all panels
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "browser",
        "templating": {"list": list(dashboard.variables)},
        "annotations": {"list": list(dashboard.annotations)},
        "links": [
            {
                "type": "dashboards",
                "title": "Models",
                "tags": ["otel-ml"],
                "icon": "external link",
                "tooltip": "",
                "asDropdown": False,
                "targetBlank": False,
                "includeVars": False,
                "keepTime": True,
            }
        ],
        "panels": list(_placed(dashboard.rows)),
    }


def _placed(rows: Sequence[tuple[str, tuple[Panel, ...]]]) -> Iterator[dict[str, Any]]:
    """Yield the panels from left to right and from top to bottom, under the title of their row."""
    ids = count(1)
    y = 0
    for title, panels in rows:
        yield {
            "type": "row",
            "id": next(ids),
            "title": title,
            "collapsed": False,
            "gridPos": {"h": 1, "w": WIDTH, "x": 0, "y": y},
            "panels": [],
        }
        x, y = 0, y + 1
        for panel in panels:
            if x + panel.width > WIDTH:
                x, y = 0, y + HEIGHT
            place = {"h": HEIGHT, "w": panel.width, "x": x, "y": y}
            yield {"id": next(ids), "gridPos": place, **_panel(panel)}
            x += panel.width
        y += HEIGHT


def _panel(panel: Panel) -> dict[str, Any]:
    low, high = panel.limits
    limits = {key: limit for key, limit in (("min", low), ("max", high)) if limit is not None}
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.about,
        "datasource": PROMETHEUS,
        "targets": [_target(panel, index) for index in range(len(panel.queries))],
        "fieldConfig": {
            "defaults": {
                "unit": panel.unit,
                **limits,
                "custom": dict(panel.custom),
                "mappings": list(panel.mappings),
            },
            "overrides": list(panel.overrides),
        },
        "options": dict(panel.options),
        "transformations": list(panel.transformations),
    }


def _target(panel: Panel, index: int) -> dict[str, Any]:
    query = panel.queries[index]
    is_instant = panel.kind in {"table", "stat"}
    return {
        "refId": chr(ord("A") + index),
        "datasource": PROMETHEUS,
        "expr": query.expr,
        "legendFormat": query.legend,
        "instant": is_instant,
        "range": not is_instant,
        "exemplar": query.has_exemplars,
        "format": {"table": "table", "heatmap": "heatmap"}.get(panel.kind, "time_series"),
    }
