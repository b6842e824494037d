"""What a statement of remaining life costs, beside the score of the same windows.

    python -m bench.quality.life.cost [--dataset FD001] [--trees 240] [--depth 5]

One thread, processor time, the best of several turns, both taken in turns in one run: on a machine
that does other work too, the ratio says more than the times. Trees are drawn at random; their cost
depends on their number and depth alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Final

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console

from common.terminal.cli import friendly_errors
from models.artifact.opening import open_scorer
from models.artifact.store import load_artifact
from models.scoring.history import SUMS, LifeHistory, alone, follow
from models.scoring.life import INTERVAL_ARRAYS, JOINED, check_life, n_features, remaining_life
from models.training.life.boosting import Growth

BATCHES: Final = (1, 64, 500)
TURNS: Final = 15
WINDOWS_A_TURN: Final = 2000
USUAL: Final = Growth()
ANY_CYCLE: Final = np.array([131], np.int64)


def main(
    dataset: Annotated[str, typer.Option(help="Whose shipped artifact scores.")] = "FD001",
    trees: Annotated[int, typer.Option(help="Of all seeds.")] = USUAL.trees * USUAL.seeds,
    depth: Annotated[int, typer.Option(help="Of each tree.")] = USUAL.depth,
) -> None:
    """Print microseconds a window, for several sizes of batches."""
    scorer = open_scorer(load_artifact(dataset.lower()))
    rng = np.random.default_rng(0)
    n_channels, length = len(scorer.spec.channels), scorer.spec.window_length
    params = drawn(rng, trees, depth, n_channels)
    check_life(params, length, n_channels)
    console = Console(highlight=False)
    for batch in BATCHES:
        windows = rng.normal(size=(batch, length, n_channels)).astype(np.float32)
        trail = alone(windows)
        life, following, score = _in_turns(
            batch,
            partial(remaining_life, windows, trail, params),
            partial(_follow_each, windows),
            partial(scorer.score, windows, trail),
        )
        console.print(
            f"batch {batch:4}: life {life:6.1f} µs a window, following runs {following:4.1f} µs, "
            f"score with life {score:6.1f} µs"
        )


def _follow_each(windows: NDArray[np.float32]) -> None:
    """Take each window into account as the next of a run of its own: the dearest way."""
    before = LifeHistory(100, True, np.ones((SUMS, windows.shape[2])))
    for index in range(len(windows)):
        follow(before, windows[index : index + 1], ANY_CYCLE)


def drawn(
    rng: np.random.Generator, trees: int, depth: int, n_channels: int
) -> dict[str, NDArray[Any]]:
    """Return a model with trees drawn at random."""
    nodes = (trees, 2**depth - 1)
    interval = {
        "knots": np.linspace(5, 120, 12),
        "below": np.full(12, -20.0),
        "above": np.full(12, 20.0),
        "alarm_reach": np.ones(2),
    }
    return {
        **interval,
        **{JOINED + name: interval[name] for name in INTERVAL_ARRAYS},
        "feature": rng.integers(0, n_features(n_channels), nodes).astype(np.int16),
        "threshold": rng.normal(size=nodes).astype(np.float32),
        "leaf": rng.integers(-9999, 9999, (trees, 2**depth)).astype(np.int32),
        "wear": rng.normal(size=n_channels),
        "base": np.array([70.0]),
        "cap": np.array([125.0]),
        "coverage": np.array([0.9]),
    }


def _in_turns(batch: int, *works: Callable[[], object]) -> list[float]:
    """Return the least microseconds a window of each work."""
    calls = max(1, WINDOWS_A_TURN // batch)
    least = [float("inf")] * len(works)
    for _ in range(TURNS):
        for index, work in enumerate(works):
            began = time.process_time()
            for _ in range(calls):
                work()
            taken = (time.process_time() - began) / calls / batch * 1e6
            least[index] = min(least[index], taken)
    return least


if __name__ == "__main__":
    typer.run(friendly_errors(main))
