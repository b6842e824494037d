"""The lifecycle of alarms: what the detector says of them, and what operators do about them.

``events.py`` is the log of actions, ``facts.py`` an alarm as its alerts tell it, ``lifecycle.py``
the one function that makes both into the alarm's state (pure), ``actions.py`` what may be done in
which state (pure), ``maintenance.py`` windows out of service (pure); ``ports.py`` where all of it
is kept, ``desk.py`` the operators' desk: it carries actions out. Terms: ISA-18.2 and OPC UA Part 9
(docs/alarms.md). Start here: ``lifecycle.py``.
"""
