"""Everything but the broker is wiped and restored from a backup: nothing is lost or done twice.

What is backed up: Redis' file, the score store's file, the alert history's file. The topics are
not: they are the broker's to keep, and states can be rebuilt from them.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from aiokafka import TopicPartition
from aiokafka.structs import OffsetAndMetadata
from redis import Redis

from common.intake.consumer import IntakeConsumer
from common.links.kafka import started
from common.settings import RedisSettings, ScoreStoreSettings
from deploy.local.programs import free_port, valkey_command
from tests.support.api_process import ApiProcess
from tests.support.detector import DetectorBench
from tests.support.outcomes import ReplayOutcome, assert_same_outcome, outcome_of
from tests.support.servers.backends import build, wait_until
from tests.support.servers.own_server import OwnServer

Messages = list[tuple[bytes, bytes]]

SMALL_BATCHES = {"SURGELINE_DETECTOR__MAX_BATCH_ROWS": "50"}


@dataclass
class Installation:
    """A detector and an api, and the files behind them.

    Attributes:
        bench: The detector.
        api: The api, on the same score store.
        valkey: The Redis-protocol server with the states.
        folder: Where the files of all are.
        backup: Where copies of them go.
    """

    bench: DetectorBench
    api: ApiProcess
    valkey: OwnServer
    folder: Path
    backup: Path

    @property
    def databases(self) -> tuple[Path, Path]:
        """The score store's file and the alert history's."""
        return self.folder / "scores.db", self.folder / "alerts.db"

    @property
    def states(self) -> Path:
        """What Redis saves, and loads when it starts."""
        return self.folder / "dump.rdb"

    def back_up(self) -> None:
        """Copy everything, while nothing runs but the servers."""
        with Redis(port=self.valkey.port) as redis:
            redis.save()
        shutil.copy(self.states, self.backup)
        for file in self.databases:
            # not by copying the file: what was written last may stand in the one beside it (WAL)
            with (
                closing(sqlite3.connect(file)) as source,
                closing(sqlite3.connect(self.backup / file.name)) as copy,
            ):
                source.backup(copy)

    def lose_all_and_restore(self) -> None:
        """Delete every file, also what Redis has in memory, and put the copies in their place."""
        with self.valkey.killed():
            self.states.unlink()
            for file in self.databases:
                for part in self.folder.glob(f"{file.name}*"):
                    part.unlink()
            shutil.copy(self.backup / self.states.name, self.states)
            for file in self.databases:
                shutil.copy(self.backup / file.name, file)

    async def taken_in(self, messages: Messages) -> None:
        """Send messages through a worker, and stop it once all is done."""
        with self.bench.running(**SMALL_BATCHES):
            await self.bench.send(messages)
            await self.bench.settled()

    async def gone_back_to_the_beginning(self) -> None:
        """Set the group's offsets to the topic's beginning: kafka-consumer-groups.sh does it too.

        No worker may run meanwhile.
        """
        topic = self.bench.topics.readings
        consumer = IntakeConsumer(
            bootstrap_servers=self.bench.kafka.bootstrap_servers,
            group_id=self.bench.group_id,
            enable_auto_commit=False,
        )
        numbers = range(self.bench.kafka.partitions)
        async with started(consumer):
            consumer.assign([TopicPartition(topic, number) for number in numbers])
            await consumer.commit(
                {TopicPartition(topic, number): OffsetAndMetadata(0, "") for number in numbers}
            )

    def alerts_in_history(self, count: int) -> list[str]:
        """Run the api until its history has that many alerts, and return their ids."""
        self.api.start()
        try:
            found: list[str] = []

            def all_there() -> bool:
                found[:] = self._alert_ids()
                return len(found) >= count

            wait_until(all_there, f"{count} alerts in the history")
            return found
        finally:
            assert self.api.stop() == 0

    def _alert_ids(self) -> list[str]:
        found: list[str] = []
        cursor: str | None = None
        while True:
            params = {"limit": "200"} | ({"cursor": cursor} if cursor else {})
            page = httpx.get(f"{self.api.url}/api/v1/alerts", params=params, trust_env=False)
            page.raise_for_status()
            found += [item["alert_id"] for item in page.json()["items"]]
            cursor = page.json()["next_cursor"]
            if not cursor:
                return found


@pytest.fixture
def installation(bench: DetectorBench, tmp_path: Path) -> Iterator[Installation]:
    """An installation with a Valkey of its own."""
    folder, backup = tmp_path / "live", tmp_path / "backup"
    folder.mkdir()
    backup.mkdir()
    port = free_port()
    command = build(lambda: valkey_command(port, folder))
    bench.redis = RedisSettings.model_validate({"url": f"redis://127.0.0.1:{port}/0"})
    bench.scores = ScoreStoreSettings(sqlite_path=folder / "scores.db")
    api = ApiProcess(bench.kafka, folder)
    with OwnServer(command, port, tmp_path / "valkey.log").running() as valkey:
        try:
            yield Installation(bench, api, valkey, folder, backup)
        finally:
            api.kill()


async def test_stopped_backed_up_wiped_restored_and_continued_nothing_has_changed(
    installation: Installation, messages: Messages, undisturbed: ReplayOutcome
) -> None:
    half = len(messages) // 2
    await installation.taken_in(messages[:half])
    early = {alert.alert_id for alert in await installation.bench.alerts()}
    assert early
    assert set(installation.alerts_in_history(len(early))) == early

    installation.back_up()
    installation.lose_all_and_restore()
    await installation.taken_in(messages[half:])

    assert "rebuilt from the topic" not in installation.bench.log()
    assert_same_outcome(await outcome_of(installation.bench), undisturbed)
    history = installation.alerts_in_history(len(undisturbed.alerts))
    assert sorted(history) == sorted(undisturbed.alerts)


async def test_a_backup_from_before_the_last_readings_is_brought_up_to_date_from_the_topic(
    installation: Installation, messages: Messages, undisturbed: ReplayOutcome
) -> None:
    third = len(messages) // 3
    await installation.taken_in(messages[:third])
    installation.alerts_in_history(0)
    installation.back_up()
    await installation.taken_in(messages[third : 2 * third])  # none of it is in the backup
    before = len(await installation.bench.alerts())
    installation.alerts_in_history(before)

    installation.lose_all_and_restore()
    await installation.gone_back_to_the_beginning()
    await installation.taken_in(messages[2 * third :])

    assert_same_outcome(await outcome_of(installation.bench), undisturbed)
    history = installation.alerts_in_history(len(undisturbed.alerts))
    assert sorted(history) == sorted(undisturbed.alerts)


async def test_without_going_back_the_verdicts_after_the_backup_stay_lost(
    installation: Installation, messages: Messages
) -> None:
    """So the page tells operators to go back: the states alone come back by themselves."""
    third = len(messages) // 3
    await installation.taken_in(messages[:third])
    installation.alerts_in_history(0)
    installation.back_up()
    await installation.taken_in(messages[third : 2 * third])

    installation.lose_all_and_restore()
    await installation.taken_in(messages[2 * third :])

    assert "states are rebuilt from the topic" in installation.bench.log()
    assert await installation.bench.verdict_total() == len(messages) - third
