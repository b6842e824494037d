"""One network of all streams, and its last layer fitted to each of them.

Every stream is on its own scale (its own mean and deviation), so one network can learn what their
windows share. Only the last layer, a few dozen numbers, is an asset's own.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from common.errors import DatasetError
from common.machines.machine import MachineType
from common.recording import AssetRecord
from models.artifact.onnx_scorer import OnnxReconstructor, Reconstructor, TunedReconstructor
from models.evaluation.collection import collect
from models.scoring.head import Head, tuned_head
from models.training.catalogue import LSTM_AUTOENCODER
from models.training.config import OnEpoch, TrainingConfig
from models.training.preparation.windows import healthy, normaliser_of
from models.training.series.catalogue import Shared
from models.training.series.part import Tune, evenly, no_network

MOST_WINDOWS: Final = 6_000
"""Windows the network is fitted on, evenly over all streams: they overlap, so more say little."""

TUNING_WINDOWS: Final = 500
"""Windows of one stream that its last layer is fitted on, evenly over its time."""

CONFIG: Final = TrainingConfig(epochs=10, batch_size=64, hidden=32, latent=8)
"""Windows of one channel hold less than those of an engine: half the reference's units."""


@dataclass(frozen=True, slots=True)
class SharedNetwork:
    """A network of many assets.

    Attributes:
        content: Bytes of its ONNX file, which tells its states.
        head: Its last layer; none of a forecaster, whose last layer all assets share.
        parameters: How many numbers it learned.
        train_loss: Of the last pass.
    """

    content: bytes
    head: Head | None
    parameters: int
    train_loss: float | None


def train_shared(
    machine: MachineType,
    records: Sequence[AssetRecord],
    config: TrainingConfig = CONFIG,
    on_epoch: OnEpoch = lambda report: None,
    kind: str = LSTM_AUTOENCODER,
) -> SharedNetwork:
    """Train a network on the healthy windows of all assets, each on its own scale.

    Args:
        machine: What was recorded.
        records: Training readings; assets with too few are left out.
        config: How.
        on_epoch: Told after each pass.
        kind: Of ``catalogue.py``: an autoencoder or a forecaster.

    Raises:
        DatasetError: If no asset has a healthy window.
    """
    # needs torch; models without a network do not
    from models.training.networks.loop import fit_network
    from models.training.networks.lstm import LstmAutoencoder, count_parameters
    from models.training.networks.onnx_export import export_onnx

    windows = _windows(machine, records)
    fitted = fit_network(windows, windows[:0], kind, config, on_epoch)
    network, head = fitted.network, None
    if isinstance(network, LstmAutoencoder):
        head = Head(
            network.to_row.weight.detach().numpy().T.astype(np.float64),
            network.to_row.bias.detach().numpy().astype(np.float64),
        )
    content = export_onnx(network, windows[-256:], states=head is not None)
    return SharedNetwork(content, head, count_parameters(network), fitted.train_loss)


def packed_network(network: SharedNetwork) -> bytes:
    """Return a network as a file that :func:`read_network` reads; no pickle."""
    content = io.BytesIO()
    loss = np.nan if network.train_loss is None else network.train_loss
    arrays: dict[str, Any] = {
        "content": np.frombuffer(network.content, np.uint8),
        "numbers": np.array([network.parameters, loss]),
    }
    if network.head is not None:
        arrays |= {"weights": network.head.weights, "bias": network.head.bias}
    np.savez(content, **arrays)
    return content.getvalue()


def read_network(path: Path) -> SharedNetwork | None:
    """Return the network of a file; none if it is not there, or damaged."""
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as arrays:
            head = Head(arrays["weights"], arrays["bias"]) if "bias" in arrays else None
            parameters, loss = arrays["numbers"].tolist()
            content = arrays["content"].tobytes()
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    return SharedNetwork(content, head, int(parameters), None if loss != loss else loss)


class Tuning:
    """Opens a shared network once, and says for each asset what to expect.

    Args:
        machine: What was recorded.
        network: The network; none for models without.
    """

    def __init__(self, machine: MachineType, network: SharedNetwork | None) -> None:
        self._network = network
        self.opened: OnnxReconstructor | None = None
        if network is not None:
            self.opened = OnnxReconstructor(
                network.content,
                window_length=machine.window.length,
                n_channels=len(machine.channel_names),
            )

    def of(self, shared: Shared) -> Tune:
        """Return how an asset's expectation comes about.

        Raises:
            ValueError: If there is no network, and one is needed.
        """
        if shared is Shared.NOTHING:
            return no_network
        if self._network is None or self.opened is None:
            raise ValueError("no network came; one that all assets share was expected")
        network, opened = self._network, self.opened
        if shared is Shared.GLOBAL:
            return lambda windows: opened

        def tune(windows: NDArray[np.float32]) -> Reconstructor:
            return TunedReconstructor(opened, head_of(network, opened, windows))

        return tune


def head_of(
    network: SharedNetwork, opened: OnnxReconstructor, windows: NDArray[np.float32]
) -> Head:
    """Return the last layer fitted to one asset's healthy windows.

    Raises:
        ValueError: If it is a network whose last layer is nobody's own.
    """
    if network.head is None:
        raise ValueError("a forecaster came; a network that tells its states was expected")
    some = evenly(windows, TUNING_WINDOWS)
    states = np.concatenate(
        [opened.states(some[start : start + 64]) for start in range(0, len(some), 64)]
    )
    errors = np.subtract(some, network.head.expect(states), dtype=np.float64)
    return tuned_head(states, errors, network.head)


def _windows(machine: MachineType, records: Sequence[AssetRecord]) -> NDArray[np.float32]:
    most = max(1, MOST_WINDOWS // max(1, len(records)))
    found = []
    for record in records:
        try:
            normaliser = normaliser_of(machine, [(1, record)])
        except ValueError:
            continue
        windows = healthy(collect(normaliser, machine, [(1, record)])).windows
        if len(windows):
            found.append(evenly(windows, most))
    if not found:
        raise DatasetError(
            f"None of {len(records)} assets has a healthy window of {machine.window.length} "
            "readings in a row; a network that all share needs some."
        )
    return np.concatenate(found)
