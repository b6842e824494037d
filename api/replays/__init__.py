"""Replays: a producer for each, started, followed, remembered and ended by the api.

May import: the api's ports, metrics and ``common``; never adapters, nor another room.
Start here: ``ports.py`` (what a replay is, and what runs and remembers it), then ``running.py``.
"""
