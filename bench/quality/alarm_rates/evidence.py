"""What this room measures of all evidence together, as ``surgeline train`` gathers it.

Regimes, z-scores and both scores are fitted on 64 % of the engines. Their thresholds share one
budget, cross-fitted over 80 % with everything refitted for each fold. A frozen channel can warn
too, and has no part in the budget.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.quality.alarm_rates.measured import TREND, Judged, cut_parts, sound_part
from common.recording import Recording
from common.records.alerts import ModelRef
from models.artifact.onnx_scorer import ZeroReconstructor, score_in_chunks
from models.evaluation.collection import collect
from models.evaluation.measure import alarm_begin, lead_cycles
from models.scoring.evidence import WARNERS, judge_windows
from models.scoring.evidence import Judged as Weighed
from models.scoring.measures.contributions import ScoreParams
from models.scoring.normaliser import Normaliser
from models.scoring.scorer import WARNING_SEVERITY, ScorerSpec, Thresholds
from models.scoring.scores import score_channels
from models.scoring.windows import WindowSet
from models.thresholding.asset_conformal import alarm_peaks
from models.thresholding.rule import Rule
from models.training.calibration import Fitted, fit_score
from models.training.config import FOLDS
from models.training.cross_fit import cross_fit
from models.training.evidence import (
    BUDGET,
    both_kinds,
    channel_params,
    frozen_limits,
    shared_budget,
)

AT_ONCE: Final = 25
"""Engines judged at a time; windows of 500 at once would take gigabytes."""


@dataclass(frozen=True, slots=True)
class Model:
    """Two kinds of scores, and when each warns.

    Attributes:
        normaliser: Puts readings on the scale of both.
        degradation: The score.
        channel: What the channel score learned.
        spec: Holds both thresholds, and when a channel is frozen.
    """

    normaliser: Normaliser
    degradation: Fitted
    channel: ScoreParams
    spec: ScorerSpec

    def weigh(self, windows: WindowSet) -> Weighed:
        """Return what is held against each engine, as the detector weighs it."""
        score = self.degradation
        found = score_in_chunks(score.score, score.params, score.reconstructor, windows.windows)
        channel = score_channels(windows.windows, self.channel)
        return judge_windows(replace(found, channel=channel), windows, self.spec)


class EvidenceSplits:
    """``input_trend`` and the channel score, with everything refitted for each split and fold.

    Args:
        recording: Engines that ran to failure.
        alpha: The budget that both share.
        folds: Of the cross-fit.
    """

    def __init__(self, recording: Recording, alpha: float, folds: int = FOLDS) -> None:
        self._whole, self._sound = recording, sound_part(recording)
        self._rule, self._folds = Rule(BUDGET, {"alpha": alpha}), folds

    def together(self, fit: list[int], validate: list[int], judged: list[int], seed: int) -> Judged:
        """Learn and choose on some engines as training does, judge the rest."""
        return judge_engines(self.learn(fit, validate, seed), self._whole, judged)

    def learn(self, fit: list[int], validate: list[int], seed: int) -> Model:
        """Return what training makes of these engines."""
        machine, both = self._whole.machine, fit + validate
        network = ZeroReconstructor()
        found = cross_fit(
            self._sound, machine, both, both_kinds(TREND, network, seed), self._folds, seed
        )
        prepared = cut_parts(self._sound, fit, validate)
        warning, channel = shared_budget(found, self._rule, prepared)
        thresholds = Thresholds(warning.value, np.inf, channel.value)
        frozen = frozen_limits(machine, [self._sound.assets[unit - 1] for unit in both])
        return Model(
            prepared.normaliser,
            fit_score(TREND, network, prepared, seed),
            channel_params(prepared.fit),
            ScorerSpec(ModelRef(name="split", version="0", sha256=""), machine, thresholds, frozen),
        )


def judge_engines(model: Model, recording: Recording, judged: list[int]) -> Judged:
    """Return the false warnings and the leads of some engines, and who spoke falsely."""
    lives = failing = 0
    leads: list[int] = []
    speakers: list[int] = []
    for start in range(0, len(judged), AT_ONCE):
        numbered = [(unit, recording.assets[unit - 1]) for unit in judged[start : start + AT_ONCE]]
        windows = collect(model.normaliser, recording.machine, numbered)
        weighed = model.weigh(windows)
        sound = windows.healthy
        lives += len(np.unique(windows.units[sound]))
        speakers += false_speakers(
            weighed.severities[sound],
            weighed.speakers[sound],
            windows.units[sound],
            windows.cycles[sound],
        )
        for unit in np.unique(windows.units[windows.faulty]).tolist():
            own = windows.units == unit
            failing += 1
            lead = lead_cycles(weighed.severities[own] >= WARNING_SEVERITY, windows.life_left[own])
            leads += [] if lead is None else [lead]
    spoke = {kind.value: speakers.count(place) for place, kind in enumerate(WARNERS)}
    return Judged(lives, len(speakers), tuple(leads), failing, spoke)


def false_speakers(
    severities: NDArray[np.float64],
    speakers: NDArray[np.int64],
    units: NDArray[np.int64],
    cycles: NDArray[np.int64],
) -> list[int]:
    """Return who speaks when the first false warning is raised, one for each engine with one.

    Args:
        severities: Shape ``(n,)``; of healthy windows.
        speakers: Shape ``(n,)``; who has the severity, as a place in ``WARNERS``.
        units: Shape ``(n,)``; each one's windows in order.
        cycles: Shape ``(n,)``.

    Example:
        >>> severities, speakers = np.array([1.0, 2, 1, 1, 0, 1]), np.array([0, 0, 1, 0, 0, 0])
        >>> false_speakers(severities, speakers, np.array([4, 4, 4, 5, 5, 5]), np.arange(6))
        [1]
    """
    found = alarm_peaks(severities, units, cycles)
    spoke = []
    for unit in found.units[found.peaks >= WARNING_SEVERITY].tolist():
        own = units == unit
        anomalous = severities[own] >= WARNING_SEVERITY
        begin = alarm_begin(anomalous, np.zeros(len(anomalous), np.bool_))
        assert begin is not None
        spoke.append(int(speakers[own][begin]))
    return spoke
