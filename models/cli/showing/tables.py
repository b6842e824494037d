"""What ``surgeline train`` and ``surgeline evaluate`` show, on screen and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pydantic import JsonValue
from rich import box
from rich.table import Table

from models.artifact.manifest import Manifest
from models.artifact.metrics import LevelMetrics
from models.artifact.provenance import TrainingSection
from models.artifact.store import Artifact
from models.evaluation.splits import FAULT_RUL, HEALTHY_RUL
from models.report.comparison import Comparison, Spread

if TYPE_CHECKING:
    from models.training.quantise import Exported

PROXY_NOTE = (
    f"The label is a proxy: faulty means at most {FAULT_RUL} cycles before failure. False alarms "
    f"are counted in windows with more than {HEALTHY_RUL} cycles left."
)

UNPUBLISHED_NOTE = (
    "These engines are not a file that NASA published: simulated or altered. Nothing here is a "
    "C-MAPSS result."
)


def ranking_table(comparison: Comparison) -> Table:
    """Return one row per model: how well its score ranks windows, whatever the threshold."""
    measured = comparison.measured
    origin = "" if measured.published else " (simulated or altered data)"
    table = _table(
        f"{measured.dataset.name}{origin}, {measured.split} engines {measured.engines}: ranking"
    )
    table.add_column("model")
    for heading in ("AUC", "PR-AUC", "windows", "faulty"):
        table.add_column(heading, justify="right")
    for name, metrics in comparison.models.items():
        counts = (str(metrics.windows), str(metrics.faulty_windows))
        table.add_row(name, _shown(metrics.auc, 4), _shown(metrics.pr_auc, 4), *counts)
    return table


def thresholds_table(comparison: Comparison) -> Table:
    """Return one row per model and threshold: what it catches, how early, how often it is wrong."""
    table = _table("at the two thresholds (lead in cycles, false alarms per 1000 healthy windows)")
    for heading in ("model", "level"):
        table.add_column(heading, no_wrap=True)
    for heading in ("score≥", "F1", "P", "R", "false", "caught", "lead", "min"):
        table.add_column(heading, justify="right")
    for name, metrics in comparison.models.items():
        table.add_row(name, "warn", *_level_cells(metrics.warning))
        table.add_row("", "crit", *_level_cells(metrics.critical))
    return table


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))


def _level_cells(level: LevelMetrics) -> list[str]:
    return [
        f"{level.threshold:.5g}",
        _shown(level.f1, 3),
        _shown(level.precision, 3),
        _shown(level.recall, 3),
        _shown(level.false_alarms_per_1000, 1),
        f"{level.engines_caught}/{level.engines}",
        _shown(level.lead_mean, 1),
        _shown(level.lead_min, 0),
    ]


def precision_table(exported: Exported) -> Table:
    """Return a network in float32 beside itself in int8, both measured on held-out engines."""
    sides = (exported.fp32, exported.int8)
    table = _table(
        f"scores of {exported.degraded_windows} windows near failure change by "
        f"{exported.median_change:.2%} (median), {exported.largest_change:.2%} at most"
    )
    table.add_column("")
    for heading in ("float32", "int8", "difference"):
        table.add_column(heading, justify="right")
    size, speed, auc = (
        [side.network_bytes for side in sides],
        [side.windows_per_s for side in sides],
        [side.metrics.auc or 0.0 for side in sides],
    )
    table.add_row("size, bytes", *(f"{n:,}" for n in size), f"{size[1] / size[0] - 1:+.0%}")
    table.add_row("windows per s", *(f"{n:,.0f}" for n in speed), f"{speed[1] / speed[0] - 1:+.0%}")
    table.add_row("AUC", *(f"{n:.4f}" for n in auc), f"{auc[1] - auc[0]:+.5f}")
    return table


def seeds_table(spreads: Mapping[str, Spread], seeds: tuple[int, ...]) -> Table:
    """Return one row per number, one column per seed, then mean and deviation."""
    table = _table(f"the network, trained with {len(seeds)} seeds")
    table.add_column("")
    for seed in seeds:
        table.add_column(f"seed {seed}", justify="right")
    table.add_column("mean ± sd", justify="right")
    for name, spread in spreads.items():
        digits = 0 if all(value.is_integer() for value in map(float, spread.values)) else 4
        values = [_shown(value, digits) for value in spread.values]
        table.add_row(name, *values, f"{spread.mean:.{digits}f} ± {spread.sd:.{digits}f}")
    return table


def verdict(comparison: Comparison) -> str:
    """Return in one sentence how the model stands beside the best simple baseline."""
    name = comparison.best_baseline()
    if name is None:
        return "No training file, so no baselines to compare with."
    model, baseline = comparison.models[comparison.default], comparison.models[name]
    better = model.critical.f1 > baseline.critical.f1
    return (
        f"The best baseline, {name}, reaches F1 {baseline.critical.f1:.3f} (AUC "
        f"{_shown(baseline.auc, 4)}); {comparison.default} reaches {model.critical.f1:.3f} (AUC "
        f"{_shown(model.auc, 4)}): the model is {'better' if better else 'not better'} at the "
        "critical threshold."
    )


def artifact_lines(artifact: Artifact) -> list[str]:
    """Return what an artifact is, a line each."""
    manifest = artifact.manifest
    network = manifest.network
    return [
        f"artifact    {manifest.name}@{manifest.version}  sha256 {artifact.sha256}",
        f"network     {network.parameters:,} parameters ({network.kind})"
        if network
        else "network     none",
        f"score       {manifest.score.name}, higher is more anomalous",
        _trained_on(manifest.training),
        *(
            f"{level:<11} score >= {chosen.value:.4f}  ({chosen.strategy}: {chosen.reason})"
            for level, chosen in (
                ("warning", manifest.thresholds.warning),
                ("critical", manifest.thresholds.critical),
            )
        ),
        *_beside_the_score(manifest),
    ]


def _beside_the_score(manifest: Manifest) -> list[str]:
    found = []
    if (channel := manifest.channel) is not None:
        warning = channel.warning
        found.append(f"channel     warning from {warning.value:.4f}  ({warning.strategy})")
        if after := [count for count in channel.frozen_after if count]:
            still = len(channel.frozen_after) - len(after)
            found.append(
                f"frozen      after {min(after)} unmoved readings"
                + ("" if not still else f"; {still} channels stand still when healthy")
            )
    if (life := manifest.life) is not None:
        word = manifest.machine.step.word
        found.append(
            f"life        known; a warning is critical at {life.limit:.1f} {word}s left or fewer, "
            "whatever the score"
        )
    return found


def _trained_on(training: TrainingSection) -> str:
    own = training.own
    if own is None:
        return f"trained on  {training.dataset} engines {training.fit}, seed {training.seed}"
    known = f"{own.healthy_rows:,} healthy, {own.faulty_rows:,} faulty"
    return (
        f"trained on  {training.origin}, {own.rows:,} rows ({known}), split by {own.split_by}, "
        f"seed {training.seed}"
    )


def report_json(
    artifact: Artifact,
    comparison: Comparison,
    seeds: tuple[int, ...],
    spreads: Mapping[str, Spread],
) -> dict[str, JsonValue]:
    """Return everything that is shown, as JSON."""
    measured = comparison.measured
    network = artifact.manifest.network
    report: dict[str, JsonValue] = {
        "dataset": measured.dataset.name,
        "split": measured.split,
        "engines": str(measured.engines),
        "data_sha256": measured.dataset.sha256,
        "published_data": measured.published,
        "label": PROXY_NOTE,
        "default": comparison.default,
        "artifact": {
            "name": artifact.manifest.name,
            "version": artifact.manifest.version,
            "sha256": artifact.sha256,
            "parameters": network.parameters if network else 0,
            "score": artifact.manifest.score.name,
        },
        "models": {
            name: metrics.model_dump(mode="json") for name, metrics in comparison.models.items()
        },
    }
    if seeds:
        report["seeds"] = {
            "seeds": list(seeds),
            **{
                name: {"mean": spread.mean, "sd": spread.sd, "values": list(spread.values)}
                for name, spread in spreads.items()
            },
        }
    return report


def _shown(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
