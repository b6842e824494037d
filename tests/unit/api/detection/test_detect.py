"""The endpoints of scoring on request, over a toy model."""

from __future__ import annotations

import asyncio
import errno
import json
import tempfile
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.detection.uploads import AT_A_TIME
from api.http.bodies import FILE_MARGIN_BYTES
from api.known_fleets import KnownFleets
from api.routes.scoring.detect import PIECE_BYTES
from common.errors import RequestRefusedError
from common.records.verdicts import Level
from common.settings import ApiSettings
from tests.support.api import Fakes, Running, eventually, running
from tests.support.clock import StillClock
from tests.support.detection import (
    SCORER,
    as_objects,
    csv_of,
    toy_fleets,
    toy_rows,
    toy_scoring,
)

DETECT, BATCH = "/api/v1/detect", "/api/v1/detect/batch"
PREDICT, CSV = "/api/v1/predict", "/api/v1/detect/csv"
MACHINE = SCORER.spec.machine
TS = "2026-01-01T00:00:00Z"
SOUND = [0.1, 0.2, 0.1, 0.3]
WORSE = [0.1, 0.2, 1.0, 1.5]
AS_CSV = {"Content-Type": "text/csv"}


def fakes(**changes: Any) -> Fakes:
    found = Fakes(clock=StillClock(), scoring=toy_scoring(**changes))
    found.catalogue.known = toy_fleets()
    return found


@pytest.fixture
async def api() -> AsyncIterator[Running]:
    async with running(fakes()) as started:
        yield started


def asked(levels: list[float] | None = None, **changes: Any) -> dict[str, Any]:
    window = toy_rows(WORSE if levels is None else levels).tolist()
    return {"sensor_id": "e-7", "fleet": "toy", "timestamp": TS, "window": window} | changes


async def post(api: Running, path: str, body: object) -> httpx.Response:
    # the client's own JSON has no NaN
    return await api.client.post(
        path, content=json.dumps(body), headers={"Content-Type": "application/json"}
    )


def problem(answer: httpx.Response, status: int = 422) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    return body


async def test_a_window_is_scored_with_all_that_is_to_be_said(api: Running) -> None:
    answer = await post(api, DETECT, asked())

    assert answer.status_code == 200, answer.text
    body = answer.json()
    channels = body.pop("channels")
    assert body == {
        "sensor_id": "e-7",
        "fleet": "toy",
        "timestamp": TS,
        "anomaly_score": 1.5,
        "is_anomaly": True,
        "level": "warning",
        "evidence": "degradation",
        "severity": 1.5,
        "threshold": 1.0,
        "confidence": 1.0,
        "confidence_windows": 4,
        "confidence_missing": None,
        "life": None,
        "model_version": "1",
        "model": SCORER.spec.ref.model_dump(),
        "processing_time_ms": 0.0,
    }
    assert [each["direction"] for each in channels] == ["high"] * 3
    assert {"name", "share", "direction", "against", "meaning", "unit"} == set(channels[0])
    assert sum(each["share"] for each in channels) == pytest.approx(1)


async def test_objects_by_name_and_a_zone_of_ones_own_mean_the_same(api: Running) -> None:
    by_list = (await post(api, DETECT, asked())).json()
    window = [row | {"comment": "x"} for row in as_objects(toy_rows(WORSE), MACHINE)]
    by_name = (
        await post(api, DETECT, asked(window=window, timestamp="2026-01-01T01:00:00+01:00"))
    ).json()

    assert by_name == by_list


async def test_a_sound_window_is_no_anomaly_and_confidence_is_what_scores_lower(
    api: Running,
) -> None:
    body = (await post(api, DETECT, asked(SOUND))).json()

    assert body["is_anomaly"] is False
    assert body["level"] == "none"
    assert body["confidence"] == 0.5  # of .1 .2 .4 .9 two are lower than .3


