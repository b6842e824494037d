"""Models for the api, in a process of their own that is started when one is first asked.

``process.py`` starts it, hands questions on (``asking.py``, ``messages.py``, ``frames.py``) and
ends it; ``worker.py`` is its main program and the only place of the api that opens artifacts;
``engine.py`` answers, with ``models.py`` (those that are open), ``windows.py`` (windows and
readings), ``header.py``, ``table.py`` and ``csv_scores.py`` (files), ``regions.py`` (where an alarm
would be open) and ``rules.py`` (what-if).
"""
