"""The HTTP service."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr

from common.settings.groups.group import Group


class ApiSettings(Group):
    """The HTTP service."""

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8080, ge=0, le=65535, description="Port; 0 picks a free one.")
    allowed_hosts: str = Field(
        "",
        max_length=4000,
        description="Further names that requests may give as their `Host`, separated by commas; "
        "`*` for any. `localhost`, loopback addresses and the host above are always accepted.",
    )
    keys: Literal["auto", "on", "off"] = Field(
        "auto",
        description="Whether requests need an API key (`surgeline keys`). `auto`: not where only "
        "this machine can ask (a loopback address), else yes; without any key the api then "
        "refuses to start. `off` lets anybody who reaches it do anything.",
    )
    key: SecretStr = Field(
        SecretStr(""), description="The API key that commands such as `surgeline alerts` send."
    )
    session_hours: float = Field(
        12.0, gt=0, le=24 * 31, description="How long a browser stays logged in, h."
    )
    failed_logins_per_minute: int = Field(
        10, ge=1, le=10_000, description="Wrong keys and ended sessions from one address, a minute."
    )
    changes_per_minute: int = Field(
        600,
        ge=1,
        le=1_000_000,
        description="Requests that change something, by one key (or address, without keys), a "
        "minute.",
    )
    sse_heartbeat_s: float = Field(
        15.0, gt=0, le=300, description="Silence after which a stream sends a heartbeat, s."
    )
    max_concurrent_replays: int = Field(
        4, ge=0, le=64, description="Replays the api runs at a time; 0 forbids them."
    )
    detector_url: str = Field(
        "http://127.0.0.1:8081", description="Where the detector answers /ready; for /ready here."
    )
    probe_timeout_s: float = Field(
        2.0, gt=0, le=60, description="Longest wait for one dependency in /ready, s."
    )
    computations_per_minute: int = Field(
        600,
        ge=1,
        le=1_000_000,
        description="Requests that have something scored or compared (`/detect`, `/predict`, "
        "`/whatif`), by one key (or address, without keys), a minute.",
    )
    detect_max_bytes: int = Field(
        1024**2,
        ge=64 * 1024,
        le=64 * 1024**2,
        description="Largest body of `/detect`, `/detect/batch` and `/predict`, bytes.",
    )
    csv_max_bytes: int = Field(
        16 * 1024**2,
        ge=1024,
        le=1024**3,
        description="Largest file that `/detect/csv` takes, bytes; four at a time are kept in the "
        "folder of temporary files while they are read.",
    )
    csv_max_rows: int = Field(100_000, ge=1, le=10_000_000, description="Most rows of such a file.")
    scoring_timeout_s: float = Field(
        60.0,
        gt=0,
        le=3600,
        description="Longest a scoring request may wait, and then take, s; what takes longer is "
        "given up.",
    )
    scoring_waiting: int = Field(
        16,
        ge=0,
        le=1000,
        description="Scoring requests that wait while one is at work; more are refused with 503.",
    )
    whatif_max_rows: int = Field(
        100_000, ge=1, le=10_000_000, description="Most stored verdicts that `/whatif` looks at."
    )
