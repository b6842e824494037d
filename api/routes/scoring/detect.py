"""Scoring on request. Nothing is stored, and no alarm is raised."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from http import HTTPStatus
from typing import Annotated, Any, Final

import numpy as np
from fastapi import APIRouter, Depends, Query, Request, Response
from numpy.typing import NDArray
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException

from api.detection.rows import WrongField, rows_of
from api.detection.uploads import writable
from api.detection.values import (
    CsvAsked,
    Found,
    ModelSource,
    Sureness,
    UnknownRegime,
    Wrong,
)
from api.http.answers import json_answer
from api.http.problems import documented, illustrated, invalid, invalid_fields
from api.http.queries import no_query
from api.known_fleets import PROBLEM_EVERY_S, KnownFleet, KnownModel
from api.routes import API_PREFIX
from api.services import Services, ServicesDep
from api.views.scoring.detect import (
    BatchDetection,
    CsvDetection,
    Detection,
    Predictions,
    TimedDetection,
    detection_fields,
)
from api.views.scoring.requests import BatchRequest, CsvQuery, DetectRequest, PredictRequest
from common.errors import RequestRefusedError
from common.terminal.nearest import suggestion

router = APIRouter(prefix=API_PREFIX, tags=["detect"])

PIECE_BYTES: Final = 256 * 1024
REFUSED: Final[dict[int | str, dict[str, Any]]] = {
    **documented(400, 408, 413, 415),
    **illustrated(
        503,
        scoring_busy="17 questions are before this one; at most 17 are taken at a time. Ask again "
        "in a moment.",
        scoring_too_slow="It took longer than 60 s and was given up. Ask for less at a time.",
        model_unreadable="./pumps/manifest.json cannot be read: No such file or directory.",
    ),
}

Path = tuple[str | int, ...]


@router.post(
    "/detect",
    summary="Score one window",
    response_model=TimedDetection,
    responses=REFUSED,
    dependencies=[Depends(no_query)],
)
async def detect(services: ServicesDep, request: DetectRequest) -> Response:
    """Exactly as many readings as the model looks at, in the machine's units, oldest first.

    The score is that of the live path, to the last bit. 422 where the shape is another, a number is
    missing, not finite or not plausible, the fleet is unknown, or the machine was run as none of
    the training data.
    """
    began = services.clock.monotonic()
    ((known, found, sureness),) = await _detected(services, [request], [("body",)])

    def view() -> TimedDetection:
        fields = detection_fields(request, found, sureness, known)
        return TimedDetection(**fields, processing_time_ms=since(services, began))

    return await json_answer(view)


@router.post(
    "/detect/batch",
    summary="Score some windows",
    response_model=BatchDetection,
    responses=REFUSED,
    dependencies=[Depends(no_query)],
)
async def detect_batch(services: ServicesDep, request: BatchRequest) -> Response:
    """At most 256 windows, of any fleets; answered in their order.

    One that is wrong refuses all, and `errors` names it: `items.3.window.0.T50`.
    """
    began = services.clock.monotonic()
    places: list[Path] = [("body", "items", index) for index in range(len(request.items))]
    detected = await _detected(services, request.items, places)

    def view() -> BatchDetection:
        return BatchDetection(
            items=[
                Detection(**detection_fields(item, found, sureness, known))
                for item, (known, found, sureness) in zip(request.items, detected, strict=True)
            ],
            processing_time_ms=since(services, began),
        )

    return await json_answer(view)


@router.post(
    "/predict",
    summary="Score consecutive readings of one sensor",
    response_model=Predictions,
    responses=REFUSED,
    dependencies=[Depends(no_query)],
)
async def predict(services: ServicesDep, request: PredictRequest) -> Response:
    """Return a score and a label for each reading at which a full window ends.

    Readings follow each other without gaps. In an object a channel may be null: the value before
    stands in for it, for as long as the machine type allows.
    """
    began = services.clock.monotonic()
    _, known = await model_of(services, request.fleet, ("body", "fleet"))
    rows = await asyncio.to_thread(rows_of, request.readings, known.machine, blanks=True)
    if rows.wrong:
        raise _wrong(rows.wrong, ("body", "readings"))
    found = await services.scoring.readings(_source(known), rows.values, request.first_cycle)
    return await json_answer(lambda: Predictions.of(request, found, known, since(services, began)))


@router.post(
    "/detect/csv",
    summary="Score a CSV file, and mark where something is wrong",
    response_model=CsvDetection,
    responses=REFUSED,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "text/csv": {
                    "schema": {"type": "string"},
                    "example": "cycle,altitude,mach,tra,T24,T30,T50\n1,0,0,100,642.6,1589.7,1409.1",
                },
                "multipart/form-data": {
                    "schema": {
                        "type": "object",
                        "properties": {"file": {"type": "string", "format": "binary"}},
                        "required": ["file"],
                    }
                },
            },
        }
    },
)
async def detect_csv(
    services: ServicesDep, request: Request, query: Annotated[CsvQuery, Query()]
) -> Response:
    """Return each row's verdict, the regions in which an alarm would be open, and what is wrong.

    Columns are found by the names of the machine type's conditions and channels; `asset_id`,
    `cycle` and `ts` are read too where they are there.
    """
    fleet, known = await model_of(services, query.fleet, ("query", "fleet"))
    async with services.uploads.kept(_pieces(request)) as path:
        began = services.clock.monotonic()
        asked = CsvAsked(
            path=path,
            sensor_id=query.sensor_id,
            max_rows=services.settings.api.csv_max_rows,
            alarm=fleet.alarm,
            own_alarms=dict(fleet.own_alarms),
        )
        found = await services.scoring.csv(_source(known), asked)
    if isinstance(found, Wrong):
        raise invalid("body", found.field or "file", found.message)
    text = await asyncio.to_thread(
        lambda: CsvDetection.of(
            query.fleet, found.found, known, since(services, began)
        ).model_dump_json(exclude={"assets"})
    )
    # the rows go out as they came: they may have megabytes
    pieces = (text.removesuffix("}").encode(), b',"assets":', found.assets, b"}")
    return Response(b"".join(pieces), media_type="application/json")


async def _detected(
    services: Services, requests: Sequence[DetectRequest], places: Sequence[Path]
) -> list[tuple[KnownModel, Found, Sureness]]:
    """Score windows, those of one model in one call; all that is wrong is told together."""
    wrong: list[tuple[Path, str, object]] = []
    by_model: dict[str, list[tuple[int, KnownModel, NDArray[np.float64]]]] = {}
    for index, (request, place) in enumerate(zip(requests, places, strict=True)):
        _, known = await model_of(services, request.fleet, (*place, "fleet"))
        length = known.machine.window.length
        if len(request.window) != length:
            expected = f"{length} readings were expected, as many as the model looks at"
            wrong.append(((*place, "window"), expected, f"{len(request.window)} readings"))
            continue
        rows = await asyncio.to_thread(rows_of, request.window, known.machine)
        wrong += [((*place, "window", *path), why, came) for path, why, came in rows.wrong]
        by_model.setdefault(known.ref.sha256, []).append((index, known, rows.values))
    if wrong:
        raise invalid_fields(wrong)
    found: dict[int, tuple[KnownModel, Found, Sureness]] = {}
    for group in by_model.values():
        known = group[0][1]
        answer = await services.scoring.windows(
            _source(known), np.stack([values for _, _, values in group])
        )
        for (index, own, _), item in zip(group, answer.items, strict=True):
            if isinstance(item, UnknownRegime):
                raise invalid_fields(_unknown(item, (*places[index], "window")))
            found[index] = (own, item, answer.sureness)
    return [found[index] for index in range(len(requests))]


def _unknown(item: UnknownRegime, place: Path) -> Iterable[tuple[Path, str, object]]:
    return [
        ((*place, row), "run as the machine is in no training data: its conditions are unlike any",
         None)
        for row in item.rows
    ]  # fmt: skip


def _wrong(fields: Sequence[WrongField], place: Path) -> Exception:
    return invalid_fields([((*place, *path), why, came) for path, why, came in fields])


async def model_of(services: Services, fleet: str, place: Path) -> tuple[KnownFleet, KnownModel]:
    """Return a fleet and its model.

    Raises:
        RequestValidationError: If there is no such fleet.
        RequestRefusedError: 503, if its artifact cannot be read.
    """
    known = await services.catalogue.fleets()
    found = known.fleets.get(fleet)
    if found is None:
        if known.problem and not known.fleets:
            raise _unreadable(known.problem)
        near = suggestion(fleet, known.fleets)
        there = ", ".join(list(known.fleets)[:20])
        raise invalid_fields([(place, f"there is no such fleet; there are {there}.{near}", fleet)])
    if found.model is None:
        raise _unreadable(found.problem)
    return found, found.model


def _unreadable(why: str) -> RequestRefusedError:
    return RequestRefusedError(503, "model_unreadable", why, PROBLEM_EVERY_S)


def _source(known: KnownModel) -> ModelSource:
    return ModelSource(folder=known.folder, sha256=known.ref.sha256)


def since(services: Services, began: float) -> float:
    """Return how long ago it began, ms."""
    return round(1000 * (services.clock.monotonic() - began), 3)


async def _pieces(request: Request) -> AsyncIterator[bytes]:
    """Yield the file: the body itself, or the one file of a form."""
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        async for piece in request.stream():
            yield piece
        return
    try:
        with writable():  # what is more than a megabyte goes into a file
            form = await request.form(max_files=1, max_fields=4)
    except MultiPartException as exc:
        raise RequestRefusedError(HTTPStatus.BAD_REQUEST, "bad_request", exc.message) from exc
    try:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise invalid("body", "file", "a file was expected in this field of the form")
        while piece := await file.read(PIECE_BYTES):
            yield piece
    finally:
        await form.close()
