"""The last layer of a network that many assets share, fitted to one of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Head:
    """From a network's states to what it expects of one asset.

    Attributes:
        weights: Shape ``(n_states, n_channels)``.
        bias: Shape ``(n_channels,)``.
    """

    weights: NDArray[np.float64]
    bias: NDArray[np.float64]

    def expect(self, states: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what is expected at each reading, float32.

        Args:
            states: Shape ``(n, window_length, n_states)``.
        """
        # one product per window: a product of all would round differently for another n
        rows = np.matmul(states.astype(np.float64), self.weights) + self.bias
        return np.asarray(rows, np.float32)


TUNED_RIDGE = 0.01
"""How strongly a head is drawn to the shared one, in the states' mean square: a stream that says
little about a state keeps what all streams say of it."""


def tuned_head(states: NDArray[np.float32], errors: NDArray[np.float64], shared: Head) -> Head:
    """Return the shared head, moved to rebuild one asset's healthy windows best.

    Ridge regression of what the shared head leaves, in closed form: the same windows always give
    the same head, and few windows move it little.

    Args:
        states: Shape ``(n, window_length, n_states)``, of healthy windows.
        errors: Shape ``(n, window_length, n_channels)``; window less what the shared head expects.
        shared: Where it starts from.
    """
    size, channels = shared.weights.shape
    rows = np.concatenate(
        [states.reshape(-1, size), np.ones((states.shape[0] * states.shape[1], 1))], axis=1
    ).astype(np.float64)
    gram = rows.T @ rows / len(rows)
    ridge = TUNED_RIDGE * max(float(np.trace(gram[:size, :size])) / size, 1e-12)
    penalty = ridge * np.eye(size + 1)
    penalty[size, size] = 0.0  # a level of its own costs nothing
    moved = np.linalg.solve(gram + penalty, rows.T @ errors.reshape(-1, channels) / len(rows))
    return Head(shared.weights + moved[:size], shared.bias + moved[size])