async def test_without_a_table_confidence_is_null_and_says_why() -> None:
    async with running(fakes(confidence="This artifact has no table.")) as api:
        body = (await post(api, DETECT, asked())).json()

    assert body["confidence"] is None
    assert body["confidence_windows"] is None
    assert body["confidence_missing"] == "This artifact has no table."


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        pytest.param({"fleet": "tyo"}, "fleet", "Did you mean toy?", id="unknown fleet"),
        pytest.param(
            {"window": toy_rows([1.0] * 5).tolist()}, "window", "4 readings", id="too long"
        ),
        pytest.param({"window": []}, "window", "at least 1", id="empty"),
        pytest.param({"window": "x"}, "window", "list", id="no list"),
        pytest.param({"window": [[1.0]] * 4}, "window.0", "6 numbers", id="too narrow"),
        pytest.param(
            {"window": [*toy_rows([1.0] * 3).tolist(), [0, 0, 0, 1, float("nan"), 1]]},
            "window.3.T30", "a finite number", id="not a number",
        ),
        pytest.param(
            {"window": [*toy_rows([1.0] * 3).tolist(), [0, 0, 0, 1, 1e999, 1]]},
            "window.3.T30", "a finite number", id="infinite",
        ),
        pytest.param(
            {"window": [*toy_rows([1.0] * 3).tolist(), [0, 0, 0, 1, None, 1]]},
            "window.3.T30", "a number", id="null",
        ),
        pytest.param(
            {"window": toy_rows([1.0] * 4, altitude=-9).tolist()},
            "window.0", "no training data", id="unknown regime",
        ),
        pytest.param({"sensor_id": "no good"}, "sensor_id", "pattern", id="sensor id"),
        pytest.param({"timestamp": "2026-01-01"}, "timestamp", "RFC 3339", id="time"),
        pytest.param({"timestamp": 5}, "timestamp", "RFC 3339", id="number as time"),
        pytest.param({"threshold": 1}, "threshold", "no such field", id="unknown field"),
    ],
)  # fmt: skip
async def test_what_cannot_be_scored_is_named(
    api: Running, changes: dict[str, Any], field: str, message: str
) -> None:
    body = problem(await post(api, DETECT, asked() | changes))

    assert body["type"] == "urn:surgeline:problem:invalid_request"
    assert body["errors"][0]["where"] == "body"
    assert body["errors"][0]["field"] == field
    assert message in body["errors"][0]["message"]


async def test_a_fleet_whose_artifact_cannot_be_read_is_503(api: Running) -> None:
    answer = await post(api, DETECT, asked(fleet="gone"))

    assert problem(answer, 503)["type"] == "urn:surgeline:problem:model_unreadable"
    assert int(answer.headers["retry-after"]) > 0
    api.fakes.catalogue.known = KnownFleets(problem="fleets.toml is a mess.")
    assert problem(await post(api, DETECT, asked()), 503)["detail"] == "fleets.toml is a mess."


async def test_a_model_that_went_away_meanwhile_is_503(api: Running) -> None:
    known = toy_fleets()
    model = known.fleets["toy"].model
    assert model is not None
    moved = replace(known.fleets["toy"], model=replace(model, folder="elsewhere"))
    api.fakes.catalogue.known = KnownFleets({"toy": moved})

    assert problem(await post(api, DETECT, asked()), 503)["type"].endswith("model_unreadable")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (DETECT, asked()),
        (BATCH, {"items": [asked()]}),
        (PREDICT, {"sensor_id": "e", "fleet": "toy", "readings": toy_rows(WORSE).tolist()}),
    ],
)
async def test_who_comes_while_too_many_wait_is_told_when_to_come_again(
    api: Running, path: str, body: object
) -> None:
    api.fakes.scoring.failure = RequestRefusedError(503, "scoring_busy", "busy", 1)

    answer = await post(api, path, body)

    assert problem(answer, 503)["type"] == "urn:surgeline:problem:scoring_busy"
    assert answer.headers["retry-after"] == "1"
    counted = (await api.client.get("/metrics")).text
    assert 'surgeline_api_scoring_failures_total{reason="scoring_busy"} 1.0' in counted


