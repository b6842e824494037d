"""Alarms in the database: the log of what was done about them, and copies to list and count by.

May import ``alert_rows.py`` and what lies below it, nothing of alerts or notifications. Start at
``store.py``.
"""
