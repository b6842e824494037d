"""What is kept in SQLite or PostgreSQL: alerts, alarms, replays, keys, audit.

``database.py`` opens it, ``models.py`` are its tables; every other file is one port. Alembic makes
the tables (``api/migrations/``).
"""
