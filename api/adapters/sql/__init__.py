"""What is kept in SQLite or PostgreSQL: alerts, alarms, notifications, replays, keys, audit.

``database.py`` opens it, ``models.py`` are its tables. ``alerts/``, ``alarms/`` and ``outbox/`` are
rooms of several files; every other port is one file. Alembic makes the tables
(``api/migrations/``).
"""
