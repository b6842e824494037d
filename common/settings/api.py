"""The HTTP service."""

from __future__ import annotations

from pydantic import Field

from common.settings.group import Group


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
