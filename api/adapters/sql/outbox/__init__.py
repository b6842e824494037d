"""Notifications that are due, in the database; ``filling.py`` adds them with their alerts.

May import alarms, whose shelves and windows decide who is told. Start at ``store.py``.
"""
