"""The scoring service of the reference design: FastAPI, one window a request."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

from bench.peers.pipeline import Model
from bench.peers.settings import given
from models.scoring.scorer import WindowScores


class Window(BaseModel):
    """What is sent: rows of normalised channels."""

    window: list[list[float]]


class Score(BaseModel):
    """What is answered."""

    score: float
    shares: list[float]
    directions: list[int]


def service() -> FastAPI:
    """Return the app."""
    app, model = FastAPI(), Model(given().model)

    @app.post("/score")
    async def score(body: Window) -> Score:
        found = model.scorer.score(np.array([body.window], np.float32))
        return Score(
            score=float(found.scores[0]),
            shares=found.shares[0].tolist(),
            directions=found.directions[0].tolist(),
        )

    return app


def as_scores(answers: Sequence[dict[str, Any]], width: int) -> WindowScores:
    """Return answers as the scores of a batch."""
    shape = (len(answers), width)
    return WindowScores(
        np.array([answer["score"] for answer in answers], np.float64),
        np.array([answer["shares"] for answer in answers], np.float64).reshape(shape),
        np.array([answer["directions"] for answer in answers], np.int8).reshape(shape),
    )


if __name__ == "__main__":
    uvicorn.run(service(), host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
