"""What the api says of receivers of notifications."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Final, Self

from pydantic import BaseModel, Field

from api.notifications.ports import Standing
from common.records.times import UtcTimestamp

LONG_WAIT: Final = timedelta(minutes=1)
"""What waits longer is worth a note on ``/ready``."""


class ReceiverView(BaseModel):
    """A receiver of notifications, and how its alerts stand. Settled ones are kept for 7 days."""

    name: str = Field(description="As the file of receivers names it.", examples=["night-shift"])
    configured: bool = Field(description="Whether this api's file names it now.")
    since: UtcTimestamp = Field(
        description="When it was first seen: it is told of nothing that was published before."
    )
    waiting: int = Field(description="Alerts that it is yet to be told of.", examples=[0])
    waiting_since: UtcTimestamp | None = Field(description="When the oldest of them came.")
    delivered: int = Field(description="Alerts that it took.", examples=[12])
    given_up: int = Field(
        description="Alerts that it did not take within SURGELINE_NOTIFY__GIVE_UP_HOURS.",
        examples=[0],
    )
    held: int = Field(
        description="Alerts that it was not told of, since their asset was shelved or out of "
        "service.",
        examples=[1],
    )
    problem: str = Field(
        description="Why the one that waits, or was given up last, was not taken; empty if nothing "
        "is wrong.",
        examples=["HTTP 503 Service Unavailable"],
    )

    @classmethod
    def of(cls, standing: Standing, configured: Collection[str]) -> Self:
        """Return the api's view of a receiver."""
        return cls(
            name=standing.receiver,
            configured=standing.receiver in configured,
            since=standing.since,
            waiting=standing.waiting,
            waiting_since=standing.oldest,
            delivered=standing.delivered,
            given_up=standing.given_up,
            held=standing.held,
            problem=standing.problem,
        )


class ReceiverList(BaseModel):
    """All receivers that were ever configured, by name."""

    items: list[ReceiverView]


def notes_of(standings: Sequence[Standing], now: datetime) -> list[str]:
    """Return what ``/ready`` says of receivers: nothing of those that are told in time."""
    return [note for each in standings if (note := _note(each, now))]


def _note(standing: Standing, now: datetime) -> str:
    told = []
    if standing.given_up:
        told.append(f"{standing.given_up} alerts were given up in the last days")
    if standing.oldest is not None and now - standing.oldest > LONG_WAIT:
        told.append(f"{standing.waiting} wait, the oldest since {standing.oldest:%Y-%m-%d %H:%M}Z")
    if not told:
        return ""
    return f"Receiver {standing.receiver}: {', '.join(told)}. GET /api/v1/notifications says why."
