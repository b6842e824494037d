"""A partition's ledger: whose state is lost, and that a new asset is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from detector.core.ledger import (
    entries,
    entry_key,
    entry_name,
    losses,
    pack_entry,
    reached,
    survivors,
    unpack_entry,
)
from detector.core.pipeline import NextState
from detector.core.state.asset import MAX_FORMER_HOMES, AssetState, Fence, fresh_state
from detector.core.state.progress import unpack_progress
from tests.support.builders import MeanScorer, fleet_of, reading
from tests.support.world import World

KEY, OTHER = ("engine-1", "run-1"), ("engine-2", "run-1")
texts = st.text(max_size=8) | st.text("1:ab", max_size=6)


def state(*homes: Fence) -> AssetState:
    """Return a state at home at the last of these."""
    return replace(fresh_state(fleet_of(MeanScorer())), fence=homes[-1], former=homes[:-1])


@given(texts, texts)
def test_a_name_says_whose_entry_it_is(asset_id: str, run_id: str) -> None:
    assert entry_key(entry_name((asset_id, run_id))) == (asset_id, run_id)


@given(texts, texts, texts, texts)
def test_no_two_assets_share_a_name(one: str, its: str, other: str, others: str) -> None:
    if (one, its) != (other, others):
        assert entry_name((one, its)) != entry_name((other, others))


@pytest.mark.parametrize("name", ["", ":", "#progress", "1", "x:a:b", "-1:a:b", "9:a:b", "1:ab"])
def test_a_foreign_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is not the name of an entry"):
        entry_key(name)


@given(st.integers(0, 2**62), st.integers(0, 2**32 - 1), st.binary(max_size=20))
def test_an_entry_is_read_as_it_was_written_whatever_stands_behind_it(
    next_offset: int, life: int, behind: bytes
) -> None:
    fence = Fence(3, next_offset, life)
    assert unpack_entry(pack_entry(fence) + behind, 3) == fence


def test_an_entry_that_is_cut_off_is_refused() -> None:
    with pytest.raises(ValueError, match="an entry of a ledger has 11 bytes"):
        unpack_entry(pack_entry(Fence(3, 7))[:11], 3)


FULL = [Fence(10 + number, 1) for number in range(MAX_FORMER_HOMES)]


@pytest.mark.parametrize(
    ("stored", "far"),
    [
        pytest.param(None, -1, id="there is none"),
        pytest.param(state(Fence(2, 90)), 90, id="at home"),
        pytest.param(state(Fence(2, 90), Fence(5, 3)), 90, id="at home before"),
        pytest.param(state(Fence(2, 90), Fence(5, 3), Fence(2, 95)), 95, id="at home again"),
        pytest.param(state(Fence(5, 300)), -1, id="never at home here"),
        pytest.param(state(Fence(2, 90, 1)), -1, id="at home in another life"),
        pytest.param(state(*FULL, Fence(5, 3)), 100, id="may have forgotten it"),
        pytest.param(state(*FULL[1:], Fence(5, 3)), -1, id="has forgotten nothing"),
    ],
)
def test_a_state_says_how_far_it_reaches_on_a_partition(
    stored: AssetState | None, far: int
) -> None:
    assert reached(stored, Fence(2, 100)) == far


@pytest.mark.parametrize(
    ("stored", "lost"),
    [
        pytest.param({}, {KEY: -1}, id="gone"),
        pytest.param({KEY: state(Fence(2, 99))}, {KEY: 99}, id="older"),
        pytest.param({KEY: state(Fence(2, 100))}, {}, id="as it was"),
        pytest.param({KEY: state(Fence(2, 130))}, {}, id="further, after a crash"),
    ],
)
def test_a_state_that_does_not_reach_as_far_as_the_ledger_says_is_lost(
    stored: dict[tuple[str, str], AssetState], lost: dict[tuple[str, str], int]
) -> None:
    assert losses({KEY: Fence(2, 100)}, stored, life=0) == lost
    assert losses({KEY: Fence(2, 100)}, stored, life=1) == {}  # the topic was made anew


def test_of_what_the_ledger_says_nothing_nothing_is_lost() -> None:
    assert losses({}, {KEY: state(Fence(2, 4))}, life=0) == {}


def test_a_ledger_speaks_of_states_at_home_alone() -> None:
    here, there = state(Fence(2, 7)), state(Fence(5, 7))
    written = {KEY: NextState(here, Fence()), OTHER: NextState(there, Fence())}

    assert entries(written, 2) == {KEY: Fence(2, 7)}
    assert survivors({KEY: here, OTHER: there}, (), 2) == {KEY: Fence(2, 7)}
    assert survivors({KEY: here, OTHER: there}, [KEY], 2) == {}


FLIGHT = [reading(cycle, 643.0, f"engine-{number}") for cycle in range(1, 6) for number in range(3)]


async def flown() -> World:
    """Return a world in which three engines have flown five cycles."""
    world = World()
    world.send(FLIGHT)
    await world.worker().service.process(world.everything())
    return world


async def test_a_new_asset_costs_no_rebuild() -> None:
    world = await flown()
    end = len(FLIGHT)
    world.send([reading(1, 643.0, "engine-9")])
    worker = world.worker()

    await worker.service.process(world.fetch({0: (end, end + 1)}))

    assert world.history.reads == []
    assert worker.metric("surgeline_lost_states_total") == 0


async def test_a_lost_state_is_rebuilt_with_all_that_were_lost_with_it() -> None:
    world = await flown()
    whole = dict(world.states.values)
    end = len(FLIGHT)
    world.send([reading(6, 643.0, "engine-0"), reading(6, 643.0, "engine-1")])
    for number in range(2):
        del world.states.values[f"engine-{number}", "run-1"]
    worker = world.worker()

    await worker.service.process(world.fetch({0: (end, end + 1)}))
    assert world.states.values["engine-1", "run-1"] == whole["engine-1", "run-1"]
    await worker.service.process(world.fetch({0: (end + 1, end + 2)}))

    assert world.history.reads == [(0, 0, end)]
    assert worker.metric("surgeline_lost_states_total") == 1
    assert worker.metric("surgeline_rebuilds_total") == 1


async def test_an_older_state_is_rebuilt_from_where_it_stands() -> None:
    world = World()
    world.send(FLIGHT)
    worker = world.worker()
    await worker.service.process(world.fetch({0: (0, 6)}))
    older = dict(world.states.values)
    await worker.service.process(world.fetch({0: (6, len(FLIGHT))}))
    whole = dict(world.states.values)
    world.send([reading(6, 643.0, "engine-1")])
    world.states.values |= {("engine-1", "run-1"): older["engine-1", "run-1"]}

    await worker.service.process(world.fetch({0: (len(FLIGHT), len(FLIGHT) + 1)}))

    assert world.history.reads == [(0, 5, len(FLIGHT))]  # engine-1 had reached offset 5
    assert world.states.values["engine-2", "run-1"] == whole["engine-2", "run-1"]
    assert unpack_progress(world.states.progress[0]).next_offset == len(FLIGHT) + 1


async def test_the_ledger_comes_back_with_a_batch_that_comes_again() -> None:
    world = await flown()
    ledger = await world.states.ledger(0)
    world.states.progress.clear()

    await world.worker().service.process(world.everything())

    assert len(ledger) == 3
    assert await world.states.ledger(0) == ledger
