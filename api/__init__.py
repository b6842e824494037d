"""The HTTP service: scores, alerts (also live), alarms, assets, machines, replays.

May import: ``common``; one adapter and the composition root read artifacts with ``models``, which
opens none of them. Start here: ``app.py``.
"""
