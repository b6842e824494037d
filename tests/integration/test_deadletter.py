"""Dead letters on a real broker: listed, shown, and sent again to a real detector."""

from __future__ import annotations

import json

from common.links.kafka import read_to_end
from common.records.letters import MAX_ORIGINAL_BYTES
from common.records.verdicts import Verdict
from producer.simulator.simulate import simulate
from tests.support.builders import sound_reading
from tests.support.detector import DetectorBench
from tests.support.fleet_messages import asset_name, fleet_messages
from tests.support.tools import surgeline

RUN = "run-1"
FLEET = simulate(2, seed=5, split="train")
FAT, SLIM = (asset_name(FLEET, unit) for unit in (1, 2))


def chatty(value: bytes) -> bytes:
    """The same reading from a gateway that adds its own diagnostics; readings may have extras."""
    return json.dumps({**json.loads(value), "gateway_log": "." * 4000}).encode()


async def test_readings_over_the_limit_get_their_verdicts_once_it_is_raised(
    bench: DetectorBench,
) -> None:
    messages = [
        (key, chatty(value) if key == FAT.encode() else value)
        for key, value in fleet_messages(FLEET, RUN)
    ]
    fat, total = len(FLEET.engines[0]), len(messages)
    with bench.running(SURGELINE_DETECTOR__INPUT__MAX_READING_BYTES="2048"):
        await bench.send(messages)
        await bench.settled()
    listed = await surgeline(bench, "deadletter", "list", "--asset", FAT, "--latest", "3")
    dry = await surgeline(bench, "deadletter", "retry", "--reason", "too_large")
    sent_by_dry = sum([1 async for _ in read_to_end(bench.kafka, bench.topics.readings)]) - total

    with bench.running():
        sent = await surgeline(
            bench, "deadletter", "retry", "--reason", "too_large", "--asset", FAT, "--yes"
        )
        await bench.settled()

    assert ["too_large", str(fat)] in [line.split() for line in listed.stdout.splitlines()]
    assert f"The latest 3 of {fat}" in listed.stdout
    assert "Nothing was sent" in dry.stdout
    assert sent_by_dry == 0
    assert sent.returncode == 0, sent.stderr
    assert f"{fat} sent" in sent.stdout
    assert await bench.verdict_total() == total + fat
    verdicts = [row for row in await bench.verdicts() if row.asset_id == FAT]
    assert [row.cycle for row in verdicts] == list(range(1, fat + 1))
    assert sum(row.status is Verdict.SCORED for row in verdicts) == fat - 29
    assert {alert.asset_id for alert in await bench.alerts()} == {FAT, SLIM}
    parity = await surgeline(bench, "parity", "--run-id", RUN)
    # the letters' first tries were rejected under a limit that no longer holds; now they are usable
    assert "0 missing, 0 extra" in parity.stdout


async def test_a_message_bad_only_in_its_key_is_rekeyed(bench: DetectorBench) -> None:
    good = [sound_reading(cycle) for cycle in (1, 2, 3)]
    key = good[0].asset_id.encode()

    with bench.running():
        await bench.send(
            [(key, good[0].to_json()), (key, good[1].to_json()), (None, good[2].to_json())]
        )
        await bench.settled()
        [letter] = await bench.dead_letters()
        position = f"{letter.partition}-{letter.offset}"
        shown = await surgeline(bench, "deadletter", "show", position)
        same = await surgeline(bench, "deadletter", "retry", position)
        await bench.settled()
        mended = await surgeline(bench, "deadletter", "retry", position, "--rekey")
        await bench.settled()

    assert "key_mismatch" in shown.stdout
    assert '"cycle": 3' in shown.stdout
    assert "possible" in shown.stdout
    assert same.returncode == mended.returncode == 0, same.stderr + mended.stderr
    assert [row.cycle for row in await bench.verdicts()] == [1, 2, 3]
    # sent under the same wrong key it became a dead letter anew, at another place
    assert await bench.verdict_total() == 5
    letters = await bench.dead_letters()
    assert len(letters) == 2
    assert len({(item.partition, item.offset) for item in letters}) == 2
    assert letters[0].original_sha256 == letters[1].original_sha256


async def test_cut_and_empty_messages_are_refused_and_binary_is_shown_in_hex(
    bench: DetectorBench,
) -> None:
    with bench.running():
        await bench.send(
            [
                (b"engine-1", b"x" * (MAX_ORIGINAL_BYTES + 1)),
                (b"engine-1", None),
                (b"engine-1", bytes(range(200, 256))),
                (b"engine-1", sound_reading(1).to_json()),
            ]
        )
        await bench.settled()
        letters = await bench.dead_letters()
        before = [r async for r in read_to_end(bench.kafka, bench.topics.readings)]
        refused = await surgeline(
            bench, "deadletter", "retry",
            *[f"{item.partition}-{item.offset}" for item in letters[:2]], "--yes",
        )  # fmt: skip
        after = [r async for r in read_to_end(bench.kafka, bench.topics.readings)]
    shown = await surgeline(
        bench, "deadletter", "show", f"{letters[2].partition}-{letters[2].offset}"
    )

    assert await bench.verdict_total() == 1
    assert [item.reason for item in letters] == ["too_large", "empty", "not_utf8"]
    assert refused.returncode == 1
    assert "it is cut" in refused.stderr
    assert "it is empty" in refused.stderr
    assert len(after) == len(before)
    assert "00000000  c8 c9 ca" in shown.stdout


async def test_mistakes_are_one_line(bench: DetectorBench) -> None:
    await bench.send([])

    results = [
        await surgeline(bench, "deadletter", "retry"),
        await surgeline(bench, "deadletter", "retry", "--all"),
        await surgeline(bench, "deadletter", "show", "0-0"),
        await surgeline(bench, "deadletter", "list", "--since", "yesterday"),
    ]
    empty = await surgeline(bench, "deadletter", "list")

    assert [result.returncode for result in results] == [2, 2, 2, 2]
    assert "Which letters?" in results[0].stderr
    assert results[1].stderr == "error: No dead letters.\n"
    assert "none at all" in results[2].stderr
    assert "--since 'yesterday'" in results[3].stderr
    assert (empty.returncode, empty.stdout.strip()) == (0, "No dead letters.")
