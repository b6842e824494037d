"""Alerts in the database: the history, what each alert rests on, and removing what is old.

Adding an alert moves its alarm's copy and fills the outbox, in one transaction: this room may
import both. Start at ``history.py``.
"""
