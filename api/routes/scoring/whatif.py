"""What-if: which alarms another rule would have raised on stored scores."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Response

from api.detection.stored import read_verdicts
from api.detection.values import WhatIfAsked, Wrong
from api.http.answers import json_answer
from api.http.problems import documented, invalid_fields
from api.http.queries import no_query
from api.known_fleets import KnownModel
from api.routes import API_PREFIX
from api.routes.scoring.detect import REFUSED, model_of, since
from api.services import ServicesDep
from api.views.scoring.whatif import WhatIfRequest, WhatIfView
from common.scorestore.port import ScoreQuery

router = APIRouter(prefix=API_PREFIX, tags=["detect"], dependencies=[Depends(no_query)])


@router.post(
    "/whatif",
    summary="Which alarms another rule would have raised",
    response_model=WhatIfView,
    responses={**REFUSED, **documented(502)},
)
async def what_if(services: ServicesDep, request: WhatIfRequest) -> Response:
    """Take the stored verdicts of a fleet through its alarm rule, as it is and as it would be.

    Nothing is written. The oldest verdicts are read first, up to a bound; `complete` and `cut_off`
    say whether some were left out.
    """
    began = services.clock.monotonic()
    fleet, model = await model_of(services, request.fleet, ("body", "fleet"))
    _check_used(request, model)
    settings = services.settings.api
    query = ScoreQuery(
        asset_id=request.asset_id,
        run_id=request.run_id,
        fleet=request.fleet,
        since=request.since,
        until=request.until,
    )
    read = await read_verdicts(
        services.scores, query, settings.whatif_max_rows, settings.scoring_timeout_s
    )
    asked = WhatIfAsked(
        alarm=fleet.alarm,
        own_alarms=dict(fleet.own_alarms),
        life_limit=model.life,
        other=request.other,
    )
    found = await services.scoring.whatif(asked, await read.laid_out())
    if isinstance(found, Wrong):
        path = ("body", *(found.field or "alarm").split("."))
        raise invalid_fields([(path, found.message, None)])
    told = (read.rows, read.runs, read.cut_off)
    return await json_answer(
        lambda: WhatIfView.of(request, found, (fleet, model), told, since(services, began))
    )


def _check_used(request: WhatIfRequest, model: KnownModel) -> None:
    """Refuse a threshold that would count for nothing."""
    thresholds = request.thresholds
    wrong: list[tuple[tuple[str | int, ...], str, Any]] = []
    if thresholds.critical is not None and model.life is not None:
        wrong.append(
            (
                ("body", "thresholds", "critical"),
                "of this model what is critical is said by how much life is left: set `life`, now "
                f"{model.life:g}",
                thresholds.critical,
            )
        )
    if thresholds.life is not None and model.life is None:
        wrong.append(
            (
                ("body", "thresholds", "life"),
                "this model does not know how much life is left; leave it out",
                thresholds.life,
            )
        )
    if model.warning is None or model.critical is None:
        wrong.append(
            (
                ("body", "fleet"),
                "each asset of this fleet has a threshold of its own, which may follow it; choose "
                "a fleet of one model for all",
                request.fleet,
            )
        )
        raise invalid_fields(wrong)
    if wrong:
        raise invalid_fields(wrong)
    warning = model.warning if thresholds.warning is None else thresholds.warning
    critical = model.critical if thresholds.critical is None else thresholds.critical
    if model.life is None and warning > critical:
        raise invalid_fields(
            [
                (
                    ("body", "thresholds", "warning"),
                    f"the warning threshold would be above the critical one, {critical:g}; set "
                    "both",
                    warning,
                )
            ]
        )