async def test_questions_to_models_are_counted(api: Running) -> None:
    assert (await post(api, DETECT, asked())).status_code == 200
    counted = (await api.client.get("/metrics")).text

    assert 'surgeline_api_scoring_seconds_count{question="windows"} 1.0' in counted
    assert "surgeline_api_scoring_open 0.0" in counted
    assert 'surgeline_api_scoring_failures_total{reason="scoring_busy"} 0.0' in counted


async def test_a_batch_is_answered_in_its_order_with_one_question_a_model(api: Running) -> None:
    bodies = [asked([0.0, 0.0, 0.0, n / 2], sensor_id=f"e-{n}") for n in range(4)]
    answer = await post(api, BATCH, {"items": bodies})

    assert answer.status_code == 200, answer.text
    items = answer.json()["items"]
    assert [(each["sensor_id"], each["anomaly_score"]) for each in items] == [
        ("e-0", 0.0), ("e-1", 0.5), ("e-2", 1.0), ("e-3", 1.5),
    ]  # fmt: skip
    assert len(api.fakes.scoring.asked) == 1
    alone = (await post(api, DETECT, bodies[3])).json()
    del alone["processing_time_ms"]
    assert items[3] == alone


async def test_one_wrong_window_refuses_the_batch_and_all_that_is_wrong_is_told(
    api: Running,
) -> None:
    items = [asked(), asked(fleet="toy", window=[[1.0]] * 4), asked(window=[]), asked()]
    items[2]["window"] = toy_rows([1.0]).tolist()
    errors = problem(await post(api, BATCH, {"items": items}))["errors"]

    assert [each["field"] for each in errors] == [
        *(f"items.1.window.{row}" for row in range(4)), "items.2.window",
    ]  # fmt: skip
    assert api.fakes.scoring.asked == []


@pytest.mark.parametrize("count", [0, 257])
async def test_a_batch_has_1_to_256_windows(api: Running, count: int) -> None:
    body = problem(await post(api, BATCH, {"items": [asked()] * count}))

    assert body["errors"][0]["field"] == "items"


async def test_readings_in_a_row_have_a_prediction_where_a_window_is_full(api: Running) -> None:
    levels = [0.1, 0.2, 0.3, 0.4, 1.2, 0.6]
    readings: list[Any] = as_objects(toy_rows(levels), MACHINE)
    readings[1]["T24"] = None  # held
    answer = await post(api, PREDICT, {"sensor_id": "e", "fleet": "toy", "readings": readings})

    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert [(each["reading"], each["label"]) for each in body["predictions"]] == [
        (4, "normal"), (5, "anomaly"), (6, "normal"),
    ]  # fmt: skip
    assert [each["score"] for each in body["predictions"]] == pytest.approx([0.4, 1.2, 0.6])
    assert body["unscored"] == [{"status": "warming_up", "readings": 3}]
    assert (body["readings"], body["window_length"]) == (6, 4)
    assert body["model_version"] == "1"


async def test_too_few_readings_are_no_error(api: Running) -> None:
    readings = toy_rows([0.1]).tolist()
    body = (
        await post(api, PREDICT, {"sensor_id": "e", "fleet": "toy", "readings": readings})
    ).json()

    assert body["predictions"] == []


async def test_a_condition_may_not_be_null(api: Running) -> None:
    readings = [[None, 0, 0, 1, 1, 1]]
    answer = await post(api, PREDICT, {"sensor_id": "e", "fleet": "toy", "readings": readings})

    assert problem(answer)["errors"][0]["field"] == "readings.0.altitude"


FILE = csv_of(toy_rows([0.1] * 5 + [1.5, 1.6, 2.5, 1.2] + [0.1] * 4), MACHINE)


