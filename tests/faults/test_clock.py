"""Clocks step back or stand still, the worker's and the sources': the outcome is the same."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import time
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
from msgspec import structs

from common.records.evidence import AlertEvidence
from common.records.letters import DeadLetter
from common.records.times import utc_text
from common.records.verdicts import ScoreRecord, Verdict
from common.scorestore.factory import open_score_store
from common.scorestore.paging import position_of
from tests.support.detector import DetectorBench
from tests.support.fleet_messages import START
from tests.support.outcomes import ReplayOutcome, assert_same_outcome, outcome_of
from tests.support.servers.backends import wait_until
from tests.support.servers.outages import IMPATIENT, Replay
from tests.support.wall_clock import WallClock

HOUR_S = 3600


def source_clock(asset_id: str, cycle: int) -> datetime:
    """What a source's bad clock says: by asset, it stands still, steps back, or runs backwards."""
    seconds = (0, cycle - HOUR_S * (cycle > 50), -cycle)
    return START + timedelta(seconds=seconds[int(asset_id[-3:]) % len(seconds)])


TS = re.compile(rb'"ts":"[^"]*"')


def reclocked(value: bytes, clock: Callable[[str, int], datetime]) -> bytes:
    """Return a reading's bytes with its time as a clock shows it, all else untouched."""
    fields = json.loads(value)
    ts = utc_text(clock(fields["asset_id"], fields["cycle"]))
    return TS.sub(f'"ts":"{ts}"'.encode(), value)


def true_clock(asset_id: str, cycle: int) -> datetime:
    """What a good clock would have shown."""
    return START + timedelta(seconds=cycle)


def badly_clocked(message: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
    """Return the reading as an asset with a bad clock would have sent it."""
    key, value = message
    return key, reclocked(value, source_clock)


def truly_clocked(outcome: ReplayOutcome) -> ReplayOutcome:
    """Return an outcome of badly clocked readings as it would be, had their clocks been true."""
    verdicts = []
    for verdict in outcome.verdicts:
        assert verdict.ts == source_clock(verdict.asset_id, verdict.cycle)
        verdicts.append(structs.replace(verdict, ts=true_clock(verdict.asset_id, verdict.cycle)))
    alerts = {}
    for alert_id, alert in outcome.alerts.items():
        assert alert.ts == source_clock(alert.asset_id, alert.cycle)
        ts = true_clock(alert.asset_id, alert.cycle)
        alerts[alert_id] = alert.model_copy(update={"ts": ts})
    evidence = {name: _evidence_of_true_clocks(item) for name, item in outcome.evidence.items()}
    letters = {place: _truly_clocked(letter) for place, letter in outcome.dead_letters.items()}
    return replace(
        outcome,
        verdicts=sorted(verdicts, key=position_of),
        alerts=alerts,
        evidence=evidence,
        dead_letters=letters,
    )


def _evidence_of_true_clocks(evidence: AlertEvidence) -> AlertEvidence:
    window, asset_id = evidence.window, evidence.asset_id
    cycles = [cycle for cycle in window.cycles if cycle is not None]
    assert window.ts == tuple(source_clock(asset_id, cycle) for cycle in cycles)
    ts = tuple(true_clock(asset_id, cycle) for cycle in cycles)
    return evidence.model_copy(
        update={
            "ts": true_clock(asset_id, evidence.cycle),
            "window": window.model_copy(update={"ts": ts}),
        }
    )


def _truly_clocked(letter: DeadLetter) -> DeadLetter:
    came = base64.b64decode(letter.original)
    assert letter.original_sha256 == hashlib.sha256(came).hexdigest()
    meant = reclocked(came, true_clock)
    return letter.model_copy(
        update={
            "message": letter.message.replace(f"{len(came):,}", f"{len(meant):,}"),
            "original": base64.b64encode(meant).decode(),
            "original_size": len(meant),
            "original_sha256": hashlib.sha256(meant).hexdigest(),
        }
    )


def step(clock: WallClock, bench: DetectorBench, off_by_s: int) -> None:
    """Set the worker's clock; return when its status page is dated by it."""
    clock.set(off_by_s)

    def has_stepped() -> bool:
        with urllib.request.urlopen(f"http://127.0.0.1:{bench.http_port}/health") as answer:
            there = parsedate_to_datetime(answer.headers["Date"]).timestamp()
        return abs(there - time.time() - off_by_s) < 60

    wait_until(has_stepped, f"the worker's clock is {off_by_s} s off")


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param((-HOUR_S,), id="an hour back"),
        pytest.param((HOUR_S, 0), id="an hour forward, then back"),
    ],
)
async def test_a_worker_whose_clock_steps_comes_to_the_same_outcome(
    bench: DetectorBench, tmp_path: Path, replay: Replay, steps: tuple[int, ...]
) -> None:
    clock = WallClock(tmp_path)
    part = len(replay.messages) // (len(steps) + 1)
    with bench.running(**IMPATIENT, **clock.variables):
        await bench.send(replay.messages[:part])
        for number, off in enumerate(steps, start=1):
            await bench.wait_for_verdicts(number * part - part // 2)
            step(clock, bench, off)
            end = None if number == len(steps) else (number + 1) * part
            await bench.send(replay.messages[number * part : end])
        await bench.settled()

    assert_same_outcome(await outcome_of(bench), replay.undisturbed)


@pytest.mark.parametrize("backend", ["sqlite", "influx"])
async def test_sources_whose_clocks_step_back_or_stand_still_come_to_the_same_outcome(
    bench: DetectorBench, replay: Replay, backend: str, request: pytest.FixtureRequest
) -> None:
    if backend == "influx":
        bench.scores = request.getfixturevalue("influx").new_bucket()
    with bench.running(**IMPATIENT):
        await bench.send([badly_clocked(message) for message in replay.messages])
        await bench.settled()

    assert_same_outcome(truly_clocked(await outcome_of(bench)), replay.undisturbed)


@pytest.mark.parametrize("backend", ["sqlite", "influx"])
async def test_a_source_whose_clock_stands_still_for_thousands_of_cycles_keeps_every_verdict(
    bench: DetectorBench, backend: str, request: pytest.FixtureRequest
) -> None:
    if backend == "influx":
        bench.scores = request.getfixturevalue("influx").new_bucket()
    verdicts = [
        ScoreRecord("engine-1", "run-1", cycle, START, Verdict.WARMING_UP, "fd001@1")
        for cycle in range(1, 3501)
    ]
    async with open_score_store(bench.scores) as store:
        for begin in range(0, len(verdicts), 700):
            await store.write(verdicts[begin : begin + 700])

    assert await bench.verdicts() == verdicts
    assert await bench.verdict_total() == len(verdicts)
