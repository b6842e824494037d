"""A filter that matched nothing says so, and what there is instead."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from api.commands.server.client import ApiClient
from api.commands.server.nothing_found import no_alerts, no_verdicts

ASSETS = {
    "items": [
        {
            "asset_id": f"pump-{number}",
            "run_id": "night",
            "runs": 2,
            "verdicts": {"scored": 91, "warming_up": 29},
        }
        for number in (1, 2)
    ]
}
ALERTS = {
    "items": [{"asset_id": "pump-1", "run_id": "night"}, {"asset_id": "pump-2", "run_id": "day"}],
    "next_cursor": None,
}


def client(alerts: dict[str, Any] = ALERTS, assets: dict[str, Any] = ASSETS) -> ApiClient:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/alerts"):
            return httpx.Response(200, json=alerts)
        wanted = request.url.params.get("asset_id")
        items = [item for item in assets["items"] if wanted in (None, item["asset_id"])]
        return httpx.Response(200, json=assets | {"items": items})

    return ApiClient("http://api", httpx.MockTransport(answer))


@pytest.mark.parametrize(
    ("query", "said"),
    [
        pytest.param({}, "No alerts. Start a replay", id="no filter"),
        pytest.param(
            {"asset_id": "pump1"},
            "2 are stored, none of them of asset pump1. Did you mean pump-",
            id="asset",
        ),
        pytest.param(
            {"asset_id": "x"}, "2 are stored, none of them of asset x.", id="nothing near"
        ),
        pytest.param(
            {"run_id": "nite", "min_level": "critical"},
            "none of them of run nite, of level critical or worse. Did you mean night?",
            id="run and level",
        ),
    ],
)
def test_alerts_that_are_stored_are_not_denied(query: dict[str, str | None], said: str) -> None:
    assert said in no_alerts(client(), query)


def test_where_no_alert_is_stored_a_filter_is_not_blamed() -> None:
    nothing = client({"items": [], "next_cursor": None}, {"items": []})

    assert "Start a replay" in no_alerts(nothing, {"asset_id": "x"})
    assert "Start a replay" in no_verdicts(nothing, "x", None, None)


def test_more_than_can_be_looked_at_is_said_to_be_more() -> None:
    many = client(ALERTS | {"next_cursor": "on"}, ASSETS | {"next_cursor": "on"})

    assert "more than 2 are stored" in no_alerts(many, {"asset_id": "x"})
    assert "more than 2 assets have some" in no_verdicts(many, "x", None, None)


@pytest.mark.parametrize(
    ("question", "said"),
    [
        pytest.param(
            ("Pump-1", None, None),
            "2 assets have some, it is not one of them. Did you mean pump-1",
            id="asset",
        ),
        pytest.param(
            ("pump-1", "nigth", None),
            "91 scored, 29 warming_up in its latest run night (of 2), and none of run nigth. "
            "Did you mean night?",
            id="run",
        ),
        pytest.param(("pump-1", None, "gap"), "and none with the verdict gap.", id="verdict"),
    ],
)
def test_verdicts_that_are_stored_are_not_denied(
    question: tuple[str, str | None, str | None], said: str
) -> None:
    assert said in no_verdicts(client(), *question)
