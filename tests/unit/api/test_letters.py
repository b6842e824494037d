"""Dead letters over HTTP: why, whose and where; not the messages themselves."""

from __future__ import annotations

import base64

import pytest

from api.adapters.memory.letters import MemoryLetterReader
from common.records.letters import DeadLetter
from tests.support.alerts import START
from tests.support.api import Fakes, running

PATH = "/api/v1/dead-letters"
SECRET = b'{"asset_id": "pump", "password": "hunter2"}'


def letter(offset: int, key: bytes | None = b"pump") -> DeadLetter:
    return DeadLetter(
        reason="missing_channel",
        message="no used sensor has a value",
        original_key=None if key is None else base64.b64encode(key).decode(),
        original=base64.b64encode(SECRET).decode(),
        original_size=len(SECRET),
        original_sha256="0" * 64,
        topic="surgeline.readings",
        partition=3,
        offset=offset,
        received_at=START,
    )


def fakes(*letters: DeadLetter) -> Fakes:
    return Fakes(letters=MemoryLetterReader(list(letters)))


async def test_each_says_why_whose_and_where_and_not_what_stood_in_it() -> None:
    async with running(fakes(letter(17))) as api:
        answer = await api.client.get(PATH)

    assert answer.json() == {
        "items": [
            {
                "position": "surgeline.readings-3-17",
                "last_offset": None,
                "received_at": "2026-01-01T00:00:00Z",
                "reason": "missing_channel",
                "message": "no used sensor has a value",
                "asset_id": "pump",
                "size": len(SECRET),
            }
        ],
        "next_cursor": None,
    }
    assert "hunter2" not in answer.text
    assert base64.b64encode(SECRET).decode() not in answer.text


async def test_pages_go_back_to_the_first() -> None:
    found: list[str] = []
    cursor: str | None = None
    async with running(fakes(*(letter(offset) for offset in range(5)))) as api:
        while cursor is not None or not found:
            params = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
            page = (await api.client.get(PATH, params=params)).json()
            found += [item["position"].rsplit("-", 1)[1] for item in page["items"]]
            cursor = page["next_cursor"]

    assert found == ["4", "3", "2", "1", "0"]


@pytest.mark.parametrize(
    ("key", "name"),
    [
        pytest.param(None, None, id="no key"),
        pytest.param(b"\xff\x00", "\\xff\x00", id="no text"),
        pytest.param(b"x" * 1024, "x" * 200, id="far too long"),
    ],
)
async def test_any_key_becomes_a_name_or_none(key: bytes | None, name: str | None) -> None:
    async with running(fakes(letter(0, key))) as api:
        answer = await api.client.get(PATH)

    assert answer.json()["items"][0]["asset_id"] == name


@pytest.mark.parametrize(
    "params",
    [
        pytest.param({"limit": "0"}, id="no letter"),
        pytest.param({"limit": "101"}, id="too many"),
        pytest.param({"cursor": "WyIiLCAxXQ"}, id="somebody else's cursor"),
        pytest.param({"asset": "pump"}, id="unknown name"),
    ],
)
async def test_what_is_asked_wrongly_is_refused(params: dict[str, str]) -> None:
    async with running(fakes(letter(0))) as api:
        assert (await api.client.get(PATH, params=params)).status_code == 422


async def test_a_broker_that_is_away_is_said() -> None:
    async with running(Fakes(letters=MemoryLetterReader(trouble="no broker"))) as api:
        answer = await api.client.get(PATH)

    assert (answer.status_code, answer.json()["detail"]) == (503, "no broker")
