"""Dashboards, panels and variables, and the JSON that Grafana 10.4 and newer reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

Kind = Literal["timeseries", "stat", "table", "barchart"]
Format = Literal["time_series", "table"]
Json = dict[str, Any]

SCHEMA_VERSION: Final = 38
"""Of Grafana 10.4's dashboards; newer ones bring it up to date when they read it."""

COLUMNS: Final = 24
"""Width of Grafana's grid."""

GREEN, YELLOW, RED = "green", "yellow", "red"


@dataclass(frozen=True, slots=True)
class Source:
    """A data source of ``deploy/grafana/provisioning``.

    Attributes:
        type: Grafana's plugin.
        uid: As provisioned.
    """

    type: str
    uid: str

    def reference(self) -> Json:
        """Return how panels name it."""
        return {"type": self.type, "uid": self.uid}


@dataclass(frozen=True, slots=True)
class Query:
    """One query of a panel.

    Attributes:
        source: Whom it asks.
        text: What it asks, with Grafana's variables and macros.
        legend: Name of its series; empty for the source's own.
        format: How the answer is read.
    """

    source: Source
    text: str
    legend: str = ""
    format: Format = "time_series"

    def json(self, ref: str) -> Json:
        """Return it as the source's editor saves it."""
        common: Json = {"refId": ref, "datasource": self.source.reference()}
        match self.source.type:
            case "prometheus":
                is_table = self.format == "table"
                return common | {
                    "expr": self.text,
                    "legendFormat": self.legend or "__auto",
                    "format": self.format,
                    "instant": is_table,
                    "range": not is_table,
                }
            case "influxdb":
                alias = {"alias": self.legend} if self.legend else {}
                return (
                    common
                    | alias
                    | {
                        "query": self.text,
                        "rawQuery": True,
                        "resultFormat": self.format,
                    }
                )
            case _:
                return common | {
                    "rawSql": self.text,
                    "rawQuery": True,
                    "editorMode": "code",
                    "format": self.format,
                }


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel.

    Attributes:
        title: What it shows, in a few words.
        kind: How.
        queries: What it asks.
        meaning: What to make of it; shown behind the i.
        unit: Grafana's name of the unit.
        width: Of 24 columns.
        height: In rows of the grid.
        steps: From which value on which colour, rising; the first from below.
        stacked: Whether series are drawn on top of each other.
        lowest: Of the axis; none to fit.
    """

    title: str
    kind: Kind
    queries: tuple[Query, ...]
    meaning: str
    unit: str = "short"
    width: int = 12
    height: int = 8
    steps: tuple[tuple[float | None, str], ...] = ((None, GREEN),)
    stacked: bool = False
    lowest: float | None = None

    def json(self, number: int, x: int, y: int) -> Json:
        """Return it at a place of the grid."""
        defaults: Json = {
            "unit": self.unit,
            "thresholds": {
                "mode": "absolute",
                "steps": [{"value": value, "color": color} for value, color in self.steps],
            },
        }
        if self.lowest is not None:
            defaults["min"] = self.lowest
        if self.kind == "timeseries":
            defaults["custom"] = {
                "drawStyle": "line",
                "lineWidth": 1,
                "fillOpacity": 30 if self.stacked else 0,
                "showPoints": "auto",
                "spanNulls": False,
                "stacking": {"mode": "normal" if self.stacked else "none", "group": "A"},
                "thresholdsStyle": {"mode": "line" if len(self.steps) > 1 else "off"},
            }
        return {
            "id": number,
            "type": self.kind,
            "title": self.title,
            "description": self.meaning,
            "datasource": self.queries[0].source.reference(),
            "gridPos": {"h": self.height, "w": self.width, "x": x, "y": y},
            "fieldConfig": {"defaults": defaults, "overrides": []},
            "options": _OPTIONS[self.kind],
            "targets": [
                query.json(chr(ord("A") + index)) for index, query in enumerate(self.queries)
            ],
        }


_OPTIONS: Final[Mapping[Kind, Json]] = {
    "timeseries": {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
        "tooltip": {"mode": "multi", "sort": "desc"},
    },
    "stat": {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "colorMode": "value",
        "graphMode": "none",
        "justifyMode": "auto",
        "textMode": "auto",
        "orientation": "auto",
    },
    "table": {"showHeader": True, "cellHeight": "sm"},
    "barchart": {
        "orientation": "horizontal",
        "showValue": "auto",
        "stacking": "none",
        "groupWidth": 0.7,
        "barWidth": 0.9,
        "xTickLabelRotation": 0,
        "xTickLabelSpacing": 0,
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": False, "calcs": []},
        "tooltip": {"mode": "single", "sort": "none"},
    },
}


@dataclass(frozen=True, slots=True)
class Variable:
    """A drop-down list.

    Attributes:
        name: As queries say it.
        label: As people read it.
        source: Whom it asks.
        text: What.
        has_all: Whether all may be chosen: queries then see ``.*``.
    """

    name: str
    label: str
    source: Source
    text: str
    has_all: bool = True

    def json(self) -> Json:
        """Return it as Grafana saves it."""
        query: Any = self.text
        if self.source.type == "prometheus":
            query = {"query": self.text, "refId": f"variable-{self.name}"}
        chosen = {"selected": True, "text": "All", "value": "$__all"} if self.has_all else {}
        return {
            "name": self.name,
            "label": self.label,
            "type": "query",
            "datasource": self.source.reference(),
            "query": query,
            "definition": self.text,
            "refresh": 2,
            "sort": 1,
            "multi": False,
            "includeAll": self.has_all,
            "allValue": ".*" if self.has_all else None,
            "current": chosen,
            "hide": 0,
            "regex": "",
            "skipUrlSync": False,
            "options": [],
        }


@dataclass(frozen=True, slots=True)
class Annotation:
    """Marks over all panels.

    Attributes:
        name: As people read it.
        query: Answers with a time, a text and tags for each mark.
        color: Of the marks.
    """

    name: str
    query: Query
    color: str

    def json(self) -> Json:
        """Return it as Grafana saves it."""
        return {
            "name": self.name,
            "datasource": self.query.source.reference(),
            "enable": True,
            "hide": False,
            "iconColor": self.color,
            "target": self.query.json("Anno"),
            "rawQuery": self.query.text,  # Grafana's SQL sources read it from here
        }


@dataclass(frozen=True, slots=True)
class Dashboard:
    """One dashboard.

    Attributes:
        name: Of its file.
        title: As people read it.
        meaning: What it is for.
        rows: Panels by the heading they stand under.
        variables: Drop-down lists, each may use those before it.
        annotations: Marks.
        since: Start of the time range it opens with, such as ``now-6h``.
    """

    name: str
    title: str
    meaning: str
    rows: Mapping[str, Sequence[Panel]]
    variables: Sequence[Variable] = ()
    annotations: Sequence[Annotation] = ()
    since: str = "now-6h"

    @property
    def uid(self) -> str:
        """As links name it."""
        return f"surgeline-{self.name}"

    @property
    def queries(self) -> Iterator[tuple[str, Query]]:
        """All queries of its panels and annotations, each with whose it is."""
        for panel in (panel for panels in self.rows.values() for panel in panels):
            for query in panel.queries:
                yield panel.title, query
        for annotation in self.annotations:
            yield annotation.name, annotation.query

    def json(self) -> Json:
        """Return what Grafana reads."""
        return {
            "uid": self.uid,
            "title": f"Surgeline: {self.title}",
            "description": self.meaning,
            "tags": ["surgeline"],
            "schemaVersion": SCHEMA_VERSION,
            "editable": False,
            "graphTooltip": 1,
            "refresh": "30s",
            "time": {"from": self.since, "to": "now"},
            "timezone": "utc",
            "annotations": {"list": [mark.json() for mark in self.annotations]},
            "templating": {"list": [variable.json() for variable in self.variables]},
            "links": [LINK],
            "panels": list(_placed(self.rows)),
        }


LINK: Final[Json] = {
    "title": "Surgeline",
    "type": "dashboards",
    "tags": ["surgeline"],
    "asDropdown": False,
    "includeVars": True,
    "keepTime": True,
    "icon": "external link",
    "tooltip": "",
    "targetBlank": False,
    "url": "",
}


def _placed(rows: Mapping[str, Iterable[Panel]]) -> Iterator[Json]:
    """Yield headings and panels, from left to right, then from top to bottom."""
    number, y = 1, 0
    for title, panels in rows.items():
        yield {
            "id": number,
            "type": "row",
            "title": title,
            "collapsed": False,
            "gridPos": {"h": 1, "w": COLUMNS, "x": 0, "y": y},
            "panels": [],
        }
        number, x, y, tallest = number + 1, 0, y + 1, 0
        for panel in panels:
            if x + panel.width > COLUMNS:
                x, y, tallest = 0, y + tallest, 0
            yield panel.json(number, x, y)
            number, x, tallest = number + 1, x + panel.width, max(tallest, panel.height)
        y += tallest
