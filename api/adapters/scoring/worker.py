"""The scoring process: ``python -m api.adapters.scoring.worker``, started by the api alone.

Reads requests from its standard input and writes answers to its standard output, one after the
other. It ends when its input does, so none outlives the api. The only place of the api that opens
artifacts: onnxruntime, its threads and its crashes stay here.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Final

from pydantic import ValidationError

from api.adapters.scoring.engine import Engine
from api.adapters.scoring.frames import read_frame, write_frame
from api.adapters.scoring.messages import Answer, Asked
from api.adapters.scoring.models import OpenModel
from api.detection.values import ModelSource
from common.errors import ArtifactError
from common.tracebacks import one_line
from models.artifact.confidence import read_confidence
from models.artifact.opening import open_scorer
from models.artifact.store import load_artifact

NICENESS: Final = 5
"""Live streams and the event loop go first."""


def open_model(source: ModelSource) -> OpenModel:
    """Open an artifact.

    Raises:
        ArtifactError: If it is not there, or damaged.
    """
    artifact = load_artifact(source.folder)
    confidence = read_confidence(artifact.confidence, artifact.sha256)
    return OpenModel(open_scorer(artifact), confidence)


def answer_to(engine: Engine, head: bytes, bulk: bytes) -> tuple[Answer, bytes]:
    """Return the answer to one request, whatever comes."""
    try:
        return engine.answer(Asked.model_validate_json(head), bulk)
    except ArtifactError as exc:
        return Answer(unreadable=str(exc)), b""
    except ValidationError as exc:
        return Answer(defect=f"the request is none: {exc.errors()[0]['msg']}"), b""
    except Exception as exc:  # noqa: BLE001 - told to the api, which logs it
        return Answer(defect=one_line(exc)), b""


def main() -> None:
    """Answer until the input ends."""
    with suppress(OSError):
        os.nice(NICENESS)
    asked, told = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # what a library prints must not stand among the answers
    engine = Engine(open_model)
    with suppress(KeyboardInterrupt, BrokenPipeError):
        while (frame := read_frame(asked)) is not None:
            answer, bulk = answer_to(engine, *frame)
            write_frame(told, answer.model_dump_json().encode(), bulk)


if __name__ == "__main__":
    main()
