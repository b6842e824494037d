"""An artifact opened with onnxruntime: the one implementation of ``WindowScorer``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Protocol

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from common.errors import ArtifactError
from models.artifact.score_arrays import learned_params, life_params
from models.artifact.store import Artifact
from models.scoring.head import Head
from models.scoring.history import Trail, alone
from models.scoring.life import LifeModel
from models.scoring.measures.contributions import ScoreParams
from models.scoring.measures.courses import Courses
from models.scoring.normaliser import Normaliser
from models.scoring.scorer import Expected, NormalisedRows, ScorerSpec, Thresholds, WindowScores
from models.scoring.scores import SCORES, OpenedScore, Score, score_channels

CHUNK: Final = 48
"""Most windows of a call of the network. Measured fastest on one thread: all states stay in the
cache of one core, also beside what the score needs there. Larger batches are cut into equal parts;
a score does not depend on the others in its part."""

SCORED_CHUNK: Final = 256
"""Windows whose scores are taken at once: what numpy makes of them stays in cache, too."""

INPUT_NAME: Final = "windows"
OUTPUT_NAME: Final = "reconstructions"
STATES_NAME: Final = "states"
"""What the last layer sees, where a network tells it: an asset may have a last layer of its own."""

ERRORS_ONLY: Final = 3


class Reconstructor(Protocol):
    """Says what a model expects of windows."""

    def reconstruct(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what was expected, same shape ``(n, window_length, n_channels)``."""


