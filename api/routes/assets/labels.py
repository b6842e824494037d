"""True anomalies of a run, where somebody labelled what it replays."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from api.http.answers import json_answer
from api.http.queries import LabelsQuery
from api.labels import KnownLabels
from api.readings import latest_run
from api.routes import API_PREFIX
from api.services import ServicesDep
from api.views.labels import LabelList
from common.records.ids import ID_PATTERN

router = APIRouter(prefix=f"{API_PREFIX}/assets", tags=["assets"])


@router.get(
    "/{asset_id}/labels",
    summary="The true anomalies of a run, where they are known",
    response_model=LabelList,
)
async def list_labels(
    services: ServicesDep,
    asset_id: Annotated[str, Path(pattern=ID_PATTERN, description="Whose.")],
    query: Annotated[LabelsQuery, Query()],
) -> Response:
    """Of replays of the labelled test readings of SMAP and MSL, from the data folder's own list.

    Only where it is sure: the replay itself named the run, the list has the stream, and the run has
    no more readings than were labelled. Else `items` is empty and `why_none` says why. An empty
    list with a `source` is a stream without an anomaly. Without `run_id` the latest run is meant.
    """
    runs = await services.scores.summaries([asset_id])
    run = latest_run(one for one in runs if query.run_id in (None, one.run_id))
    if run is None:
        within = f" in run {query.run_id!r}" if query.run_id else ""
        known = KnownLabels(why_none=f"There is no verdict on asset {asset_id!r}{within}.")
    else:
        known = await services.labels.of(run)
    run_id = None if run is None else run.run_id
    return await json_answer(lambda: LabelList.of(asset_id, run_id, known))
