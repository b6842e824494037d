"""How a fleet is: how many report, the worst of them, verdicts, when something began."""

from __future__ import annotations

from typing import Final

from common.metering import names
from common.records.verdicts import Level, Verdict
from deploy.dashboards.model import GREEN, RED, YELLOW, Dashboard, Panel
from deploy.dashboards.sources import (
    ALARMS_OF_FLEET,
    ALERTS_TABLE,
    EACH_INTERVAL,
    FLEET_VARIABLE,
    OF_FLEET,
    SCORED,
    alarms,
    alert_marks,
    influx,
    prometheus,
    rate,
    repeats,
    scores,
)

WORST: Final = 20

SEVERITIES: Final = ((None, GREEN), (1.0, RED))
"""1 is a warning, for every model and machine."""

OF_THIS: Final = '{fleet=~"$fleet"}'
SCORED_OF_THIS: Final = f'{{fleet=~"$fleet", status="{Verdict.SCORED.value}"}}'

ASSETS: Final = scores('LAST("cycle") AS "seen"', OF_FLEET, rest='GROUP BY "asset_id"')
WORST_OF_EACH: Final = scores(
    'MAX("severity") AS "worst"', OF_FLEET, SCORED, rest='GROUP BY "asset_id"'
)
LATEST: Final = scores(
    'LAST("severity") AS "severity", "level", "evidence", "life", "life_low", "cycle"',
    OF_FLEET,
    SCORED,
    rest='GROUP BY "asset_id", "run_id"',
)

FLEET: Final = Dashboard(
    "fleet",
    "fleet overview",
    "Which machines need a look. Times are those of the readings: choose a range that holds them.",
    {
        "Now": [
            Panel(
                "Machines that reported",
                "stat",
                (influx(f'SELECT COUNT("seen") FROM ({ASSETS})', "machines"),),
                "With any verdict in the time range.",
                width=6,
                height=4,
            ),
            Panel(
                "Machines at or above a warning",
                "stat",
                (
                    influx(
                        f'SELECT COUNT("worst") FROM ({WORST_OF_EACH}) WHERE "worst" >= 1',
                        "machines",
                    ),
                ),
                "With a reading of severity 1 or more in the time range; an alarm also waits for "
                "its delays.",
                width=6,
                height=4,
                steps=((None, GREEN), (1.0, YELLOW)),
            ),
            Panel(
                "Alarms that stand",
                "stat",
                (
                    alarms(
                        f"SELECT count(*) AS open FROM {ALERTS_TABLE} "
                        f"WHERE is_open AND {ALARMS_OF_FLEET}"
                    ),
                ),
                "Raised and not cleared, whenever that was.",
                width=6,
                height=4,
                steps=((None, GREEN), (1.0, RED)),
            ),
            Panel(
                "Readings without a score",
                "stat",
                (
                    prometheus(
                        f"1 - {rate(names.FLEET_VERDICTS, where=SCORED_OF_THIS)}"
                        f" / {rate(names.FLEET_VERDICTS, where=OF_THIS)}",
                        "part",
                    ),
                ),
                "Part of all verdicts, just now: warm-up, gaps, repeats, what was rejected.",
                unit="percentunit",
                width=6,
                height=4,
            ),
        ],
        "Severity": [
            Panel(
                "Severity over the fleet",
                "timeseries",
                (
                    influx(
                        scores(
                            'MAX("severity")', OF_FLEET, SCORED, rest=f"{EACH_INTERVAL} fill(none)"
                        ),
                        "worst",
                    ),
                    influx(
                        scores(
                            'PERCENTILE("severity", 90)',
                            OF_FLEET,
                            SCORED,
                            rest=f"{EACH_INTERVAL} fill(none)",
                        ),
                        "90 in 100 are below",
                    ),
                    influx(
                        scores(
                            'MEDIAN("severity")',
                            OF_FLEET,
                            SCORED,
                            rest=f"{EACH_INTERVAL} fill(none)",
                        ),
                        "median",
                    ),
                ),
                "Score over warning threshold of the evidence that has most; 1 is a warning.",
                steps=SEVERITIES,
                lowest=0,
            ),
            Panel(
                f"The {WORST} worst machines",
                "table",
                (
                    influx(
                        f'SELECT TOP("worst", "asset_id", {WORST}) FROM ({WORST_OF_EACH})',
                        format="table",
                    ),
                ),
                "By their highest severity in the time range.",
                steps=SEVERITIES,
            ),
            Panel(
                "Machines",
                "table",
                (influx(LATEST, format="table"),),
                "Their latest scored reading: severity, evidence, and how long is left, where the "
                "machine type knows.",
                width=24,
                height=10,
                steps=SEVERITIES,
            ),
        ],
        "Readings": [
            Panel(
                "Verdicts",
                "timeseries",
                (prometheus(rate(names.FLEET_VERDICTS, "status", where=OF_THIS), "{{status}}"),),
                "Readings a second by verdict.",
                unit="reqps",
                stacked=True,
                lowest=0,
            ),
            Panel(
                "Readings at a level",
                "timeseries",
                tuple(
                    influx(
                        scores(
                            'COUNT("cycle")',
                            OF_FLEET,
                            SCORED,
                            f"\"level\" = '{level.value}'",
                            rest=f"{EACH_INTERVAL} fill(none)",
                        ),
                        level.value,
                    )
                    for level in Level
                ),
                "Scored readings by what each alone comes to.",
                lowest=0,
            ),
            Panel(
                "Repeats and rejected messages",
                "timeseries",
                (
                    influx(
                        repeats(
                            'COUNT("offset")',
                            OF_FLEET,
                            rest=f'{EACH_INTERVAL}, "status" fill(none)',
                        ),
                        "$tag_status",
                    ),
                ),
                "Late, duplicate and rejected messages, by the broker's time.",
                lowest=0,
            ),
        ],
    },
    (FLEET_VARIABLE,),
    (alert_marks(ALARMS_OF_FLEET),),
)
