"""Whatever strangers send to be scored or compared is answered: never a 5xx, never a NaN."""

from __future__ import annotations

import json
import math
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter

from api.access.rights import ASKING
from api.http.bodies import CSV_PATH
from api.http.problems import MEDIA_TYPE, Problem
from api.views.scoring.detect import BatchDetection, CsvDetection, Predictions, TimedDetection
from api.views.scoring.whatif import WhatIfView
from tests.support.api import Fakes, Running, running
from tests.support.detection import SCORER, as_objects, toy_fleets, toy_rows, toy_scoring
from tests.unit.api.detection.test_whatif import verdict

ANSWERS: dict[str, type[BaseModel]] = {
    "/api/v1/detect": TimedDetection,
    "/api/v1/detect/batch": BatchDetection,
    "/api/v1/detect/csv": CsvDetection,
    "/api/v1/predict": Predictions,
    "/api/v1/whatif": WhatIfView,
}
ODD: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, 0, -1, 1e-320, 1e17, 1e19, 1e999, -1e999, math.nan, 10**400, "", "1", "\0",
     "\ud800", [], {}, [[]], "toy", "2026-01-01T00:00:00Z", "a" * 300, "٣"]
)  # fmt: skip
numbers = st.floats(-1e18, 1e18) | st.integers(-(10**18), 10**18) | st.just(0.0)
rows = (
    st.lists(numbers | ODD, min_size=5, max_size=7)
    | st.lists(numbers, min_size=6, max_size=6)
    | st.dictionaries(st.sampled_from(["altitude", "mach", "tra", "T24", "T30", "T50"]), numbers)
    | ODD
)
windows = (
    st.lists(rows, max_size=6)
    | st.lists(st.lists(numbers, min_size=6, max_size=6), min_size=4, max_size=4)
    | ODD
)
SOUND: dict[str, Any] = {
    "sensor_id": "e", "fleet": "toy", "timestamp": "2026-01-01T00:00:00Z",
    "window": toy_rows([0.1] * 4).tolist(),
    "readings": as_objects(toy_rows([0.1] * 6), SCORER.spec.machine), "first_cycle": 1,
    "items": [], "alarm": {"on_delay_cycles": 1}, "thresholds": {"warning": 0.5},
}  # fmt: skip
FIELDS = {
    "/api/v1/detect": ["sensor_id", "fleet", "timestamp", "window"],
    "/api/v1/detect/batch": ["items"],
    "/api/v1/detect/csv": [],
    "/api/v1/predict": ["sensor_id", "fleet", "readings", "first_cycle"],
    "/api/v1/whatif": ["fleet", "alarm", "thresholds"],
}
CHANGES = st.sampled_from(
    ["on_delay_cycles", "on_window_cycles", "off_delay_cycles", "min_length_cycles",
     "merge_gap_cycles", "deadband", "warning", "critical", "life", "x"]
)  # fmt: skip
changes = st.dictionaries(CHANGES, numbers | ODD | st.integers(0, 70), max_size=3)


@st.composite
def bodies(draw: st.DrawFn) -> tuple[str, bytes, str]:
    """Draw a path, a body and its type."""
    path = draw(st.sampled_from(sorted(ASKING)))
    if path == CSV_PATH:
        text = draw(st.text('altitudemchrT2450,;\n\t"0123456789.eE-_', max_size=200))
        named = "altitude,mach,tra,T24,T30,T50\n" + text
        return path, draw(st.sampled_from([text, named])).encode(), "text/csv"
    body = {name: SOUND[name] for name in FIELDS[path]}
    if path.endswith("batch"):
        item = {name: SOUND[name] for name in FIELDS["/api/v1/detect"]}
        body["items"] = [
            item | draw(st.fixed_dictionaries({}, optional={"window": windows, "fleet": ODD}))
            for _ in range(draw(st.integers(0, 3)))
        ]
    odd = {
        "window": windows, "readings": windows, "alarm": changes | ODD, "thresholds": changes | ODD,
    }  # fmt: skip
    for name in draw(st.lists(st.sampled_from([*FIELDS[path], "x"]), max_size=2)):
        body[name] = draw(odd.get(name, ODD))
    return path, json.dumps(body).encode(), "application/json"


@pytest.fixture
async def api() -> AsyncIterator[Running]:
    fakes = Fakes(scoring=toy_scoring())
    fakes.catalogue.known = toy_fleets()
    async with running(fakes) as started:
        await fakes.scores.write([verdict(cycle, (cycle % 7) / 3) for cycle in range(1, 60)])
        yield started


@given(bodies())
@example(
    (
        "/api/v1/detect",
        json.dumps(SOUND | {"window": [[1e18] * 6] * 4}).encode(),
        "application/json",
    )
)
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    deadline=None,
    max_examples=200,
)
async def test_whatever_is_asked_is_answered_with_what_is_promised(
    api: Running, asked: tuple[str, bytes, str]
) -> None:
    path, content, kind = asked
    url = f"{path}?fleet=toy" if path == CSV_PATH else path

    answer = await api.client.post(url, content=content, headers={"Content-Type": kind})

    if answer.status_code == 200:
        assert not any(word in answer.text for word in ("NaN", "Infinity"))
        TypeAdapter(ANSWERS[path]).validate_json(answer.content)
        return
    assert answer.status_code in (400, 422), answer.text
    assert answer.headers["content-type"] == MEDIA_TYPE
    problem = Problem.model_validate_json(answer.content)
    assert problem.detail
    assert problem.errors or answer.status_code == 400


def test_every_path_that_is_asked_is_here() -> None:
    assert set(ANSWERS) == set(FIELDS) == ASKING
