"""Assets that ought to send and do not, or send and get no score; and fleets of which few do.

``deadlines.py`` says when a reading and a score are due, ``rule.py`` is the one function that makes
what was heard, deadlines and the time into alarms, ``alerts.py`` words them, ``shares.py`` counts
what part of a fleet's readings is scored (all pure); ``ports.py`` where it is remembered,
``hearing.py`` tells what is new since the last look (pure), ``watch.py`` looks, again and again
(docs/alarms.md, docs/decisions/0028). Start here: ``rule.py``.
"""
