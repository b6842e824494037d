"""How one machine is: severity, score and its thresholds, channels, verdicts, remaining life."""

from __future__ import annotations

from typing import Final

from common.records.verdicts import Verdict
from common.scorestore.influx.lines import LIFE_FIELDS, SHARE_PREFIX
from deploy.dashboards.model import GREEN, RED, YELLOW, Dashboard, Panel, Query
from deploy.dashboards.sources import (
    ALARMS_OF_ASSET,
    ASSET_VARIABLE,
    EACH_INTERVAL,
    FLEET_VARIABLE,
    OF_ASSET,
    RUN_VARIABLE,
    SCORED,
    alert_marks,
    influx,
    repeats,
    scores,
)

LEGENDS: Final = ("most likely", "at least", "at most")
SEVERITIES: Final = ((None, GREEN), (1.0, RED))


def over_time(fields: str, *terms: str, legend: str) -> Query:
    """Return a query for something of this machine, one value an interval."""
    return influx(
        scores(fields, OF_ASSET, *terms, rest=f"{EACH_INTERVAL} fill(none)"),
        legend,
    )


def latest(field: str, *terms: str) -> tuple[Query, ...]:
    """Return the query for the latest value of a field."""
    return (influx(scores(f'LAST("{field}")', OF_ASSET, *terms), field),)


ENGINE: Final = Dashboard(
    "engine",
    "engine detail",
    "One machine's run. Times are those of the readings: choose a range that holds them.",
    {
        "Now": [
            Panel(
                "Severity",
                "stat",
                latest("severity", SCORED),
                "Of the latest scored reading; 1 is a warning.",
                width=6,
                height=4,
                steps=SEVERITIES,
            ),
            Panel(
                "Remaining life",
                "stat",
                latest("life", SCORED),
                "Steps of the machine type, most likely; empty where it has no failures to learn "
                "from.",
                width=6,
                height=4,
            ),
            Panel(
                "Latest cycle",
                "stat",
                latest("cycle"),
                "With any verdict.",
                width=6,
                height=4,
            ),
            Panel(
                "Readings with a score",
                "stat",
                (influx(scores('COUNT("score")', OF_ASSET, SCORED), "scored"),),
                "In the time range.",
                width=6,
                height=4,
            ),
        ],
        "Evidence": [
            Panel(
                "Severity",
                "timeseries",
                (over_time('MAX("severity")', SCORED, legend="severity"),),
                "Score over warning threshold of the evidence that has most. The line at 1 is a "
                "warning; the marks are alerts.",
                steps=SEVERITIES,
                lowest=0,
            ),
            Panel(
                "Score against both thresholds",
                "timeseries",
                (
                    over_time('MAX("score")', SCORED, legend="score"),
                    over_time('LAST("warning_threshold")', SCORED, legend="warning"),
                    over_time('LAST("critical_threshold")', SCORED, legend="critical"),
                ),
                "Higher is worse. There is no critical threshold where remaining life decides what "
                "is critical.",
                lowest=0,
            ),
            Panel(
                "What each channel contributes",
                "timeseries",
                (over_time(f"MEAN(/^{SHARE_PREFIX}/)", SCORED, legend="$col"),),
                "Part of the score, summing to 1.",
                unit="percentunit",
                stacked=True,
                lowest=0,
            ),
            Panel(
                "Remaining life",
                "timeseries",
                tuple(
                    over_time(f'LAST("{field}")', SCORED, legend=legend)
                    for field, legend in zip(LIFE_FIELDS, LEGENDS, strict=True)
                ),
                "Steps of the machine type, with the band that holds what is left in 9 of 10 "
                "cases.",
                lowest=0,
            ),
        ],
        "Readings": [
            Panel(
                "Verdicts on readings",
                "timeseries",
                tuple(
                    over_time(
                        'COUNT("cycle")', f"\"status\" = '{verdict.value}'", legend=verdict.value
                    )
                    for verdict in Verdict
                    if not verdict.of_message
                ),
                "How many of each an interval.",
                stacked=True,
                lowest=0,
            ),
            Panel(
                "Repeats and rejected messages",
                "timeseries",
                (
                    influx(
                        repeats(
                            'COUNT("offset")',
                            OF_ASSET,
                            rest=f'{EACH_INTERVAL}, "status" fill(none)',
                        ),
                        "$tag_status",
                    ),
                ),
                "By the broker's time, which may be another one than the readings'.",
                lowest=0,
            ),
            Panel(
                "Latest readings",
                "table",
                (
                    influx(
                        scores(
                            '"cycle", "status", "level", "severity", "evidence", "life", "detail"',
                            OF_ASSET,
                            rest="ORDER BY time DESC LIMIT 100",
                        ),
                        format="table",
                    ),
                ),
                "The newest hundred in the time range, with what was said of them.",
                width=24,
                height=10,
                steps=((None, GREEN), (1.0, YELLOW)),
            ),
        ],
    },
    (FLEET_VARIABLE, ASSET_VARIABLE, RUN_VARIABLE),
    (alert_marks(ALARMS_OF_ASSET),),
)