@pytest.mark.parametrize("as_form", [False, True])
async def test_a_file_has_its_rows_scored_and_its_region_marked(
    api: Running, as_form: bool
) -> None:
    url = f"{CSV}?fleet=toy&sensor_id=e-7"
    if as_form:
        answer = await api.client.post(url, files={"file": ("C:\\x.csv", FILE, "application/x")})
    else:
        answer = await api.client.post(url, content=FILE, headers=AS_CSV)

    assert answer.status_code == 200, answer.text
    body = answer.json()
    (asset,) = body["assets"]
    assert asset["sensor_id"] == "e-7"
    assert asset["rows"] == list(range(1, 14))
    assert asset["status"][:4] == ["warming_up"] * 3 + ["scored"]
    assert asset["levels"][5:9] == ["warning", "warning", "critical", "warning"]
    (region,) = body["regions"]
    channels = region.pop("channels")
    assert region == {
        "sensor_id": "e-7", "start_row": 6, "end_row": 9, "start_cycle": 6, "end_cycle": 9,
        "anomalous": 4, "level": "warning", "open": False,
        "peak": {"row": 8, "cycle": 8, "score": 2.5, "severity": 2.5, "confidence": 1.0},
    }  # fmt: skip
    assert {each["name"] for each in channels} == set(MACHINE.channel_names)
    assert (body["rows"], body["scored"], body["anomalous"]) == (13, 10, 4)
    assert (body["problems"], body["problems_total"], body["regions_total"]) == ([], 0, 1)


async def test_what_is_wrong_with_a_file_is_listed_with_its_line(api: Running) -> None:
    lines = FILE.splitlines()
    lines[3] = lines[3].replace("0.1", "n/a", 1)
    lines[4] = lines[4] + ",7"
    body = (
        await api.client.post(f"{CSV}?fleet=toy", content="\n".join(lines), headers=AS_CSV)
    ).json()

    assert body["problems"] == [
        {
            "row": 3, "line": 4, "column": "T24", "received": "n/a", "expected": "a number",
            "effect": "held",
        },
        {
            "row": 4, "line": 5, "column": None, "received": "7 fields",
            "expected": "6 fields, as in the line of names", "effect": "refused",
        },
    ]  # fmt: skip
    assert body["problems_total"] == 2


@pytest.mark.parametrize(
    ("query", "content", "field"),
    [
        pytest.param("fleet=toy", b"", "file", id="empty"),
        pytest.param("fleet=toy", b"a,b\n1,2\n", "altitude", id="columns missing"),
        pytest.param("fleet=toy", FILE.encode() * 2, "file", id="too many rows"),
        pytest.param("fleet=tyo", FILE.encode(), "fleet", id="unknown fleet"),
        pytest.param("fleet=toy&sensor_id=no+good", FILE.encode(), "sensor_id", id="sensor id"),
        pytest.param("fleet=toy&colour=red", FILE.encode(), "colour", id="unknown parameter"),
    ],
)
async def test_a_file_that_cannot_be_used_is_refused(
    query: str, content: bytes, field: str
) -> None:
    async with running(fakes(), ApiSettings(csv_max_rows=20)) as api:
        answer = await api.client.post(f"{CSV}?{query}", content=content, headers=AS_CSV)

    assert problem(answer)["errors"][0]["field"] == field


async def test_only_files_that_are_small_enough_come_in() -> None:
    settings = ApiSettings(csv_max_bytes=1024)
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1
            yield b"1,2\n" * 256

    async with running(fakes(), settings) as api:
        long = await api.client.post(CSV, content=b"x" * 20_000, headers=AS_CSV)
        piecemeal = await api.client.post(f"{CSV}?fleet=toy", content=endless(), headers=AS_CSV)
        form = await api.client.post(f"{CSV}?fleet=toy", files={"file": b"x" * 20_000})
        small = await api.client.post(f"{CSV}?fleet=toy", content=FILE, headers=AS_CSV)

    for answer in (long, piecemeal, form):
        assert problem(answer, 413)["type"] == "urn:surgeline:problem:body_too_large"
    assert sent * 1024 <= 1024 + FILE_MARGIN_BYTES + 2 * PIECE_BYTES
    assert small.status_code == 200


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "", "text/csvx"])
async def test_other_kinds_of_body_are_no_files(api: Running, kind: str) -> None:
    answer = await api.client.post(CSV, content=FILE, headers={"Content-Type": kind})

    assert problem(answer, 415)["type"] == "urn:surgeline:problem:not_csv"


