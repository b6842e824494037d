"""Databases are readable by their owner alone, whatever the umask."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from api.adapters.sql.alerts.history import SqlAlertHistory
from api.adapters.sql.database import open_database
from common.scorestore.sqlite.store import SqliteScoreStore
from common.settings import AlertHistorySettings
from tests.support.alerts import batch, make_alert
from tests.support.api import score


@pytest.fixture(params=[0, 0o022, 0o077], ids=["umask 000", "umask 022", "umask 077"])
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def modes(folder: Path) -> dict[str, int]:
    found = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    return found | {".": stat.S_IMODE(folder.stat().st_mode)}


@pytest.mark.usefixtures("umask")
async def test_the_score_store_and_its_log_are_private(tmp_path: Path) -> None:
    folder = tmp_path / "scores"
    async with SqliteScoreStore(folder / "scores.db", 5) as store:
        await store.write([score(1)])
        found = modes(folder)

    assert set(found) == {".", "scores.db", "scores.db-wal", "scores.db-shm"}
    assert found.pop(".") == 0o700
    assert set(found.values()) == {0o600}


@pytest.mark.usefixtures("umask")
async def test_the_alert_history_and_its_log_are_private(tmp_path: Path) -> None:
    settings = AlertHistorySettings(url=SecretStr(f"sqlite+aiosqlite:///{tmp_path}/alerts.db"))
    async with open_database(settings) as engine:
        await SqlAlertHistory(engine).store(batch([make_alert()]))
        found = modes(tmp_path)
        found.pop(".")

    assert {"alerts.db", "alerts.db-wal", "alerts.db-shm"} <= set(found)
    assert set(found.values()) == {0o600}


async def test_a_file_that_is_there_keeps_its_rights(tmp_path: Path) -> None:
    path = tmp_path / "scores.db"
    path.touch()
    path.chmod(0o640)

    async with SqliteScoreStore(path, 5) as store:
        await store.write([score(1)])

    assert modes(tmp_path)["scores.db"] == 0o640
