"""Three pumps that nobody described to Surgeline: a CSV file as people have it, and its truth.

One row a minute, names and units of their own, blanks, two outages, no counter. In one pump a
bearing fails slowly. ``python -m tests.support.pumps --out pumps.csv`` writes the file.
"""

from __future__ import annotations

import argparse
import csv
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

START = datetime(2026, 3, 1, tzinfo=UTC)
MINUTES_A_DAY = 24 * 60
OUTAGE_MINUTES = 120
CHANNELS = (
    "Discharge pressure [bar]",
    "Suction pressure [bar]",
    "Flow [m3/h]",
    "Motor current [A]",
    "Winding temperature [degC]",
    "Bearing temperature DE [degC]",
    "Vibration DE [mm/s]",
    "Vibration NDE [mm/s]",
)
NOISE = (0.05, 0.02, 1.5, 0.4, 0.6, 0.4, 0.08, 0.07)
HEADER = ("Timestamp", "Pump", *CHANNELS)


@dataclass(frozen=True)
class Truth:
    """What is wrong in the file.

    Attributes:
        pump: The pump whose bearing fails.
        channels: Where it shows.
        onset: From when on, UTC.
        gross: From when on nobody could miss it, UTC.
        outages: When all pumps' readings are missing, UTC: begin and end of each.
    """

    pump: str
    channels: tuple[str, ...]
    onset: datetime
    gross: datetime
    outages: tuple[tuple[datetime, datetime], ...]


def write_pumps(path: Path, seed: int = 0, pumps: int = 3, days: int = 30) -> Truth:
    """Write the file, the same for the same seed, and return what is wrong in it.

    The fault takes the last fifth of the time: bearing temperature and vibration at the drive end
    rise with the square of the time since its onset, by 25 K and 5 mm/s at the end.
    """
    rng = np.random.default_rng(seed)
    minutes = days * MINUTES_A_DAY
    onset = minutes - minutes // 5
    truth = Truth(
        f"P-{100 + pumps}",
        (CHANNELS[5], CHANNELS[6]),
        START + timedelta(minutes=onset),
        START + timedelta(minutes=onset + int((minutes - onset) * 0.8)),
        tuple(
            (START + timedelta(minutes=begin), START + timedelta(minutes=begin + OUTAGE_MINUTES))
            for begin in (int(minutes * 0.3), int(minutes * 0.55))
        ),
    )
    out = np.zeros(minutes, bool)
    for begin, end in truth.outages:
        out[(begin - START) // timedelta(minutes=1) : (end - START) // timedelta(minutes=1)] = True
    values = [_pump(minutes, rng) for _ in range(pumps)]
    drift = np.clip((np.arange(minutes) - onset) / (minutes - onset), 0, 1) ** 2
    values[-1][:, 5] += 25 * drift
    values[-1][:, 6] += 5 * drift * (1 + 0.1 * rng.standard_normal(minutes))
    texts = [_texts(each, rng) for each in values]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        for minute in np.flatnonzero(~out).tolist():
            stamp = f"{START + timedelta(minutes=minute):%Y-%m-%d %H:%M:%S}"
            for number, own in enumerate(texts, start=101):
                writer.writerow((stamp, f"P-{number}", *own[minute]))
    return truth


def _pump(minutes: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the values of a sound pump, shape ``(minutes, 8)``: they follow the day's load."""
    minute = np.arange(minutes)
    hour = minute % MINUTES_A_DAY / 60
    load = 0.7 + 0.2 * np.sin((hour - 9) * np.pi / 12) + 0.02 * rng.standard_normal(minutes)
    slow = np.convolve(load, np.ones(60) / 60)[:minutes]  # metal follows the load in an hour
    slow[:60] = load[:60].mean()
    offset = rng.normal(0, 0.02, len(CHANNELS))
    ideal = np.stack(
        [
            8.0 - 2.0 * load**2,
            1.5 - 0.3 * load,
            200 * load,
            30 + 40 * load,
            45 + 40 * slow,
            38 + 20 * slow,
            1.2 + 0.8 * load,
            1.0 + 0.7 * load,
        ],
        axis=1,
    )
    noise = rng.standard_normal(ideal.shape) * np.array(NOISE)
    found: NDArray[np.float64] = ideal * (1 + offset) + noise
    return found


def _texts(values: NDArray[np.float64], rng: np.random.Generator) -> list[list[str]]:
    blank = rng.random(values.shape) < 0.01
    return [
        ["" if hidden else f"{value:.2f}" for value, hidden in zip(row, away, strict=True)]
        for row, away in zip(values.tolist(), blank.tolist(), strict=True)
    ]


def main() -> None:
    """Write the file and print its truth."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--days", type=int, default=30)
    arguments = parser.parse_args()
    truth = write_pumps(arguments.out, arguments.seed, days=arguments.days)
    print(f"{arguments.out}: {truth.pump} fails from {truth.onset:%Y-%m-%d %H:%M} UTC on")  # noqa: T201
    print(f"it shows in {', '.join(truth.channels)}; gross from {truth.gross:%Y-%m-%d %H:%M} on")  # noqa: T201
    for begin, end in truth.outages:
        print(f"outage of all pumps: {begin:%Y-%m-%d %H:%M} to {end:%H:%M}")  # noqa: T201


if __name__ == "__main__":
    main()