@pytest.mark.parametrize("path", [DETECT, BATCH, PREDICT, "/api/v1/whatif", "/api/v1/replays"])
async def test_no_other_path_takes_files(api: Running, path: str) -> None:
    for answer in (
        await api.client.post(path, content=FILE, headers=AS_CSV),
        await api.client.post(path, files={"file": FILE}),
    ):
        assert problem(answer, 415)["type"] == "urn:surgeline:problem:not_json"


@pytest.mark.parametrize(
    ("path", "bytes_in", "status"),
    [(DETECT, 100_000, 422), (DETECT, 200_000, 413), ("/api/v1/whatif", 100_000, 413)],
)
async def test_bodies_of_windows_may_be_larger_than_others(
    path: str, bytes_in: int, status: int
) -> None:
    body = asked(window=[], padding="x" * bytes_in)
    async with running(fakes(), ApiSettings(detect_max_bytes=150_000)) as api:
        answer = await post(api, path, body)

    assert answer.status_code == status


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"--b\r\n\r\n", id="no parts"),
        pytest.param(b"garbage", id="no form"),
        pytest.param(
            b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\nx\r\n--b--\r\n', id="text"
        ),
    ],
)
async def test_a_form_without_a_file_is_refused(api: Running, content: bytes) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    answer = await api.client.post(f"{CSV}?fleet=toy", content=content, headers=headers)

    assert answer.status_code in (400, 422), answer.text
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_form_for_which_there_is_no_room_may_be_sent_again(
    api: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(**_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("starlette.formparsers.SpooledTemporaryFile", full)
    answer = await api.client.post(f"{CSV}?fleet=toy", files={"file": ("x.csv", FILE)})

    assert "No space left on device" in problem(answer, 503)["detail"]


async def test_a_file_that_does_not_arrive_is_given_up(
    api: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.http.bodies.FILE_TIMEOUT_S", 0.01)

    async def stalls() -> AsyncIterator[bytes]:
        yield b"altitude"
        await asyncio.Event().wait()

    answer = await api.client.post(f"{CSV}?fleet=toy", content=stalls(), headers=AS_CSV)

    assert problem(answer, 408)["type"] == "urn:surgeline:problem:body_too_slow"


def kept(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def test_a_few_files_are_kept_at_a_time_and_none_stays(
    api: Running, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    go_on = asyncio.Event()

    async def waits() -> AsyncIterator[bytes]:
        yield FILE[:20].encode()
        await go_on.wait()
        yield FILE[20:].encode()

    def send(content: Any) -> Any:
        return api.client.post(f"{CSV}?fleet=toy", content=content, headers=AS_CSV)

    first = [asyncio.create_task(send(waits())) for _ in range(AT_A_TIME)]
    await eventually(lambda: len(kept(tmp_path)) == AT_A_TIME)
    one_more = await send(FILE)
    go_on.set()
    answers = await asyncio.gather(*first)

    assert problem(one_more, 503)["type"] == "urn:surgeline:problem:scoring_busy"
    assert [each.status_code for each in answers] == [200] * AT_A_TIME
    assert kept(tmp_path) == []
    assert (await send(FILE)).status_code == 200


async def test_a_file_for_which_there_is_no_room_is_503(
    api: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")

    answer = await api.client.post(f"{CSV}?fleet=toy", content=FILE, headers=AS_CSV)

    assert problem(answer, 503)["type"] == "urn:surgeline:problem:backend_unavailable"
    assert "TMPDIR" in answer.json()["detail"]


async def test_another_page_sends_no_file(api: Running) -> None:
    headers = {"Origin": "http://evil.example"}
    answer = await api.client.post(f"{CSV}?fleet=toy", files={"file": FILE}, headers=headers)

    assert problem(answer, 403)["type"] == "urn:surgeline:problem:foreign_origin"


async def test_nothing_is_stored(api: Running) -> None:
    await post(api, DETECT, asked())
    await api.client.post(f"{CSV}?fleet=toy", content=FILE, headers=AS_CSV)

    assert await api.fakes.scores.runs() == []
    assert await api.fakes.history.open_alarms({"e-7", "upload"}) == []
    assert Level.WARNING.value == (await post(api, DETECT, asked())).json()["level"]
