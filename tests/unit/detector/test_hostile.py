"""Whatever a record holds: a verdict or a dead letter, and every output can be written."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from common.records.alerts import Alert
from common.records.letters import DeadLetter
from common.scorestore.batch import gather
from common.scorestore.influx.lines import repeat_lines, verdict_lines
from common.scorestore.sqlite.store import SqliteScoreStore
from detector.adapters.source_records import source_records
from detector.core.policy import InputPolicy
from tests.support.builders import MeanScorer, reading
from tests.support.world import World

SOUND = json.loads(reading(1).to_json())
USED = ("T24", "T30", "T50")
MAX_BYTES = 4096

texts = st.text(max_size=60)
numbers = st.one_of(
    st.integers(),
    st.floats(),
    st.sampled_from([2**63, 10**400, -(10**400), 1e308, 5e-324, 0, -1, 2**31, 2**31 - 1]),
)
anything = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, texts),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
stamps = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.sampled_from([-1, 0, 1767225600000000, 1767225600, 253402300800000, 2**63 - 1]),
)
keys = st.one_of(st.none(), st.binary(max_size=3000), st.just(b"engine-1"), st.just(b"\x1b[31m"))
times = st.one_of(
    anything,
    st.datetimes().map(str),
    st.sampled_from(
        ["86400", "1e9", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999+23:59",
         "1969-12-31T23:59:59Z", "2262-01-01T00:00:00Z", "2026-01-01", "2026-06-31T00:00:00Z",
         "2026-01-01T00:00:00", "2026-01-01T24:00:00Z", "2026-01-01T00:00:60Z"]
    ),
)  # fmt: skip


def _json(value: Any) -> bytes:
    return json.dumps(value, allow_nan=True).encode(errors="surrogatepass")


@st.composite
def messages(draw: st.DrawFn) -> bytes | None:
    """A reading with any of its fields spoiled, or bytes that are none."""
    kind = draw(st.sampled_from(["bytes", "json", "field", "sensor", "setting", "cut", "escape"]))
    if kind == "bytes":
        return draw(st.one_of(st.none(), st.binary(max_size=MAX_BYTES + 10)))
    if kind == "json":
        return _json(draw(anything))
    message = json.loads(json.dumps(SOUND))
    field = draw(st.sampled_from([*SOUND, "x" * 500, "\x1b[2J", "ä"]))
    if kind == "sensor":
        message["sensors"][draw(st.one_of(st.sampled_from(USED), texts))] = draw(anything)
    elif kind == "setting":
        message["settings"][draw(st.one_of(st.just("mach"), texts))] = draw(anything)
    else:
        message[field] = draw(times if field == "ts" else anything)
    body = _json(message)
    if kind == "escape":
        place = draw(st.integers(0, len(body)))
        body = (
            body[:place]
            + draw(st.sampled_from([b"\\ud800", b"\\u0000", b"\xff", b"\n"]))
            + (body[place:])
        )
    return body[: draw(st.integers(0, len(body)))] if kind == "cut" else body


class Raw:
    """A record as the driver hands it over."""

    def __init__(self, offset: int, timestamp: Any, key: Any, value: Any) -> None:
        self.topic, self.partition, self.offset = "readings", 0, offset
        self.timestamp, self.key, self.value = timestamp, key, value


records = st.lists(st.tuples(stamps, keys, messages()), min_size=1, max_size=6)


@settings(max_examples=150, deadline=None)
@given(records)
async def test_every_record_gets_a_verdict_or_a_dead_letter_that_can_be_written(
    drawn: list[tuple[int | None, bytes | None, bytes | None]],
) -> None:
    policy = InputPolicy(MAX_BYTES, bridge_cycles=0)
    world = World()
    raw = [Raw(offset, *item) for offset, item in enumerate(drawn)]
    world.topic[0] = source_records(raw)
    world.history.records = world.topic[0]

    worker = world.worker(inputs=policy)
    await worker.service.process(world.everything())

    letters = world.publisher.dead_letters
    assert "internal_error" not in {letter.reason for letter in letters}
    rows = await world.rows()
    assert len(letters) + len(rows) + worker.metric(
        "surgeline_verdicts_total", status="duplicate"
    ) + worker.metric("surgeline_verdicts_total", status="late") == len(drawn)
    for letter in letters:
        assert DeadLetter.model_validate_json(letter.to_json()) == letter
        assert len(letter.to_json()) < 1_000_000
        assert len(letter.message) <= 1000


async def _through_every_sink(world: World, folder: Path) -> None:
    """Write the rows as all stores would."""
    written: list[Any] = []
    keep = world.scores.write

    async def write(records: Any, finals: Any = ()) -> None:
        assert not finals
        written.extend(records)
        await keep(records)

    world.scores.write = write  # type: ignore[method-assign]
    await world.worker().service.process(world.everything())
    batch = gather(written)
    for run in batch.verdicts.values():
        verdict_lines(run.values())
    repeat_lines(batch.repeats.values())
    path = folder / "scores.db"
    path.unlink(missing_ok=True)
    async with SqliteScoreStore(path, 10) as store:
        await store.write(written)
    with sqlite3.connect(path) as connection:
        rows = connection.execute("SELECT count(*) FROM verdict").fetchone()[0]
        rows += connection.execute("SELECT count(*) FROM repeat").fetchone()[0]
    assert rows == len({(w.asset_id, w.run_id, w.cycle) for w in written if not
                        w.status.of_message}) + len(batch.repeats)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(records)
def test_every_row_can_be_written_to_every_store(
    tmp_path_factory: pytest.TempPathFactory,
    drawn: list[tuple[int | None, bytes | None, bytes | None]],
) -> None:
    import asyncio

    world = World()
    raw = [Raw(offset, *item) for offset, item in enumerate(drawn)]
    raw += [Raw(len(raw), 1767225600000000, b"engine-1", reading(1).to_json())] * 2
    world.topic[0] = source_records(raw)
    world.history.records = world.topic[0]

    asyncio.run(_through_every_sink(world, tmp_path_factory.mktemp("sink")))


STRANGE = [
    pytest.param(None, id="null"),
    pytest.param(float("nan"), id="nan"),
    pytest.param("broken", id="a word"),
    pytest.param([1, {"a": None}], id="a list"),
    pytest.param(10**400, id="an integer no float holds"),
    pytest.param(True, id="true"),
]


@pytest.mark.parametrize("value", STRANGE)
@pytest.mark.parametrize("name", ["P2", "no such sensor", "x" * 300])
async def test_what_the_model_does_not_use_never_refuses_a_reading(name: str, value: Any) -> None:
    world = World()
    message = json.loads(reading(1).to_json())
    message["sensors"][name] = value
    world.send([json.dumps(message).encode()])
    world.topic[0] = [structs.replace(item, key=b"engine-1") for item in world.topic[0]]

    await world.worker().service.process(world.everything())

    assert await world.counts() == {"warming_up": 1}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "missing_channel"),
        (float("nan"), "missing_channel"),
        (float("-inf"), "missing_channel"),
        ("645", "schema"),
        (True, "schema"),
        ([645], "schema"),
        (10**400, "out_of_range"),
        (1.7e308, "out_of_range"),
        (-2e18, "out_of_range"),
    ],
)
async def test_what_it_uses_must_be_a_number(value: Any, reason: str) -> None:
    world = World()
    message = json.loads(reading(1, 645.0).to_json())
    message["sensors"]["T24"] = value
    world.send([json.dumps(message).encode()])
    world.topic[0] = [structs.replace(item, key=b"engine-1") for item in world.topic[0]]

    await world.worker().service.process(world.everything())

    assert [letter.reason for letter in world.publisher.dead_letters] == [reason]
    assert "T24" in world.publisher.dead_letters[0].message
    assert await world.counts() == {"rejected": 1}


@pytest.mark.parametrize("ts", ["86400", "0", "1767225600", "1767225600000", 86400, "+86400", ""])
async def test_a_time_that_is_digits_alone_is_a_dead_letter(ts: Any) -> None:
    world = World()
    world.send([json.dumps({**SOUND, "ts": ts}).encode()])

    await world.worker().service.process(world.everything())

    (letter,) = world.publisher.dead_letters
    assert letter.reason == "schema"
    assert "2026-01-31T12:00:00Z is expected" in letter.message


@pytest.mark.parametrize("stamp", [1767225600000000, -5, 2**62, None])
async def test_a_stamp_that_is_no_time_spoils_neither_a_reading_nor_a_dead_letter(
    stamp: int | None,
) -> None:
    world = World()
    raw = [
        Raw(0, stamp, b"engine-1", reading(1).to_json()),
        Raw(1, stamp, b"engine-1", b"{not json"),
    ]
    world.topic[0] = source_records(raw)
    worker = world.worker()

    await worker.service.process(world.everything())

    assert await world.counts() == {"warming_up": 1}
    assert [letter.received_at for letter in world.publisher.dead_letters] == [None]
    assert worker.metric("surgeline_latency_seconds_count") == 0


def test_alerts_of_any_version_are_read() -> None:
    scorer = MeanScorer()
    old = {
        "schema_version": 1, "alert_id": "a", "alarm_id": "b", "asset_id": "e", "run_id": "r",
        "level": "warning", "state": "raised", "onset_cycle": 1, "cycle": 2,
        "ts": "2026-01-01T00:00:00Z", "score": 1.0, "threshold": 1.0, "channels": [],
        "model": scorer.spec.ref.model_dump(), "reason": "",
    }  # fmt: skip

    assert Alert.model_validate_json(json.dumps(old)).alarm_sequence == 0
