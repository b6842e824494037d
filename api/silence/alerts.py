"""Silences as alerts, kept beside the detector's: all that may be done to an alarm goes for them.

They are the api's own and never on the alerts topic. Ids are derived from the asset, its run and
the moment from which it is silent, so that whoever repeats a look repeats no alarm. Pure.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Final

from api.ports import WireAlert
from api.silence.rule import Change, Silence
from common.records.alerts import (
    ALERT_NAMESPACE,
    Alert,
    ModelRef,
    Transition,
    derive_alert_id,
)
from common.records.verdicts import Evidence, Level

WATCH: Final = ModelRef(name="silence", version="1", sha256="")
"""What stands for the model in such alerts: no model has spoken."""

EVIDENCE: Final = {
    Silence.NO_READING: Evidence.SILENT,
    Silence.NO_SCORE: Evidence.UNSCORED,
}
BEGINS: Final = {
    Silence.NO_READING: "No reading since {since}: none has come for {lasted}, and one is overdue "
    "after {deadline}.",
    Silence.NO_SCORE: "Readings come, but none has been scored since {since}: a score is overdue "
    "after {deadline}.",
}
ENDS: Final = {
    Silence.NO_READING: "Readings come again, after {lasted}.",
    Silence.NO_SCORE: "Readings are scored again, after {lasted}.",
}
UNWATCHED: Final = "It is not watched for silence any more; it had been silent for {lasted}."


def silence_alert(change: Change) -> WireAlert:
    """Return the alert that says so: ``score`` and ``threshold`` are seconds of silence."""
    before, after = change.before, change.after or change.before
    state = Transition.RAISED if change.begins else Transition.CLEARED
    alarm_id = silence_alarm_id(before.asset_id, before.run_id, change.silence, change.silent_from)
    # a run that began meanwhile counts anew, and an alarm's end is never before its beginning
    ended = after if after.run_id == before.run_id else before
    cycle = max(before.cycle, ended.cycle)
    deadline = change.lasted if change.deadline is None else change.deadline
    alert = Alert(
        alert_id=derive_alert_id(alarm_id, state, cycle),
        alarm_id=alarm_id,
        fleet=before.fleet,
        asset_id=before.asset_id,
        run_id=before.run_id,
        level=Level.WARNING,
        state=state,
        alarm_sequence=state.sequence,
        onset_cycle=before.cycle,
        cycle=cycle,
        ts=before.ts if change.begins else after.ts,
        evidence=EVIDENCE[change.silence],
        severity=1.0 if change.begins else 0.0,
        score=change.lasted.total_seconds(),
        threshold=deadline.total_seconds(),
        channels=(),
        model=WATCH,
        reason=_reason(change, deadline),
    )
    return WireAlert(alert, alert.to_json().decode())


def silence_alarm_id(asset_id: str, run_id: str, silence: Silence, since: datetime) -> str:
    """Return the id of a silence's alarm, the same for whoever finds it."""
    named = f"silent\n{asset_id}\n{run_id}\n{silence.value}\n{since.isoformat()}"
    return str(uuid.uuid5(ALERT_NAMESPACE, named))


def words(length: timedelta) -> str:
    """Return a length of time for people.

    Example:
        >>> words(timedelta(seconds=150)), words(timedelta(seconds=45)), words(timedelta(days=3))
        ('2.5 min', '45 s', '3 days')
    """
    seconds = max(0.0, length.total_seconds())
    for most, unit_s, unit in ((120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h")):
        if seconds < most:
            return f"{seconds / unit_s:.3g} {unit}"
    return f"{seconds / 86_400:.3g} days"


def _reason(change: Change, deadline: timedelta) -> str:
    if change.begins:
        said = BEGINS[change.silence]
    else:
        said = UNWATCHED if change.deadline is None else ENDS[change.silence]
    return said.format(
        since=f"{change.silent_from:%Y-%m-%d %H:%M:%S} UTC",
        lasted=words(change.lasted),
        deadline=words(deadline),
    )
