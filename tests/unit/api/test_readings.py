"""What the api answers of an asset's readings: its ring, and the windows behind its alerts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.known_fleets import KnownFleet, KnownFleets, KnownModel
from api.readings import KeptRing, merged, of_ring
from common.errors import BackendUnavailableError
from common.machines.machine import MachineType
from common.records.alerts import ModelRef
from common.records.ids import renewed_run_id
from common.records.run_names import source_run
from common.ring import NOTHING_HELD, Marks, Ring, packed_stamps
from tests.support.alerts import make_alert
from tests.support.api import Fakes, Running, running, score
from tests.support.builders import toy_machine
from tests.support.evidence import evidence_batch, make_evidence

MACHINE = toy_machine(("T50", "Ps30"))
SECOND_US = 1_767_225_600_000_000  # 2026-01-01
FAR = 10_000


def kept(cycles: Sequence[int], held: Sequence[tuple[bool, bool]] = ()) -> KeptRing:
    """A ring in which each value is its cycle."""
    rows = np.repeat(np.array(cycles, np.float32)[:, None], MACHINE.row_width, axis=1)
    stamps = np.array([(cycle, cycle and SECOND_US + cycle * 1_000_000) for cycle in cycles])
    marks = Marks(packed_stamps(stamps.astype(np.int64).reshape(-1, 2)), NOTHING_HELD)
    if held:
        marks = Marks(marks.stamps, np.array(held))
    return KeptRing(MACHINE.digest, Ring(rows, marks))


def knows(fakes: Fakes, machine: MachineType = MACHINE) -> None:
    ref = ModelRef(name="own", version="1", sha256="0" * 64)
    model = KnownModel(ref, machine, 1.0, 2.0)
    fakes.catalogue.known = KnownFleets({"default": KnownFleet("default", "./own", model)})


async def ask(api: Running, **query: str) -> tuple[int, dict[str, Any]]:
    answer = await api.client.get("/api/v1/readings", params={"asset_id": "a"} | query)
    return answer.status_code, answer.json()


async def test_ring_and_evidence_are_one_list_each_cycle_once() -> None:
    fakes = Fakes()
    knows(fakes)
    await fakes.scores.write([score(cycle) for cycle in range(1, 13)])
    fakes.rings.rings["a", "run-1"] = kept([9, 10, 12], [(False,) * 2, (False, True), (False,) * 2])
    alert = make_alert(10, asset_id="a")
    await fakes.evidence.store(evidence_batch([make_evidence(alert, (1.5, 2.5, 3.5), held=(0,))]))
    async with running(fakes) as api:
        status, body = await ask(api)
        _, two = await ask(api, limit="2")

    assert status == 200
    items = body["items"]
    assert [(item["cycle"], item["source"], item["alert_id"]) for item in items] == [
        (8, "evidence", alert.alert_id), (9, "ring", None), (10, "ring", None), (12, "ring", None),
    ]  # fmt: skip
    assert items[0]["sensors"] == {"T50": 1.5, "Ps30": 1.5}
    assert (items[0]["held"], items[2]["held"]) == (["T50", "Ps30"], ["Ps30"])
    assert items[3]["sensors"] == {"T50": 12.0, "Ps30": 12.0}
    assert items[3]["settings"] == {"altitude": 12.0, "mach": 12.0, "tra": 12.0}
    assert [item["missing_before"] for item in items] == [0, 0, 0, 1]
    assert items[3]["ts"] == "2026-01-01T00:00:12Z"
    assert [one["name"] for one in body["channels"]] == ["T50", "Ps30"]
    assert (body["machine"], body["step"], body["notes"]) == ("toy", "cycle", [])
    assert [item["cycle"] for item in two["items"]] == [10, 12]


@pytest.mark.parametrize(
    ("spoil", "note"),
    [
        pytest.param("down", "the ring could not be read: gone", id="the state store is down"),
        pytest.param("other", "of another machine type", id="another machine type"),
        pytest.param("unknown", "of another machine type", id="no machine type is known"),
        pytest.param("none", None, id="no ring"),
    ],
)
async def test_without_a_ring_there_is_what_evidence_has(spoil: str, note: str | None) -> None:
    fakes = Fakes()
    if spoil != "unknown":
        knows(fakes, toy_machine(("T24",)) if spoil == "other" else MACHINE)
    if spoil != "none":
        fakes.rings.rings["a", "run-1"] = kept([9])
    if spoil == "down":
        fakes.rings.failure = BackendUnavailableError("gone")
    await fakes.scores.write([score(10)])
    await fakes.evidence.store(evidence_batch([make_evidence(make_alert(10, asset_id="a"))]))
    async with running(fakes) as api:
        status, body = await ask(api)

    assert status == 200
    assert [item["cycle"] for item in body["items"]] == [8, 9, 10]
    assert {item["source"] for item in body["items"]} == {"evidence"}
    assert body["channels"][0]["unit"] == ("" if spoil == "none" or spoil == "down" else "°R")
    assert len(body["notes"]) == (note is not None)
    assert note is None or note in body["notes"][0]


async def test_where_nothing_is_kept_the_answer_says_so() -> None:
    fakes = Fakes()
    await fakes.scores.write([score(10)])
    async with running(fakes) as api:
        status, body = await ask(api)
        fakes.rings.failure = BackendUnavailableError("gone")
        _, down = await ask(api)
        unknown, stranger = await ask(api, asset_id="b")
        elsewhere, _ = await ask(api, fleet="other")
        nameless = await api.client.get("/api/v1/readings")

    assert (status, body["type"]) == (404, "urn:surgeline:problem:no_readings")
    assert "no ring" in body["detail"]
    assert "gone" in down["detail"]
    assert (unknown, stranger["type"]) == (404, "urn:surgeline:problem:unknown_asset")
    assert elsewhere == 404
    assert nameless.status_code == 422


async def test_a_ring_is_of_the_run_that_came_last() -> None:
    renewed = renewed_run_id("run-1", 0, 40)
    fakes = Fakes()
    knows(fakes)
    await fakes.scores.write([score(5), score(9, run_id=renewed)])
    fakes.rings.rings["a", "run-1"] = kept([9])
    alert = make_alert(5, asset_id="a")
    await fakes.evidence.store(evidence_batch([make_evidence(alert)]))
    async with running(fakes) as api:
        _, latest = await ask(api)
        _, before = await ask(api, run_id="run-1")

    assert (latest["run_id"], [item["source"] for item in latest["items"]]) == (renewed, ["ring"])
    assert {item["source"] for item in before["items"]} == {"evidence"}
    assert renewed in before["notes"][0]


@given(st.integers(0, 9), st.integers(0, 99))
def test_the_run_of_the_source_is_known_of_one_that_was_opened_by_rule(
    partition: int, offset: int
) -> None:
    assert source_run(renewed_run_id("run-1", partition, offset)) == "run-1"


@given(
    st.lists(st.integers(1, 30), max_size=6, unique=True).map(sorted),
    st.integers(0, 3),
    st.lists(st.integers(3, 40), max_size=4, unique=True).map(lambda found: sorted(found)[::-1]),
    st.integers(1, 60),
)
def test_each_cycle_comes_once_in_order_and_the_ring_goes_first(
    ring: list[int], nameless: int, alerts: list[int], limit: int
) -> None:
    readings = of_ring(kept([0] * nameless + ring), MACHINE)
    evidence = [make_evidence(make_alert(cycle)) for cycle in alerts]

    everything = merged(readings, evidence, FAR)
    found = merged(readings, evidence, limit)

    assert found == everything[-limit:]
    cycles = [reading.cycle for reading in everything if reading.cycle is not None]
    behind = {cycle for last in alerts for cycle in range(last - 2, last + 1) if cycle > 0}
    assert cycles == sorted(set(ring) | behind)
    assert [reading.cycle for reading in everything].count(None) == nameless
    for reading in everything:
        assert (reading.source == "ring") == (reading.cycle is None or reading.cycle in ring)