class ZeroReconstructor:
    """Expects the healthy mean: for scores that use no network."""

    def reconstruct(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return zeros of the windows' shape, without allocating them."""
        return np.broadcast_to(np.float32(0.0), windows.shape)


class OnnxReconstructor:
    """An autoencoder in ONNX form.

    Args:
        network: Bytes of the ONNX file.
        window_length: Rows in a window it must accept.
        n_channels: Channels it must accept.
        threads: Threads of one call; scale by processes instead.

    Raises:
        ArtifactError: If it is not a network of that shape.
    """

    def __init__(
        self, network: bytes, *, window_length: int, n_channels: int, threads: int = 1
    ) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = ERRORS_ONLY
        # idle threads must sleep: a worker waits for messages most of the time
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = ort.InferenceSession(
                network, options, providers=["CPUExecutionProvider"]
            )
        except Exception as exc:  # the runtime's errors share no base class
            raise ArtifactError(
                f"The network is not an ONNX model that onnxruntime can run: {exc}. Train the "
                "artifact again with `surgeline train`."
            ) from exc
        self._check_shapes((window_length, n_channels))

    def _check_shapes(self, expected: tuple[int, int]) -> None:
        for name, ports in (
            (INPUT_NAME, self._session.get_inputs()),
            (OUTPUT_NAME, self._session.get_outputs()),
        ):
            came = {
                port.name: (port.type, tuple(port.shape[1:]))
                for port in ports
                if port.name != STATES_NAME
            }
            if came != {name: ("tensor(float)", expected)}:
                raise ArtifactError(
                    f"The network has {came}; the manifest expects one float {name!r} of shape "
                    f"(batch, {expected[0]}, {expected[1]}). Train the artifact again with "
                    "`surgeline train`."
                )

    def reconstruct(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the network's output for at most a few hundred windows."""
        if not len(windows):
            return np.empty(windows.shape, np.float32)  # the runtime aborts the process on these
        outputs = self._session.run(
            [OUTPUT_NAME], {INPUT_NAME: np.ascontiguousarray(windows, np.float32)}
        )
        return np.asarray(outputs[0], np.float32)

    @property
    def n_states(self) -> int:
        """How many states it tells at each reading; 0 if it tells none."""
        told = {port.name: port for port in self._session.get_outputs()}
        return int(told[STATES_NAME].shape[2]) if STATES_NAME in told else 0

    def states(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what the last layer sees, ``(n, window_length, n_states)``, of few windows."""
        if not len(windows):
            return np.empty((*windows.shape[:2], self.n_states), np.float32)
        outputs = self._session.run(
            [STATES_NAME], {INPUT_NAME: np.ascontiguousarray(windows, np.float32)}
        )
        return np.asarray(outputs[0], np.float32)


class TunedReconstructor:
    """A network that many assets share, with one asset's own last layer.

    Args:
        network: Tells its states.
        head: The last layer.
    """

    def __init__(self, network: OnnxReconstructor, head: Head) -> None:
        self._network, self._head = network, head

    def reconstruct(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what was expected of at most a few hundred windows."""
        return self._head.expect(self._network.states(windows))


def chunks(count: int, size: int) -> Iterator[slice]:
    """Yield consecutive parts of ``count`` windows; one empty part if there are none."""
    for start in range(0, max(1, count), size):
        yield slice(start, start + size)


def score_in_chunks(
    score: Score,
    params: ScoreParams,
    reconstructor: Reconstructor,
    windows: NDArray[np.float32],
) -> WindowScores:
    """Reconstruct and score, chunk by chunk.

    Args:
        score: Which score.
        params: What it learned.
        reconstructor: Says what was expected.
        windows: Shape ``(n, window_length, n_channels)``; ``n`` may be 0.

    Raises:
        ValueError: If a value is not finite.
    """
    opened = OpenedScore(score, params)
    parts = [windows[part] for part in chunks(len(windows), SCORED_CHUNK)]
    return WindowScores.joined(
        [opened.of(part, reconstruct_in_chunks(reconstructor, part)) for part in parts]
    )


def reconstruct_in_chunks(
    reconstructor: Reconstructor, windows: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return what was expected of any number of windows, same shape."""
    if len(windows) <= CHUNK:
        return reconstructor.reconstruct(windows)
    calls = -(-len(windows) // CHUNK)
    size = -(-len(windows) // calls)  # a rest of few windows would cost more for each
    return np.concatenate(
        [reconstructor.reconstruct(windows[part]) for part in chunks(len(windows), size)]
    )


def open_reconstructor(artifact: Artifact, threads: int = 1) -> Reconstructor:
    """Return what an artifact's score compares windows with.

    Raises:
        ArtifactError: If the network is not what the manifest says.
    """
    if artifact.network is None:
        return ZeroReconstructor()
    return OnnxReconstructor(
        artifact.network,
        window_length=artifact.manifest.window_length,
        n_channels=len(artifact.manifest.channels),
        threads=threads,
    )


def expect_windows(
    reconstructor: Reconstructor,
    normaliser: Normaliser,
    conditions: NDArray[np.float64],
    windows: NDArray[np.float32],
) -> Expected:
    """See :meth:`models.scoring.scorer.WindowScorer.expect`."""
    # by its size: where a machine has no conditions, -1 would say nothing
    flat = conditions.reshape(conditions.shape[0] * conditions.shape[1], conditions.shape[2])
    means, sds = normaliser.healthy(flat)
    means, sds = means.reshape(windows.shape), sds.reshape(windows.shape)
    # as a score sees it, by chunks: none depends on the others in its chunk
    rebuilt = reconstruct_in_chunks(reconstructor, windows).astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        return Expected(means + sds * rebuilt, means, sds)


class OpenedScorer:
    """What all opened scorers answer alike; how they score is their own.

    Args:
        spec: What is scored, and by which model.
        normaliser: Brings rows to the model's scale.
        reconstructor: Says what is expected.
    """

    def __init__(
        self, spec: ScorerSpec, normaliser: Normaliser, reconstructor: Reconstructor
    ) -> None:
        self._spec = spec
        self._normaliser = normaliser
        self._reconstructor = reconstructor

    @property
    def spec(self) -> ScorerSpec:
        """See :attr:`models.scoring.scorer.WindowScorer.spec`."""
        return self._spec

    def normalise(
        self, conditions: NDArray[np.float64], channels: NDArray[np.float64]
    ) -> NormalisedRows:
        """See :meth:`models.scoring.scorer.WindowScorer.normalise`."""
        return self._normaliser.normalise(conditions, channels)

    def expect(self, conditions: NDArray[np.float64], windows: NDArray[np.float32]) -> Expected:
        """See :meth:`models.scoring.scorer.WindowScorer.expect`."""
        return expect_windows(self._reconstructor, self._normaliser, conditions, windows)


class ArtifactScorer(OpenedScorer):
    """An artifact ready to score: implements :class:`models.scoring.scorer.WindowScorer`.

    Attributes:
        artifact: The artifact.
        threads: Threads of the network.
    """

    def __init__(self, artifact: Artifact, threads: int = 1) -> None:
        self.artifact, self.threads = artifact, threads
        manifest = artifact.manifest
        super().__init__(
            spec_of(artifact),
            manifest.normalisation.normaliser(),
            open_reconstructor(artifact, threads),
        )
        self._score = OpenedScore(SCORES[manifest.score.name], learned_params(artifact))
        self._channel = None if manifest.channel is None else manifest.channel.vectors()
        life = life_params(artifact)
        self._life = None if life is None else LifeModel(life)
        self._measures = any((self._score.measures, self._channel, self._life))

    def score(self, windows: NDArray[np.float32], trail: Trail | None = None) -> WindowScores:
        """See :meth:`models.scoring.scorer.WindowScorer.score`."""
        expected = (self._spec.window_length, len(self._spec.channels))
        if windows.ndim != 3 or windows.shape[1:] != expected:
            raise ValueError(
                f"windows of shape {windows.shape} came; (n, {expected[0]}, {expected[1]}) was "
                "expected"
            )
        return WindowScores.joined(
            [
                self._score_part(windows[part], None if trail is None else trail[part])
                for part in chunks(len(windows), SCORED_CHUNK)
            ]
        )

    def _score_part(self, windows: NDArray[np.float32], trail: Trail | None) -> WindowScores:
        expected = reconstruct_in_chunks(self._reconstructor, windows)
        courses = Courses.of(windows) if self._measures else None
        found = self._score.of(windows, expected, courses)
        channel, life = found.channel, found.life
        if self._channel is not None:
            channel = score_channels(windows, self._channel, courses)
        if self._life is not None:
            followed = alone(windows) if trail is None else trail
            life = self._life.remaining(windows, followed, courses)
        return WindowScores(
            found.scores, found.shares, found.directions, found.against, channel, life
        )


def spec_of(artifact: Artifact) -> ScorerSpec:
    """Return what the scorer of an artifact is, without opening it."""
    manifest = artifact.manifest
    channel, life = manifest.channel, manifest.life
    thresholds = Thresholds(
        manifest.thresholds.warning.value,
        manifest.thresholds.critical.value,
        None if channel is None else channel.warning.value,
        None if life is None else life.limit,
    )
    return ScorerSpec(
        artifact.ref,
        manifest.machine,
        thresholds,
        () if channel is None else channel.frozen_after,
        life is not None,
    )
