"""Redis restarted empty in the middle of a replay changes nothing that anyone can see."""

from __future__ import annotations

from tests.support.detector import DetectorBench
from tests.support.lost_states import forget_everything, forget_some_states
from tests.support.outcomes import ReplayOutcome, assert_same_outcome, outcome_of

SMALL_BATCHES = {"SURGELINE_DETECTOR__MAX_BATCH_ROWS": "100"}


async def test_states_lost_while_the_worker_runs_are_rebuilt(
    bench: DetectorBench, messages: list[tuple[bytes, bytes]], undisturbed: ReplayOutcome
) -> None:
    thirds = len(messages) // 3

    with bench.running(**SMALL_BATCHES):
        for part in range(3):
            begin, end = part * thirds, len(messages) if part == 2 else (part + 1) * thirds
            await bench.send(messages[begin:end])
            await bench.wait_for_verdicts(begin + (end - begin) // 2)
            assert await forget_everything(bench) > 0
        await bench.settled()

    assert "states are rebuilt from the topic" in bench.log()
    assert_same_outcome(await outcome_of(bench), undisturbed)


async def test_states_lost_while_no_worker_runs_are_rebuilt(
    bench: DetectorBench, messages: list[tuple[bytes, bytes]], undisturbed: ReplayOutcome
) -> None:
    half = len(messages) // 2
    with bench.running():
        await bench.send(messages[:half])
        await bench.settled()
    await forget_everything(bench)

    with bench.running():
        await bench.send(messages[half:])
        await bench.settled()

    assert_same_outcome(await outcome_of(bench), undisturbed)


async def test_single_states_lost_while_a_worker_runs_are_rebuilt(
    bench: DetectorBench, messages: list[tuple[bytes, bytes]], undisturbed: ReplayOutcome
) -> None:
    thirds = len(messages) // 3

    with bench.running(**SMALL_BATCHES):
        for part in range(3):
            begin, end = part * thirds, len(messages) if part == 2 else (part + 1) * thirds
            await bench.send(messages[begin:end])
            await bench.wait_for_verdicts(begin + (end - begin) // 2)
            assert await forget_some_states(bench) > 0
        await bench.settled()

    assert "states are lost, or older than they were" in bench.log()
    assert_same_outcome(await outcome_of(bench), undisturbed)
