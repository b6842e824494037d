"""Logs."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from common.settings.groups.group import Group


class LogSettings(Group):
    """Logs, one event a line, to standard error."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Lowest level that is written."
    )
    format: Literal["console", "json"] = Field(
        "console", description="`console` for people, `json` for log collectors."
    )
