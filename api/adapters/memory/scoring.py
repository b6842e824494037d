"""Models in the api's own process, for tests: the same engine, whatever opens them."""

from __future__ import annotations

from collections.abc import Callable

from api.adapters.scoring.asking import EngineScoring
from api.adapters.scoring.engine import Engine
from api.adapters.scoring.messages import Answer, Asked
from api.adapters.scoring.models import OpenIt, OpenModel
from api.detection.values import ModelSource
from common.errors import ArtifactError, RequestRefusedError


def no_models(source: ModelSource) -> OpenModel:
    """Open none."""
    raise ArtifactError(f"{source.folder} is not there.")


class MemoryScoring(EngineScoring):
    """Answers at once.

    Attributes:
        failure: When set, every question raises it.
        asked: What was asked, in order.
        closed: Whether it was closed.
    """

    def __init__(self, open_it: OpenIt = no_models) -> None:
        self._engine = Engine(open_it)
        self.failure: RequestRefusedError | None = None
        self.asked: list[Asked] = []
        self.closed = False

    async def close(self) -> None:
        """Remember it."""
        self.closed = True

    async def _ask(self, asked: Asked, bulk: Callable[[], bytes]) -> tuple[Answer, bytes]:
        if self.failure is not None:
            raise self.failure
        self.asked.append(asked)
        try:
            answer, told = self._engine.answer(asked, bulk())
        except ArtifactError as exc:
            answer, told = Answer(unreadable=str(exc)), b""
        return Answer.model_validate_json(answer.model_dump_json()), told
