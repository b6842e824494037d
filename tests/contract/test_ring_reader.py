"""The api reads from the state store what a worker wrote there, on one server or in a cluster."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace
from redis import Redis as SyncRedis

from api.adapters.redis_ring_reader import RedisRingReader
from common.errors import BackendRefusedError, BackendUnavailableError
from common.ring import Marks, packed_stamps
from common.settings import RedisSettings
from common.topics import StateKeys
from deploy.local.programs import free_port
from detector.adapters.redis_state_store import RedisStateStore
from detector.core.pipeline import NextState
from detector.core.state.asset import AssetState, Fence, fresh_state
from tests.support.builders import MeanScorer, fleet_of
from tests.support.earlier_layouts import as_layout_5

KEY = ("engine-1", "run-1")
FLEET = fleet_of(MeanScorer())
WIDTH = FLEET.spec.machine.row_width


def state() -> AssetState:
    stamps = np.array([(7, 1_000_000), (8, 2_000_000)], np.int64)
    held = np.array([[False, True, False], [False, False, False]])
    return replace(
        fresh_state(FLEET, Fence(0, 9)),
        ring=np.arange(2 * WIDTH, dtype=np.float32).reshape(2, WIDTH),
        marks=Marks(packed_stamps(stamps), held),
        last_cycle=8,
    )


@pytest.mark.parametrize("kind", ["redis", "cluster"])
async def test_the_ring_a_worker_wrote_is_read(kind: str, request: pytest.FixtureRequest) -> None:
    settings: RedisSettings = request.getfixturevalue(f"{kind}_settings")
    async with RedisStateStore(settings) as store, RedisRingReader(settings) as reader:
        await store.write({KEY: NextState(state(), Fence())}, {})

        kept = await reader.read(*KEY)
        nothing = await reader.read("engine-2", "run-1")

    assert nothing is None
    assert kept is not None
    assert kept.machine == FLEET.spec.machine.digest
    np.testing.assert_array_equal(kept.ring.rows, state().ring)
    assert kept.ring.marks.moments() == [(7, 1_000_000), (8, 2_000_000)]
    np.testing.assert_array_equal(kept.ring.marks.held, state().marks.held)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        pytest.param(as_layout_5(state()), "a state of layout 5", id="an earlier layout"),
        pytest.param(state().pack()[:-1], "has no ring", id="cut off"),
        pytest.param(b"x", "a state of layout 0", id="something else"),
    ],
)
async def test_a_state_without_a_ring_is_refused_with_the_reason(
    redis_settings: RedisSettings, value: bytes, why: str
) -> None:
    key = StateKeys(redis_settings.key_prefix).asset_state(*KEY)
    with SyncRedis.from_url(redis_settings.url.get_secret_value()) as admin:
        admin.set(key, value)

    async with RedisRingReader(redis_settings) as reader:
        with pytest.raises(BackendRefusedError, match=why):
            await reader.read(*KEY)


async def test_a_server_that_is_not_there_is_said() -> None:
    gone = RedisSettings.model_validate(
        {"url": f"redis://127.0.0.1:{free_port()}/0", "op_timeout_s": 1}
    )
    async with RedisRingReader(gone) as reader:
        with pytest.raises(BackendUnavailableError, match="could not read a ring"):
            await reader.read(*KEY)
