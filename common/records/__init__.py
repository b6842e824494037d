"""Every message on the wire and every row in the score store, once.

Start at ``readings.py``, then ``verdicts.py`` and ``alerts.py``; ``evidence.py`` is what an alert
rests on, ``letters.py`` what could not be used. ``wire.py``, ``ids.py`` and ``times.py`` hold what
their fields may be.
"""
