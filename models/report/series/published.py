"""What others have published on the same telemetry. Other protocols: a measure, not a contest."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, slots=True)
class Published:
    """Figures somebody else gives.

    Attributes:
        name: Whose.
        datasets: Of which data sets.
        protocol: How it differs from what is measured here.
        figures: By the name they have in :class:`models.evaluation.ranges.summary.ModelFigures`.
        series: The only series they are of; empty if of all.
        at_least: Whether the source says "more than".
    """

    name: str
    datasets: frozenset[str]
    protocol: str
    figures: dict[str, float] = field(default_factory=dict)
    series: str = ""
    at_least: bool = False


SMAP: Final = frozenset({"SMAP"})
MSL: Final = frozenset({"MSL"})
TSB_AD: Final = (
    "highest mean VUS-PR of a public benchmark (Liu and Paparrizos 2024), with its own "
    "series, split and buffers"
)

PUBLISHED: Final = (
    Published("best of TSB-AD, all columns: SMAP", SMAP, TSB_AD, {"vus_pr_final": 0.380}),
    Published("best of TSB-AD, all columns: MSL", MSL, TSB_AD, {"vus_pr_final": 0.435}),
    Published("best of TSB-AD, telemetry column: SMAP", SMAP, TSB_AD, {"vus_pr_final": 0.644}),
    Published("best of TSB-AD, telemetry column: MSL", MSL, TSB_AD, {"vus_pr_final": 0.554}),
    Published(
        "Telemanom, stored run",
        SMAP | MSL,
        "the run its authors released (Hundman et al. 2018), tuned on these very labels",
        {"event_f1": 0.833, "flagged_share": 0.024},
    ),
    Published(
        "global LSTM autoencoder, tuned per series",
        SMAP | MSL,
        "medians of its own report, protocol unknown",
        {"row_f1_median": 0.149, "auc_final_median": 0.495},
    ),
    Published(
        "one channel, mean and 4 deviations",
        SMAP,
        "claimed for A-1 alone, protocol unknown",
        {"auc_final": 0.90},
        series="A-1",
        at_least=True,
    ),
)


def published_on(datasets: Collection[str]) -> list[Published]:
    """Return what is known of these data sets."""
    return [one for one in PUBLISHED if one.datasets & set(datasets)]


def protocols(datasets: Collection[str]) -> list[tuple[str, str]]:
    """Return whose figures follow which protocol, those of one protocol together."""
    found: dict[str, list[str]] = {}
    for one in published_on(datasets):
        found.setdefault(one.protocol, []).append(one.name)
    return [("; ".join(names), protocol) for protocol, names in found.items()]


def published_json(datasets: Collection[str]) -> list[dict[str, object]]:
    """Return the same for a JSON report."""
    return [
        {
            "name": one.name,
            "datasets": sorted(one.datasets),
            "series": one.series or None,
            "protocol": one.protocol,
            "at_least": one.at_least,
            **one.figures,
        }
        for one in published_on(datasets)
    ]
