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

import numpy as np
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


def answer_to(engine: Engine, head: bytes, numbers: bytes) -> Answer:
    """Return the answer to one request, whatever comes."""
    try:
        asked = Asked.model_validate_json(head)
        return engine.answer(asked, np.frombuffer(numbers, np.float64).reshape(asked.shape))
    except ArtifactError as exc:
        return Answer(unreadable=str(exc))
    except ValidationError as exc:
        return Answer(defect=f"the request is none: {exc.errors()[0]['msg']}")
    except Exception as exc:  # noqa: BLE001 - told to the api, which logs it
        return Answer(defect=one_line(exc))


def main() -> None:
    """Answer until the input ends."""
    with suppress(OSError):
        os.nice(NICENESS)
    asked, told = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # what a library prints must not stand among the answers
    engine = Engine(open_model)
    with suppress(KeyboardInterrupt, BrokenPipeError):
        while (frame := read_frame(asked)) is not None:
            write_frame(told, answer_to(engine, *frame).model_dump_json().encode())


if __name__ == "__main__":
    main()
