"""Fleets and machine types at the api, and their words beside the channels of alerts and scores."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from msgspec import structs

from api.known_fleets import KnownFleet, KnownFleets, KnownModel
from common.machines.turbofan import TURBOFAN
from common.records.alerts import ModelRef
from common.records.verdicts import Verdict
from tests.support.alerts import batch, make_alert
from tests.support.api import Running, running, score
from tests.support.own_pumps import PUMP

REF = ModelRef(name="pumps", version="2", sha256="a" * 64)
PUMPS = KnownFleet("pumps", "./pumps", KnownModel(REF, PUMP, 1.5, 2.5))
ENGINES = KnownFleet(
    "default",
    "fd001",
    KnownModel(ModelRef(name="fd001", version="1", sha256="0" * 64), TURBOFAN, 1.0, 2.0),
)
BROKEN = KnownFleet("fans", "./fans", None, "./fans/manifest.json is no manifest: it is empty.")
T50 = {"meaning": "total temperature at LPT outlet", "unit": "°R"}


@pytest.fixture
async def api() -> AsyncIterator[Running]:
    async with running() as started:
        started.fakes.catalogue.known = KnownFleets(
            {each.name: each for each in (ENGINES, PUMPS, BROKEN)}
        )
        yield started


async def got(api: Running, path: str) -> Any:
    answer = await api.client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_fleet_says_all_of_its_machine_type(api: Running) -> None:
    assert await got(api, "/api/v1/machines/pumps") == {
        "fleet": "pumps",
        "artifact": "./pumps",
        "model": {"name": "pumps", "version": "2", "sha256": "a" * 64},
        "thresholds": {"warning": 1.5, "critical": 2.5, "channel": None, "life": None},
        "machine_type": {
            "name": "pump",
            "title": "Pump",
            "source": "",
            "step": {"word": "second", "clock": "time", "interval_s": 1.0},
            "window_length": 20,
            "conditions": [],
            "channels": [
                {
                    "name": "Flow Rate", "meaning": "", "unit": "l/min", "lowest": 0.0,
                    "highest": 500.0, "used": True, "max_hold": 3,
                },
                {
                    "name": "Pressure", "meaning": "", "unit": "bar", "lowest": None,
                    "highest": None, "used": True, "max_hold": 2,
                },
                {
                    "name": "Motor Temperature", "meaning": "", "unit": "°C", "lowest": None,
                    "highest": None, "used": True, "max_hold": 3,
                },
                {
                    "name": "Spare", "meaning": "", "unit": "", "lowest": None,
                    "highest": None, "used": False, "max_hold": 3,
                },
            ],
        },
        "problem": None,
    }  # fmt: skip


async def test_all_fleets_are_listed_also_one_whose_artifact_cannot_be_read(api: Running) -> None:
    body = await got(api, "/api/v1/machines")

    assert [each["fleet"] for each in body["items"]] == ["default", "pumps", "fans"]
    assert body["items"][1] == await got(api, "/api/v1/machines/pumps")
    assert [each["name"] for each in body["items"][0]["machine_type"]["conditions"]] == [
        "altitude", "mach", "tra",
    ]  # fmt: skip
    fans = body["items"][2]
    assert fans["problem"] == BROKEN.problem
    assert (fans["model"], fans["thresholds"], fans["machine_type"]) == (None, None, None)
    assert body["problem"] is None


async def test_a_file_of_fleets_that_cannot_be_read_is_told_beside_those_of_before(
    api: Running,
) -> None:
    api.fakes.catalogue.known = replace(api.fakes.catalogue.known, problem="fleets.toml is a mess.")

    body = await got(api, "/api/v1/machines")

    assert body["problem"] == "fleets.toml is a mess."
    assert len(body["items"]) == 3


async def test_a_fleet_there_is_not_is_404_with_the_nearest_name(api: Running) -> None:
    answer = await api.client.get("/api/v1/machines/pmups")

    assert answer.status_code == 404
    assert answer.json()["type"] == "urn:surgeline:problem:unknown_fleet"
    assert "Did you mean pumps?" in answer.json()["detail"]


@pytest.mark.parametrize("path", ["/api/v1/machines", "/api/v1/machines/pumps"])
async def test_there_are_no_parameters(api: Running, path: str) -> None:
    answer = await api.client.get(f"{path}?fleet=pumps")

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "fleet"


async def test_channels_of_an_alert_have_meaning_and_unit(api: Running) -> None:
    alert = make_alert(40)
    await api.fakes.history.store(batch([alert]))

    (listed,) = (await got(api, "/api/v1/alerts"))["items"]

    assert listed["channels"][0] == {
        "name": "T50", "share": 0.75, "direction": "high", "against": None, **T50,
    }  # fmt: skip
    assert listed["step"] == "cycle"
    assert listed == await got(api, f"/api/v1/alerts/{alert.alert_id}")


@pytest.mark.parametrize(
    "fleet",
    [
        pytest.param("gone", id="no such fleet"),
        pytest.param("fans", id="its artifact cannot be read"),
    ],
)
async def test_what_is_not_known_is_left_out(api: Running, fleet: str) -> None:
    await api.fakes.history.store(batch([make_alert(40, fleet=fleet)]))

    (listed,) = (await got(api, "/api/v1/alerts"))["items"]

    assert listed["channels"][0] == {
        "name": "T50", "share": 0.75, "direction": "high", "against": None,
    }  # fmt: skip
    assert "step" not in listed
    assert (await got(api, "/api/v1/alerts"))["next_cursor"] is None


async def test_a_channel_that_the_machine_type_does_not_have_is_named_alone(api: Running) -> None:
    """The alert may be of an earlier model."""
    await api.fakes.history.store(batch([make_alert(40, fleet="pumps")]))

    (listed,) = (await got(api, "/api/v1/alerts"))["items"]

    assert listed["channels"][0] == {
        "name": "T50", "share": 0.75, "direction": "high", "against": None,
    }  # fmt: skip
    assert listed["step"] == "second"


async def test_a_page_of_scores_has_a_legend_of_its_fleets(api: Running) -> None:
    await api.fakes.scores.write(
        [
            score(1),
            structs.replace(score(2), fleet="pumps", asset_id="p"),
            structs.replace(score(3, status=Verdict.WARMING_UP), fleet="fans", asset_id="f"),
        ]
    )

    page = await got(api, "/api/v1/scores")
    pumps_only = await got(api, "/api/v1/scores?fleet=pumps")

    assert set(page["legend"]) == {"default", "pumps"}
    assert page["legend"]["default"]["step"] == "cycle"
    assert page["legend"]["default"]["channels"]["T50"] == T50
    assert pumps_only["legend"] == {
        "pumps": {
            "step": "second",
            "channels": {
                "Flow Rate": {"meaning": "", "unit": "l/min"},
                "Pressure": {"meaning": "", "unit": "bar"},
                "Motor Temperature": {"meaning": "", "unit": "°C"},
            },
        }
    }


async def test_an_empty_page_of_scores_has_an_empty_legend(api: Running) -> None:
    assert (await got(api, "/api/v1/scores"))["legend"] == {}
