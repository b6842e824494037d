"""Replays: send a data set, or the simulator, through the system."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Response

from api.http.problems import documented, invalid
from api.http.queries import no_query
from api.replays.ports import SIMULATOR, Replay, ReplaySpec, UnreadableReplay
from api.replays.running import new_run_id
from api.routes import API_PREFIX
from api.services import Services, ServicesDep
from api.views.replays import ReplayList, ReplayRequest, ReplayView, UnreadableReplayView
from common.cmapss.files import LONGEST_LIFE_CYCLES
from common.records.ids import ID_PATTERN
from common.records.times import require_wire_times, utc_text

DEFAULT_SEED: Final = 0

router = APIRouter(
    prefix=f"{API_PREFIX}/replays", tags=["replays"], dependencies=[Depends(no_query)]
)

ReplayId = Annotated[str, Path(pattern=ID_PATTERN, description="The run id.", examples=["demo"])]


@router.post(
    "",
    status_code=202,
    summary="Start a replay, or go on with one",
    responses={
        202: {"headers": {"Location": {"schema": {"type": "string"}}}},
        **documented(400, 403, 408, 409, 413, 415, 429),
    },
)
async def start_replay(
    services: ServicesDep, request: ReplayRequest, response: Response
) -> ReplayView:
    """Start a producer that sends the readings. `Location` says where its progress is.

    A `run_id` that was used before goes on where it stopped. 409 while it is running, or if it was
    a replay of something else; 429 if too many are running.
    """
    spec = await _spec(services, request)
    replay = await services.replays.start(spec)
    response.headers["Location"] = f"{API_PREFIX}/replays/{spec.run_id}"
    return ReplayView.of(replay)


@router.get("", summary="All replays, the latest started first")
async def list_replays(services: ServicesDep) -> ReplayList:
    """Return all replays this api has ever started.

    A record that cannot be read any more is listed apart, with the reason; DELETE forgets it.
    """
    found = await services.replays.all()
    return ReplayList(
        items=[ReplayView.of(replay) for replay in found if isinstance(replay, Replay)],
        unreadable=[
            UnreadableReplayView(id=replay.run_id, why=replay.why)
            for replay in found
            if isinstance(replay, UnreadableReplay)
        ],
    )


@router.get("/{replay_id}", summary="One replay and its progress", responses=documented(404, 409))
async def get_replay(services: ServicesDep, replay_id: ReplayId) -> ReplayView:
    """Return one replay as it stands."""
    return ReplayView.of(await services.replays.find(replay_id))


@router.delete(
    "/{replay_id}",
    summary="Stop a replay",
    response_model=ReplayView,
    responses={
        204: {"description": "Its record could not be read, and is forgotten."},
        **documented(403, 404),
    },
)
async def stop_replay(services: ServicesDep, replay_id: ReplayId) -> ReplayView | Response:
    """Stop the producer after the reading at hand, and return the replay as it ended.

    It stays in the list, and can be gone on with. One that has ended is left as it is. One whose
    record cannot be read is forgotten.
    """
    replay = await services.replays.stop(replay_id)
    return Response(status_code=204) if replay is None else ReplayView.of(replay)


async def _spec(services: Services, request: ReplayRequest) -> ReplaySpec:
    """Fill what was left open: from the run's own past if it has one, else with defaults."""
    simulator = request.dataset == SIMULATOR
    run_id = request.run_id or new_run_id(request.dataset, request.split, services.clock)
    spec = ReplaySpec(
        run_id=run_id,
        dataset=request.dataset,
        split=request.split,
        engines=request.engines,
        speed=request.speed,
        start=request.start or services.clock.now().replace(microsecond=0),
        cycle_interval_s=request.cycle_interval_s,
        seed=DEFAULT_SEED if simulator and request.seed is None else request.seed,
    )
    if known := await services.replays.known(run_id):
        left_open = {
            name: getattr(known.spec, name)
            for name in ("split", "start", "cycle_interval_s", "seed")
            if name not in request.model_fields_set and known.spec.dataset == spec.dataset
        }
        spec = replace(spec, **left_open)
    _check_times(spec)
    return spec


def _check_times(spec: ReplaySpec) -> None:
    """Refuse a run whose readings could not stand on the topic."""
    interval = timedelta(seconds=spec.cycle_interval_s)
    try:
        require_wire_times(spec.start, interval, LONGEST_LIFE_CYCLES)
    except ValueError as exc:
        raise invalid("body", "start", str(exc), utc_text(spec.start)) from exc
