"""The HTTP service: scores, alerts (also live), assets, replays.

May import: ``common``. Start here: ``app.py``.
"""
