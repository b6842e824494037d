"""The detector, its alarm rule, and what it makes of bad readings."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from common.alarm_defaults import BRIDGE_CYCLES, ON_DELAY_CYCLES
from common.settings.groups.group import Group


class AlarmSettings(Group):
    """When a score becomes an alarm, and when the alarm ends."""

    on_delay_cycles: int = Field(
        ON_DELAY_CYCLES,
        ge=1,
        le=1000,
        description="Anomalous cycles that raise or escalate, cycles.",
    )
    on_window_cycles: int = Field(
        0,
        ge=0,
        le=64,
        description="Among how many of the last cycles they must be, cycles; 0: in a row. Budgets "
        "of false warnings are reckoned for cycles in a row; a longer window gives more.",
    )
    off_delay_cycles: int = Field(
        10, ge=1, le=1000, description="Quiet cycles in a row that clear, cycles."
    )
    min_length_cycles: int = Field(
        0, ge=0, le=1000, description="How long an alarm is open at least, cycles."
    )
    merge_gap_cycles: int = Field(
        0,
        ge=0,
        le=1000,
        description="How long an alarm that would clear waits, cycles: raised anew meanwhile it is "
        "the same alarm, and only its `flaps` say so.",
    )
    deadband: float = Field(
        0.05,
        ge=0,
        lt=1,
        description="A cycle is quiet when its score is below the warning threshold by this part "
        "of it.",
    )


class InputSettings(Group):
    """What is made of readings that are not as they should be (docs/failures.md)."""

    max_reading_bytes: int = Field(
        65_536, ge=1024, description="A larger message is a dead letter, bytes."
    )
    bridge_cycles: int = Field(
        BRIDGE_CYCLES,
        ge=0,
        le=1000,
        description="Longest gap a window may span, missing cycles; 0 refuses every gap: the "
        "warm-up starts again. Nothing is filled in.",
    )
    follow_after: int = Field(
        30,
        ge=0,
        le=10_000,
        description="Readings in a row that contradict what is known of an asset and agree with "
        "each other, until they are believed: a counter that restarted or jumped opens a new run, "
        "an asset on another partition moves there. 0 never believes them.",
    )


class DetectorSettings(Group):
    """The detector."""

    artifact: str = Field(
        "fd001",
        description="What judges the fleet `default` where SURGELINE_FLEETS names no file: a "
        "shipped artifact (models/artifact/shipped), a folder, or `models:/surgeline@production` "
        "(docs/tracking.md).",
    )
    group_id: str = Field(
        "surgeline-detector",
        pattern=r"^[!-~]{1,249}$",
        description="Consumer group of all workers.",
    )
    session_timeout_s: float = Field(
        6.0, ge=1, le=300, description="Silence after which a worker's partitions go to others, s."
    )
    alarm: AlarmSettings = AlarmSettings()
    input: InputSettings = InputSettings()
    http_host: str = Field("127.0.0.1", description="Where /health, /ready, /metrics listen.")
    http_port: int = Field(8081, ge=0, le=65535, description="Their port; 0 picks a free one.")
    max_batch_rows: int = Field(
        4000, ge=1, le=100_000, description="Most readings in one micro-batch, rows."
    )
    max_batch_bytes: int = Field(
        32 * 1024 * 1024,
        ge=64 * 1024,
        le=1024**3,
        description="Most bytes of keys and values in one micro-batch, decompressed; at least one "
        "reading is in it however large. A worker holds four at most.",
    )
    inference_threads: int = Field(
        1, ge=1, le=64, description="Threads of one worker's model; scale by workers instead."
    )
    scoring_process: Literal["auto", "always", "never"] = Field(
        "auto",
        description="Whether a worker that is behind scores in a second process, for 100 to 150 MB "
        "more: `auto` where it may use two processors. The scores are the same.",
    )
    retry_initial_s: float = Field(
        0.2, gt=0, le=3600, description="First wait after a failed write, s."
    )
    retry_max_s: float = Field(10.0, gt=0, le=3600, description="Longest wait between tries, s.")
    stop_grace_s: float = Field(
        5.0,
        ge=0,
        le=300,
        description="How long a worker that is told to stop goes on with its batch, s. A batch "
        "given up is not acknowledged: another worker does it again, with the same outcome.",
    )
    test_kill_at: str = Field(
        "",
        description="For tests only: the worker kills itself the N-th time it reaches a named "
        "point of the delivery protocol, `POINT:N`.",
    )
