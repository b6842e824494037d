"""The dashboards: fresh, sound, and of names that exist."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard as OfficialDashboard

from common.metering.names import OF_API, OF_DETECTOR
from common.metering.spec import HistogramSpec
from common.topics import REPEAT_MEASUREMENT, SCORE_MEASUREMENT
from deploy.dashboards import writing
from deploy.dashboards.model import COLUMNS, Dashboard
from deploy.dashboards.sources import INFLUX, PROMETHEUS, SOURCES

REPOSITORY = Path(__file__).parents[3]
PROVISIONING = REPOSITORY / "deploy" / "grafana" / "provisioning"
NOT_IN_THE_SDK = re.compile(
    r"\.annotations\.list\[\d+\]\.(rawQuery|target\.\w+)|\.templating\.list\[\d+\]\.definition"
)
"""Grafana reads these; the models of its SDK for 10.1 leave them out."""

each_board = pytest.mark.parametrize(
    "board", writing.DASHBOARDS, ids=[board.name for board in writing.DASHBOARDS]
)


def test_the_committed_files_are_fresh() -> None:
    assert writing.stale_files(REPOSITORY) == [], "run `python -m deploy.dashboards` and commit"


def test_there_are_no_other_dashboards() -> None:
    files = {path.relative_to(REPOSITORY) for path in (REPOSITORY / writing.FOLDER).iterdir()}

    assert files == {path for path in writing.texts() if path.parent == writing.FOLDER}


def test_writing_mends_what_is_stale_and_says_so(tmp_path: Path) -> None:
    for path in writing.texts():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)

    assert set(writing.write(tmp_path)) == set(writing.texts())
    assert writing.stale_files(tmp_path) == []
    assert writing.write(tmp_path) == []


def lost(given: Any, kept: Any, where: str = "") -> Iterator[str]:
    """Where something given is not kept."""
    if isinstance(given, dict):
        for key, value in given.items():
            if isinstance(kept, dict) and key in kept:
                yield from lost(value, kept[key], f"{where}.{key}")
            elif value not in (None, [], {}, "", False):
                yield f"{where}.{key}"
    elif isinstance(given, list) and isinstance(kept, list) and len(given) == len(kept):
        for index, (one, other) in enumerate(zip(given, kept, strict=True)):
            yield from lost(one, other, f"{where}[{index}]")
    elif given != kept:
        yield where


def kept_by_the_sdk(given: Any) -> Any:
    register_default_plugins()
    return json.loads(JSONEncoder().encode(OfficialDashboard.from_json(given)))


@each_board
def test_grafanas_own_models_read_and_write_all_of_it(board: Dashboard) -> None:
    given = board.json()

    missing = [
        where for where in lost(given, kept_by_the_sdk(given)) if not NOT_IN_THE_SDK.match(where)
    ]

    assert missing == []


def test_grafanas_own_models_notice_a_field_that_there_is_not() -> None:
    given = writing.DASHBOARDS[0].json()
    given["panels"][1]["gridPos"]["breadth"] = 3

    assert ".panels[1].gridPos.breadth" in list(lost(given, kept_by_the_sdk(given)))


@each_board
def test_panels_lie_beside_each_other(board: Dashboard) -> None:
    taken: set[tuple[int, int]] = set()
    panels = board.json()["panels"]
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= COLUMNS
        taken |= cells
    assert len({panel["id"] for panel in panels}) == len(panels)


@each_board
def test_queries_use_variables_that_the_board_has(board: Dashboard) -> None:
    defined: list[str] = []
    for variable in board.variables:
        assert used(variable.text) <= set(defined), variable.name
        defined.append(variable.name)
    for whose, query in board.queries:
        assert used(query.text) <= set(defined), whose


def used(text: str) -> set[str]:
    """The variables in a query, but for Grafana's own."""
    names = re.findall(r"\$\{?([A-Za-z]\w*)", text)
    return {name for name in names if name != "timeFilter"}


def test_the_boards_have_names_of_their_own() -> None:
    assert len({board.uid for board in writing.DASHBOARDS}) == len(writing.DASHBOARDS)
    assert len({board.title for board in writing.DASHBOARDS}) == len(writing.DASHBOARDS)


def test_the_sources_are_those_that_are_provisioned() -> None:
    provisioned = yaml.safe_load((PROVISIONING / "datasources" / "surgeline.yml").read_text())

    found = {(source["type"], source["uid"]) for source in provisioned["datasources"]}
    assert found == {(source.type, source.uid) for source in SOURCES}
    (influx,) = (s for s in provisioned["datasources"] if s["type"] == INFLUX.type)
    assert influx["jsonData"]["version"] == "InfluxQL"
    assert not any("password" in json.dumps(s["jsonData"]) for s in provisioned["datasources"])


def test_dashboards_name_our_measurements_and_metrics_only() -> None:
    metrics = {
        name
        for spec in (*OF_DETECTOR, *OF_API)
        for name in (
            (spec.series, f"{spec.name}_sum", f"{spec.name}_count")
            if isinstance(spec, HistogramSpec)
            else (spec.series,)
        )
    }
    asked = [query for board in writing.DASHBOARDS for _, query in board.queries]
    of_influx = " ".join(query.text for query in asked if query.source == INFLUX)
    of_prometheus = " ".join(query.text for query in asked if query.source == PROMETHEUS)

    measurements = set(re.findall(r'FROM "(\w+)"', of_influx))
    assert measurements == {SCORE_MEASUREMENT, REPEAT_MEASUREMENT}
    assert set(re.findall(r"\bsurgeline_\w+", of_prometheus)) <= metrics
    assert "|>" not in of_influx  # Flux
