"""Dead letters: messages that could not be used, each with its reason."""

from __future__ import annotations

import re
from typing import Annotated, Final

from fastapi import APIRouter, Query, Response

from api.http import cursors
from api.http.answers import json_answer
from api.http.problems import invalid
from api.routes import API_PREFIX
from api.services import ServicesDep
from api.views.letters import LetterList, LetterQuery, LetterView

router = APIRouter(prefix=f"{API_PREFIX}/dead-letters", tags=["system"])

PLACES: Final = re.compile(r"\d{1,6}:\d{1,18}(,\d{1,6}:\d{1,18}){0,999}", re.ASCII)
"""The offset of each partition before which the next page ends."""


@router.get(
    "", summary="Messages that could not be used, the latest first", response_model=LetterList
)
async def list_letters(services: ServicesDep, query: Annotated[LetterQuery, Query()]) -> Response:
    """Each with its reason, where it stood, and whose it is by its key.

    The message itself is not handed out: `surgeline deadletter show POSITION` does that, for who
    may read the broker. It needs an operator, for reasons quote what came, which may be anything.
    """
    mark = cursors.query_mark(query)
    before = None if query.cursor is None else _places(mark, query.cursor)
    page = await services.letters.latest(query.limit, before)
    return await json_answer(
        lambda: LetterList(
            items=[LetterView.of(letter) for letter in page.letters],
            next_cursor=None
            if page.older is None
            else cursors.encode(mark, ",".join(f"{at}:{end}" for at, end in page.older.items())),
        )
    )


def _places(mark: str, cursor: str) -> dict[int, int]:
    """Return the offsets that a cursor stands for.

    Raises:
        RequestValidationError: If it is none of this query's.
    """
    try:
        position = cursors.decode(mark, cursor)
        if not isinstance(position, str) or not PLACES.fullmatch(position):
            raise ValueError(cursors.NOT_OURS)  # noqa: TRY301 - one refusal for all bad cursors
    except ValueError as exc:
        raise invalid("query", "cursor", str(exc), cursor) from exc
    pairs = (each.split(":") for each in position.split(","))
    return {int(at): int(end) for at, end in pairs}
