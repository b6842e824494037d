"""Alarms as tests need them: a story of alerts and actions, short to write."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

from hypothesis import strategies as st

from api.alarms.actions import LONGEST_SHELF, Request, decide
from api.alarms.events import Action, ActionEvent, Judgement
from api.alarms.facts import AlarmFacts
from api.alarms.lifecycle import Alarm, alarm_at, shelf_of
from api.ports import StoredAlert
from common.errors import RequestRefusedError
from common.records.alerts import Alert, Transition
from common.records.verdicts import Level
from tests.support.alerts import START, make_alert, wire

RAISED = make_alert(10)
ESCALATED = make_alert(14, state=Transition.ESCALATED, level=Level.CRITICAL, onset_cycle=10)
CLEARED = make_alert(30, state=Transition.CLEARED, onset_cycle=10)
NOW = START
ALARM_ACTIONS = (
    Action.ACKNOWLEDGED,
    Action.COMMENTED,
    Action.SHELVED,
    Action.UNSHELVED,
    Action.CLOSED,
    Action.JUDGED,
)


def stored(alerts: Sequence[Alert]) -> list[StoredAlert]:
    """Return alerts as they are stored, in this order of arrival."""
    return [
        StoredAlert(sequence, alert, wire(alert).body) for sequence, alert in enumerate(alerts, 1)
    ]


def request(
    action: Action,
    *,
    who: str = "anna",
    why: str = "seen",
    duration: timedelta = timedelta(hours=1),
    ends_on_recovery: bool = False,
    judgement: Judgement | None = None,
    request_id: str | None = None,
    expected_version: int | None = None,
) -> Request:
    """Return what an operator wants."""
    return Request(
        action,
        who,
        why,
        request_id,
        expected_version,
        duration,
        ends_on_recovery,
        judgement or (Judgement.TRUE_ALARM if action is Action.JUDGED else None),
    )


class Story:
    """One alarm through time: alerts arrive, operators act, the clock goes on.

    Attributes:
        now: The moment.
        events: What was done so far.
        refused: Codes of what was refused.
    """

    def __init__(self, *alerts: Alert) -> None:
        self.now = NOW
        self.events: list[ActionEvent] = []
        self.refused: list[str] = []
        self._alerts = list(alerts)

    def arrive(self, *alerts: Alert) -> None:
        """Let alerts arrive."""
        self._alerts += [alert for alert in alerts if alert not in self._alerts]

    def alarm(self, now: datetime | None = None) -> Alarm:
        """Return the alarm as it stands."""
        facts = AlarmFacts.of(stored(self._alerts))
        cleared = [] if facts.is_active else [facts.first.alarm_id]
        return alarm_at(now or self.now, facts, self.events, shelf_of(self.events, cleared))

    def act(self, wanted: Request | Action) -> Alarm:
        """Let an operator act; a refusal is noted."""
        asked = request(wanted) if isinstance(wanted, Action) else wanted
        self.now += timedelta(seconds=1)
        try:
            draft = decide(self.alarm(), asked, self.now)
        except RequestRefusedError as exc:
            self.refused.append(exc.code)
        else:
            self.events.append(ActionEvent(len(self.events) + 1, draft))
        return self.alarm()


Step = tuple[Literal["arrive", "act", "wait"], object]


def steps() -> st.SearchStrategy[list[Step]]:
    """Return anything that may happen to one alarm, in any order."""
    arrivals = st.tuples(st.just("arrive"), st.sampled_from([RAISED, ESCALATED, CLEARED]))
    actions = st.tuples(
        st.just("act"),
        st.builds(
            request,
            st.sampled_from(ALARM_ACTIONS),
            who=st.sampled_from(["anna", "bo"]),
            duration=st.timedeltas(timedelta(seconds=1), LONGEST_SHELF),
            ends_on_recovery=st.booleans(),
            judgement=st.sampled_from(Judgement),
        ),
    )
    waits = st.tuples(st.just("wait"), st.timedeltas(timedelta(0), timedelta(days=40)))
    return st.lists(st.one_of(arrivals, actions, waits), max_size=12)


def played(happened: Sequence[Step]) -> Story:
    """Return the story after all of it."""
    story = Story(RAISED)
    for kind, what in happened:
        if isinstance(what, Alert):
            story.arrive(what)
        elif isinstance(what, Request):
            story.act(what)
        elif kind == "wait" and isinstance(what, timedelta):
            story.now += what
    return story
